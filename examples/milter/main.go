// Milter tells Postfix, or any mail server with milters, whether its clients are who
// they say they are. It refuses where that is advised, deletes Authentication-Results
// fields that claim to be the mail server's, and adds one, and Received-SPF.
//
//	milter -name HOST [flags]
//
// In main.cf of Postfix, where HOST is its myhostname:
//
//	smtpd_milters = inet:127.0.0.1:10041
//	milter_default_action = tempfail
//
// It serves until it is interrupted. Without flags it shows itself: it judges a few
// clients of its own, and ends.
//
// Exit status: 0 when all went well, 2 for what it cannot read or serve.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/d--j/go-milter"
	"golang.org/x/net/netutil"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed demo.zone
var demoZone string

const usage = `usage: milter [flags]
  -name HOST            the name of the mail server, in the field that it adds
  -listen ADDR:PORT     where to listen; 127.0.0.1:10041 by default
  -dns ADDR[:PORT]      ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE   answer from this zone file instead; repeatable
  -trusted PREFIX       do not judge clients of this network; repeatable
  -connections N        at a time, more have to wait; 200 by default
  -idle DURATION        close a connection on which nothing happens; 10m by default
  -timeout DURATION     for each look-up step; 20s by default
Without flags a demonstration runs.
`

// options is what the flags say.
type options struct {
	name, listen, dns string
	zones             []string
	connections       int
	idle              time.Duration
	verifier          identity.Verifier
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "milter: %v\n", err)
		os.Exit(2)
	}
}

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return demonstrate(ctx, stdout)
	}
	o, err := parse(args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, usage)
		}
		return err
	}
	if o.verifier.Resolver, err = o.resolver(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stdout, nil))
	log.Info("listening", "addr", l.Addr().String())
	return o.serve(ctx, l, log)
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("milter", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error comes back, and is printed once
	fs.StringVar(&o.name, "name", "", "")
	fs.StringVar(&o.listen, "listen", "127.0.0.1:10041", "")
	fs.StringVar(&o.dns, "dns", "", "")
	fs.Func("zone", "", func(value string) error { o.zones = append(o.zones, value); return nil })
	fs.Func("trusted", "", func(value string) error {
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return errors.New("expected a network, such as 192.0.2.0/24")
		}
		o.verifier.Trusted = append(o.verifier.Trusted, prefix)
		return nil
	})
	fs.IntVar(&o.connections, "connections", 200, "")
	fs.DurationVar(&o.idle, "idle", 10*time.Minute, "")
	fs.DurationVar(&o.verifier.Timeout, "timeout", 20*time.Second, "")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	helo, err := helo.Parse(o.name)
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case err != nil || helo.Name == "" || helo.Faults != 0:
		return nil, fmt.Errorf("-name %q: expected the full name of the mail server, such as mx.example.org", o.name)
	case o.connections < 1 || o.idle <= 0:
		return nil, errors.New("-connections and -idle must be over 0")
	case o.dns != "" && len(o.zones) > 0:
		return nil, errors.New("-dns and -zone exclude each other")
	}
	return o, nil
}

func (o *options) resolver() (resolver.Resolver, error) {
	if len(o.zones) > 0 {
		return resolver.ReadZoneFiles(o.zones...)
	}
	client, err := resolver.SystemClient()
	if o.dns != "" {
		var server netip.AddrPort
		if server, err = resolver.ParseServer(o.dns); err == nil {
			client = &resolver.Client{Servers: []netip.AddrPort{server}}
		}
	}
	if err != nil {
		return nil, err
	}
	return &resolver.Cache{Resolver: client}, nil
}

// serve filters for mail servers that connect to a listener, until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	v := o.verifier
	v.Names, v.Receiver = []string{o.name}, o.name
	// Clients may finish what they began, so that their work does not end with ctx.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	daemon := milter.NewServer(
		milter.WithMilter(func() milter.Milter { return &filter{ctx: work, verifier: v, authservID: o.name, log: log} }),
		milter.WithActions(actions), milter.WithProtocols(protocol), milter.WithReadTimeout(o.idle),
	)
	ended := make(chan error, 1)
	go func() { ended <- daemon.Serve(netutil.LimitListener(l, o.connections)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, stop := context.WithTimeout(work, 10*time.Second)
	defer stop()
	if err := daemon.Shutdown(grace); err != nil {
		log.Warn("mail servers did not finish", "err", err)
	}
	return <-ended
}

// demonstrate judges a few clients of its own.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	if err != nil {
		return err
	}
	o := &options{name: "mx.quay.example", connections: 10, idle: time.Minute, verifier: identity.Verifier{Resolver: zones}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- o.serve(ctx, l, slog.New(slog.DiscardHandler)) }()
	defer func() { cancel(); <-ended }()
	for _, c := range []struct{ client, helo, sender string }{
		{"192.0.2.10", "post.harbour.example", "pilot@harbour.example"},
		{"192.0.2.66", "post.harbour.example", "pilot@harbour.example"},
		{"192.0.2.66", "pc.isp.example", "shop@www.harbour.example"},
		{"192.0.2.66", "pc.isp.example", "pilot@lost.example"},
		{"10.0.0.1", "desk.quay.example", "me@quay.example"},
	} {
		fmt.Fprintf(stdout, "%s, HELO %s, MAIL FROM:<%s>\n", c.client, c.helo, c.sender)
		did, err := offer(l.Addr().String(), c.client, c.helo, c.sender, "Authentication-Results", " mx.quay.example; spf=pass", "Subject", " hello")
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, strings.Join(did, "\n"))
	}
	return nil
}

// offer gives the milter one message, whose header has names and values in turn, and
// returns what it wants done, a line each.
func offer(addr, client, helo, sender string, header ...string) (did []string, err error) {
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
		did = append(did, fmt.Sprintf("  %s %s: %s", verb, c.HeaderName, c.HeaderValue))
	}
	return append(did, "  "+action.String()), nil
}
