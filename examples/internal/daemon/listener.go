package daemon

import (
	"errors"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"time"
)

// A patientListener waits where the system has no file descriptors or memory for another
// connection. Clients can bring that about, and it must not end the program.
type patientListener struct {
	net.Listener
	log *slog.Logger
}

// retryAfter is how long it waits. Connections that end give descriptors back.
const retryAfter = time.Second

var exhausted = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

// Accept implements net.Listener.
func (l patientListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err == nil || !slices.ContainsFunc(exhausted, func(e error) bool { return errors.Is(err, e) }) {
			return conn, err
		}
		l.log.Warn("no new connections", "err", err)
		time.Sleep(retryAfter)
	}
}
