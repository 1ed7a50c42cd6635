// Milter judges the clients of Postfix, or of any mail server that supports milters. It
// refuses mail if that is advised, deletes Authentication-Results fields that claim to be
// from the mail server, and adds its own and Received-SPF.
//
//	milter -name HOST -domain DOMAIN... [flags]
//
// It judges a client at MAIL FROM, and replies at RCPT TO: postmaster and abuse of -domain
// and -name get through whatever the verdict is, ten such recipients in one connection.
// Clients that have logged in are not judged. A client that has used up what may be asked
// about one connection gets 421, at which mail servers close its connection.
//
// For Postfix, main.cf needs two lines; docs/postfix.md has them, and what to check.
//
//	smtpd_milters = inet:127.0.0.1:10041
//	milter_default_action = tempfail
//
// It believes what a mail server says about clients, so -listen must not be reachable from
// elsewhere.
//
// It serves until an interrupt or SIGTERM; mail servers then have ten seconds to finish.
// Without flags it runs a demonstration: it judges a few clients of its own, and ends.
//
// Exit status: 0 on success, 2 for bad flags or what it cannot read or serve.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/d--j/go-milter"
	"golang.org/x/net/netutil"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/milterframe"
)

const usage = `usage: milter [flags]
  -name HOST            the name of the mail server, for the fields that it adds
  -domain DOMAIN        the mail server receives mail for this domain; repeatable. Its
                        postmaster and abuse, and those of HOST, get mail from everybody
  -listen ADDR:PORT     where to listen; 127.0.0.1:10041 by default
  -dns ADDR[:PORT]      ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE   answer from this zone file instead; repeatable
  -trusted PREFIX       do not judge clients of this network; repeatable
  -policy FILE          what to do about what is found, in YAML or JSON; the package
                        comment of examples/smtpd has such a file
  -connections N        connections at a time, more have to wait; 200 by default
  -idle DURATION        close a connection without traffic; 10m by default
  -timeout DURATION     for the lookups of each step; 20s by default
Without flags a demonstration runs.
Exit status: 0 success, 2 bad flags or what cannot be read or served.
`

// options holds the values of the flags.
type options struct {
	daemon.Options
	idle time.Duration
}

func main() { command.Main("milter", run) }

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return demonstrate(ctx, stdout)
	}
	o := &options{}
	fs := command.NewFlags("milter")
	o.Register(fs, "127.0.0.1:10041")
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

// serve filters for mail servers that connect to a listener, until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	// Clients may finish what they began, so their work does not end with ctx.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	v, roles := o.Judge(), o.Roles()
	milter.LogWarning = func(format string, args ...any) { log.Warn("milter", "err", fmt.Sprintf(format, args...)) }
	server := milter.NewServer(
		milter.WithMilter(func() milter.Milter {
			return &filter{ctx: work, verifier: v, authservID: o.Name, roles: roles, log: log}
		}),
		milter.WithActions(actions), milter.WithProtocols(protocol), milter.WithReadTimeout(o.idle),
	)
	l = milterframe.NewListener(netutil.LimitListener(l, o.Connections), log)
	return daemon.Serve(ctx, l, log, server)
}
