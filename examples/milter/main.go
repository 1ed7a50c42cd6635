// Milter judges the clients of Postfix, or of any mail server that supports milters. It
// rejects mail if that is advised, deletes Authentication-Results fields that claim to be
// from the mail server, and adds its own and Received-SPF.
//
//	milter -name HOST [flags]
//
// In main.cf of Postfix, where HOST is its myhostname:
//
//	smtpd_milters = inet:127.0.0.1:10041
//	milter_default_action = tempfail
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
	"strings"
	"time"

	"github.com/d--j/go-milter"
	"golang.org/x/net/netutil"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
)

const usage = `usage: milter [flags]
  -name HOST            the name of the mail server, for the fields that it adds
  -listen ADDR:PORT     where to listen; 127.0.0.1:10041 by default
  -dns ADDR[:PORT]      ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE   answer from this zone file instead; repeatable
  -trusted PREFIX       do not judge clients of this network; repeatable
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
	v := o.Judge()
	server := milter.NewServer(
		milter.WithMilter(func() milter.Milter { return &filter{ctx: work, verifier: v, authservID: o.Name, log: log} }),
		milter.WithActions(actions), milter.WithProtocols(protocol), milter.WithReadTimeout(o.idle),
	)
	return daemon.Serve(ctx, netutil.LimitListener(l, o.Connections), log, server)
}

// demonstrate judges a few clients of its own.
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
	for _, c := range demo.Clients {
		fmt.Fprintf(stdout, "%s, HELO %s, MAIL FROM:<%s>\n", c.Addr, c.Helo, c.Sender)
		done, err := offer(addr, c.Addr, c.Helo, c.Sender, "Authentication-Results", " mx.quay.example; spf=pass", "Subject", " hello")
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, strings.Join(done, "\n"))
	}
	return nil
}

// offer sends one message to the milter, with alternating names and values of its header,
// and returns the actions of the milter, one a line.
func offer(addr, client, helo, sender string, header ...string) (done []string, err error) {
	s, err := milter.NewClient("tcp", addr, milter.WithActions(milter.AllClientSupportedActionMasks)).Session(nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	steps := []func() (*milter.Action, error){
		func() (*milter.Action, error) { return s.Conn("unknown", milter.FamilyInet, 25, client) },
		func() (*milter.Action, error) { return s.Helo(helo) },
		func() (*milter.Action, error) { return s.Mail(sender, "") },
		func() (*milter.Action, error) { return s.Rcpt("master@quay.example", "") },
		s.DataStart,
	}
	for i := 0; i < len(header); i += 2 {
		steps = append(steps, func() (*milter.Action, error) { return s.HeaderField(header[i], header[i+1], nil) })
	}
	steps = append(steps, s.HeaderEnd)
	for _, step := range steps {
		action, err := step()
		if err != nil {
			return nil, err
		}
		if action.StopProcessing() {
			return []string{"  " + strings.TrimSpace(action.SMTPReply)}, nil
		}
	}
	changes, action, err := s.BodyReadFrom(strings.NewReader("Hello.\r\n"))
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		verb := "add"
		if c.HeaderValue == "" {
			verb = fmt.Sprintf("delete number %d of", c.HeaderIndex)
		}
		done = append(done, fmt.Sprintf("  %s %s: %s", verb, c.HeaderName, c.HeaderValue))
	}
	return append(done, "  "+action.String()), nil
}
