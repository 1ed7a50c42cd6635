// Policyd judges the clients of Postfix, by the SMTP access policy delegation protocol.
//
//	policyd -name HOST [flags]
//
// In main.cf of Postfix, where HOST is its myhostname:
//
//	smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service inet:127.0.0.1:10040
//	header_checks = regexp:{{/^Authentication-Results:[[:space:]]*HOST[;[:space:]]/ IGNORE}}
//
// It answers DUNNO if there is nothing to judge, PREPEND with an Authentication-Results
// field, DEFER_IF_PERMIT after a DNS failure that matters, or a 5xx reply. The protocol
// cannot delete fields that others have forged: header_checks does, and examples/milter
// does both.
//
// It serves until an interrupt or SIGTERM. Without flags it runs a demonstration: it
// answers a few requests of its own, and ends.
//
// Exit status: 0 on success, 2 for bad flags or what it cannot read or serve.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
)

const usage = `usage: policyd [flags]
  -name HOST            the name of the mail server, for the field that it adds
  -listen ADDR:PORT     where to listen; 127.0.0.1:10040 by default
  -dns ADDR[:PORT]      ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE   answer from this zone file instead; repeatable
  -trusted PREFIX       do not judge clients of this network; repeatable
  -connections N        connections at a time; 200 by default
  -idle DURATION        close a connection without requests; 10m by default
  -timeout DURATION     for the lookups of one request; 20s by default
Without flags a demonstration runs.
Exit status: 0 success, 2 bad flags or what cannot be read or served.
`

// options holds the values of the flags.
type options struct {
	daemon.Options
	idle time.Duration
}

func main() { command.Main("policyd", run) }

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return demonstrate(ctx, stdout)
	}
	o := &options{}
	fs := command.NewFlags("policyd")
	o.Register(fs, "127.0.0.1:10040")
	fs.DurationVar(&o.idle, "idle", 10*time.Minute, "")
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return err
	}
	if o.idle <= 0 {
		return errors.New("-idle must be over 0")
	}
	return o.Run(ctx, stdout, o.serve)
}

// serve answers requests from a listener until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	s := &service{verifier: o.Judge(), authservID: o.Name, log: log}
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	slots := make(chan struct{}, o.Connections)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		select {
		case slots <- struct{}{}:
		default:
			log.Warn("too many connections", "peer", conn.RemoteAddr().String())
			conn.Close() // Postfix retries, then answers 451
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			s.serve(ctx, conn, o.idle)
		})
	}
}

// demonstrate answers a few requests of its own.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		return err
	}
	o := &options{idle: time.Minute}
	o.Name, o.Connections, o.Verifier.Resolver = "mx.quay.example", 10, zones
	addr, stop, err := daemon.Start(ctx, slog.New(slog.DiscardHandler), o.serve)
	if err != nil {
		return err
	}
	defer stop()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for i, q := range demo.Clients {
		fmt.Fprintf(conn, "request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=%d\nclient_address=%s\nhelo_name=%s\nsender=%s\n\n", i, q.Addr, q.Helo, q.Sender)
		action, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		r.ReadString('\n')
		fmt.Fprintf(stdout, "%s, HELO %s, MAIL FROM:<%s>\n  %s", q.Addr, q.Helo, q.Sender, action)
	}
	return nil
}
