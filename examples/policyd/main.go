// Policyd judges the clients of Postfix, by the SMTP access policy delegation protocol.
//
//	policyd -name HOST -domain DOMAIN... [-header-checks FILE] [flags]
//
// In main.cf of Postfix, after what lets your own clients send:
//
//	smtpd_recipient_restrictions =
//	    permit_mynetworks,
//	    permit_sasl_authenticated,
//	    reject_unauth_destination,
//	    check_policy_service inet:127.0.0.1:10040
//
// It answers requests at RCPT: DUNNO if there is nothing to refuse, DEFER_IF_PERMIT after a
// DNS failure that matters, or a reply. Postmaster and abuse of -domain and -name get through
// whatever the verdict is, ten such recipients in one connection of a client. Clients that
// have logged in are not judged. All other steps are answered DUNNO.
//
// With -header-checks it also has Postfix add an Authentication-Results field, and delete
// those that claim to be ours. docs/postfix.md has the whole set-up, and its limits.
//
// It serves until an interrupt or SIGTERM. Without flags it runs a demonstration: it
// answers a few requests of its own, and ends.
//
// Exit status: 0 on success, 2 for bad flags or what it cannot read or serve.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
)

const usage = `usage: policyd [flags]
  -name HOST            the name of the mail server, for the field that it adds
  -domain DOMAIN        the mail server receives mail for this domain; repeatable. Its
                        postmaster and abuse, and those of HOST, get mail from everybody
  -header-checks FILE   add Authentication-Results, by this file of header_checks
  -print-header-checks  print such a file, with a new secret, and end
  -listen ADDR:PORT     where to listen; 127.0.0.1:10040 by default
  -dns ADDR[:PORT]      ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE   answer from this zone file instead; repeatable
  -trusted PREFIX       do not judge clients of this network; repeatable
  -policy FILE          what to do about what is found, in YAML or JSON; the package
                        comment of examples/smtpd has such a file
  -connections N        connections at a time; 200 by default
  -idle DURATION        close a connection without requests; 10m by default
  -timeout DURATION     for the lookups of one request; 20s by default
In main.cf of Postfix:
  smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated,
      reject_unauth_destination, check_policy_service inet:127.0.0.1:10040
Without flags a demonstration runs.
Exit status: 0 success, 2 bad flags or what cannot be read or served.
`

// options holds the values of the flags.
type options struct {
	daemon.Options
	idle   time.Duration
	checks string // file
	field  string // to prepend
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
	fs.StringVar(&o.checks, "header-checks", "", "")
	printing := fs.Bool("print-header-checks", false, "")
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return err
	}
	if o.idle <= 0 {
		return errors.New("-idle must be over 0")
	}
	if *printing {
		return printChecks(stdout, o.Name)
	}
	if o.checks != "" {
		var err error
		if o.field, err = readField(o.checks, o.Name); err != nil {
			return err
		}
	}
	return o.Run(ctx, stdout, o.serve)
}

// serve answers requests from a listener until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	s := &service{verifier: o.Judge(), authservID: o.Name, field: o.field, roles: o.Roles(), log: log}
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
