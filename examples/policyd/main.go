// Policyd tells Postfix whether its clients are who they say they are, by the SMTP
// access policy delegation protocol.
//
//	policyd -name HOST [flags]
//
// In main.cf of Postfix, where HOST is its myhostname:
//
//	smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service inet:127.0.0.1:10040
//	header_checks = regexp:{{/^Authentication-Results:[[:space:]]*HOST[;[:space:]]/ IGNORE}}
//
// It answers DUNNO where there is nothing to judge, PREPEND with an
// Authentication-Results field, DEFER_IF_PERMIT while DNS does not tell enough, or a
// reply of 5xx. It cannot delete fields that others have forged: header_checks do, and
// the milter of examples/milter does both.
//
// It serves until it is interrupted. Without flags it shows itself: it answers a few
// requests of its own, and ends.
//
// Exit status: 0 when all went well, 2 for what it cannot read or serve.
package main

import (
	"bufio"
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
	"sync"
	"syscall"
	"time"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed demo.zone
var demoZone string

const usage = `usage: policyd [flags]
  -name HOST            the name of the mail server, in the field that it adds
  -listen ADDR:PORT     where to listen; 127.0.0.1:10040 by default
  -dns ADDR[:PORT]      ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE   answer from this zone file instead; repeatable
  -trusted PREFIX       do not judge clients of this network; repeatable
  -connections N        at a time; 200 by default
  -idle DURATION        close a connection without requests; 10m by default
  -timeout DURATION     for the look-ups of one request; 20s by default
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
		fmt.Fprintf(os.Stderr, "policyd: %v\n", err)
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
	fs := flag.NewFlagSet("policyd", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error comes back, and is printed once
	fs.StringVar(&o.name, "name", "", "")
	fs.StringVar(&o.listen, "listen", "127.0.0.1:10040", "")
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

// serve answers requests from a listener until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	v := o.verifier
	v.Names, v.Receiver = []string{o.name}, o.name
	s := &service{verifier: v, authservID: o.name, log: log}
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	slots := make(chan struct{}, o.connections)
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
			conn.Close() // Postfix tries again, then answers 451
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
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for i, q := range []struct{ client, helo, sender string }{
		{"192.0.2.10", "post.harbour.example", "pilot@harbour.example"},
		{"192.0.2.66", "post.harbour.example", "pilot@harbour.example"},
		{"192.0.2.66", "pc.isp.example", "shop@www.harbour.example"},
		{"192.0.2.66", "pc.isp.example", "pilot@lost.example"},
		{"10.0.0.1", "desk.quay.example", "me@quay.example"},
	} {
		fmt.Fprintf(conn, "request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=%d\nclient_address=%s\nhelo_name=%s\nsender=%s\n\n", i, q.client, q.helo, q.sender)
		action, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		r.ReadString('\n')
		fmt.Fprintf(stdout, "%s, HELO %s, MAIL FROM:<%s>\n  %s", q.client, q.helo, q.sender, action)
	}
	return nil
}
