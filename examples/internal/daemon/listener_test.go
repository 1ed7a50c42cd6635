package daemon_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
)

// A failing listener returns errors, one after the other.
type failing struct {
	*fake
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, err
}

// A lack of file descriptors or memory is waited out, and anything else is returned.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, last := range []error{net.ErrClosed, syscall.EINVAL, errors.New("other")} {
			f := &failing{newFake(), nil}
			for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
				f.errs = append(f.errs, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errno)})
			}
			f.errs = append(f.errs, last)
			var log bytes.Buffer
			start := time.Now()
			_, err := daemon.Patient(f, slog.New(slog.NewTextHandler(&log, nil))).Accept()
			if took := time.Since(start); err != last || took != 4*time.Second || strings.Count(log.String(), "\n") != 4 {
				t.Errorf("%v: %v, %v, %s", last, err, took, &log)
			}
		}
	})
}
