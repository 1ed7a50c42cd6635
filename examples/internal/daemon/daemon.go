// Package daemon runs the examples that judge the clients of a mail server: their common
// flags, and serving until a signal ends the program.
package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/examples/internal/pipenet"
	"github.com/bonafide-mta/bonafide/examples/internal/policyfile"
	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
)

// Options holds the values of the flags.
type Options struct {
	Name        string            // of the mail server, also as authserv-id
	Listen      string            // where to listen: ADDR:PORT
	Connections int               // at a time
	Domains     recipient.Domains // that the mail server receives mail for
	Verifier    identity.Verifier
	policy      string // file
	dns         dnssource.Flags
}

// Register defines -name, -domain, -listen, -dns, -zone, -trusted, -policy, -connections
// and -timeout.
func (o *Options) Register(fs *flag.FlagSet, listen string) {
	fs.StringVar(&o.Name, "name", "", "")
	fs.StringVar(&o.Listen, "listen", listen, "")
	fs.Func("domain", "", func(value string) error {
		if name, err := helo.Parse(value); err != nil || name.Name == "" {
			return errors.New("expected a domain, such as example.org")
		}
		o.Domains = append(o.Domains, value)
		return nil
	})
	o.dns.Register(fs, "dns")
	fs.Func("trusted", "", func(value string) error {
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return errors.New("expected a network, such as 192.0.2.0/24")
		}
		o.Verifier.Trusted = append(o.Verifier.Trusted, prefix)
		return nil
	})
	fs.StringVar(&o.policy, "policy", "", "")
	fs.IntVar(&o.Connections, "connections", 200, "")
	fs.DurationVar(&o.Verifier.Timeout, "timeout", 20*time.Second, "")
}

// Check returns an error for a value that makes no sense, and reads the policy.
func (o *Options) Check() error {
	name, err := helo.Parse(o.Name)
	switch {
	case err != nil || name.Name == "" || name.Faults != 0:
		return fmt.Errorf("-name %q: expected the full name of the mail server, such as mx.example.org", o.Name)
	case o.Connections < 1:
		return errors.New("-connections must be over 0")
	case o.Verifier.Timeout <= 0:
		return errors.New("-timeout must be over 0")
	}
	if o.policy != "" {
		explain := o.Verifier.Policy.Explain // by another flag
		if o.Verifier.Policy, err = policyfile.Read(o.policy); err != nil {
			return err
		}
		o.Verifier.Policy.Explain = o.Verifier.Policy.Explain || explain
	}
	return nil
}

// Judge returns the Verifier of the mail server.
func (o *Options) Judge() identity.Verifier {
	v := o.Verifier
	v.Names, v.Receiver = []string{o.Name}, o.Name
	return v
}

// Roles returns the domains whose role mailboxes get through whatever the verdict is: those
// of -domain, and the name of the mail server (RFC 5321, Section 4.5.1).
func (o *Options) Roles() recipient.Domains { return append(slices.Clone(o.Domains), o.Name) }

// A Service serves clients from a listener until the context ends.
type Service func(ctx context.Context, l net.Listener, log *slog.Logger) error

// Run opens the resolver and the listener, and runs the service, which logs to stdout.
func (o *Options) Run(ctx context.Context, stdout io.Writer, serve Service) error {
	var err error
	if o.Verifier.Resolver, err = o.dns.Open(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stdout, nil))
	log.Info("listening", "addr", l.Addr().String())
	return serve(ctx, patientListener{l, log}, log)
}

// A Dial connects to a service that Start has started, from an address.
type Dial func(from string) (*pipenet.Conn, error)

// Start runs a service in memory, for a demonstration or a test, until stop is called:
// clients connect from any address. Every call of stop returns the error of the service.
func Start(ctx context.Context, log *slog.Logger, serve Service) (dial Dial, stop func() error) {
	l := pipenet.Listen(netip.MustParseAddrPort("192.0.2.1:25"))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l, log) }()
	dial = func(from string) (*pipenet.Conn, error) {
		addr, err := netip.ParseAddr(from)
		if err != nil {
			return nil, err
		}
		return l.Dial(addr)
	}
	return dial, sync.OnceValue(func() error { cancel(); return <-ended })
}

// Survive ends a panic, logs it, and sets the error, unless that is nil. Defer it in
// whatever serves a connection: a fault there must not end the program. The error is
// net.ErrClosed, about which servers log nothing more.
func Survive(log *slog.Logger, err *error) {
	p := recover()
	if p == nil {
		return
	}
	log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
	if err != nil {
		*err = net.ErrClosed
	}
}

// A Server is one of go-smtp or go-milter.
type Server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// Serve runs a server until the context ends. Clients then have ten seconds to finish.
func Serve(ctx context.Context, l net.Listener, log *slog.Logger, server Server) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// First no new clients: Shutdown must not begin to wait for clients while Serve may
	// still count another one.
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		return err
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
		log.Warn("clients did not finish", "err", err)
	}
	return nil
}
