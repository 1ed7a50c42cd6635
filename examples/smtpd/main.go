// Smtpd is a small mail server that asks of every client whether it is who it says it
// is: it refuses at the right step, records in the message what it found, and delivers
// to a Maildir. It relays nothing.
//
//	smtpd -name HOST -domain DOMAIN... -maildir DIR [flags]
//
// Try it:
//
//	smtpd -name mx.example.test -domain example.test -maildir /tmp/mail
//
// It serves until it is interrupted, then lets the clients finish for ten seconds.
// Without flags it shows itself: it serves a few clients of its own, and ends.
//
// Exit status: 0 when all went well, 2 for what it cannot read, serve or write.
package main

import (
	"context"
	"crypto/tls"
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

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

//go:embed demo.zone
var demoZone string

const usage = `usage: smtpd [flags]
  -name HOST              the name of this host: in its banner, and in the fields it adds
  -domain DOMAIN          take mail for this domain; repeatable
  -maildir DIR            where mail is delivered to
  -listen ADDR:PORT       where to listen; 127.0.0.1:2525 by default
  -dns ADDR[:PORT]        ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE     answer from this zone file instead; repeatable
  -trusted PREFIX         do not judge clients of this network; repeatable
  -inner                  judge clients of private networks and of this machine, too
  -cert FILE, -key FILE   offer STARTTLS with this certificate, in PEM
  -reject-mail-from-fail  refuse what the sender's SPF record denies
  -explain                quote SPF explanations
  -connections N          at a time; 200 by default
  -per-client N           of one address at a time; 20 by default
  -timeout DURATION       for each look-up step; 20s by default
Without flags a demonstration runs.
`

// options is what the flags say.
type options struct {
	name, maildir, listen  string
	dns                    string
	domains, zones         []string
	cert, key              string
	tls                    *tls.Config // nil offers no STARTTLS
	connections, perClient int
	verifier               identity.Verifier
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "smtpd: %v\n", err)
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
	log.Info("listening", "addr", l.Addr())
	return o.serve(ctx, l, log)
}

func parse(args []string) (*options, error) {
	o := &options{verifier: identity.Verifier{Timeout: 20 * time.Second}}
	fs := flag.NewFlagSet("smtpd", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error comes back, and is printed once
	list := func(name string, values *[]string) {
		fs.Func(name, "", func(value string) error { *values = append(*values, value); return nil })
	}
	fs.StringVar(&o.name, "name", "", "")
	fs.StringVar(&o.maildir, "maildir", "", "")
	fs.StringVar(&o.listen, "listen", "127.0.0.1:2525", "")
	fs.StringVar(&o.dns, "dns", "", "")
	fs.StringVar(&o.cert, "cert", "", "")
	fs.StringVar(&o.key, "key", "", "")
	list("domain", &o.domains)
	list("zone", &o.zones)
	fs.Func("trusted", "", func(value string) error {
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return errors.New("expected a network, such as 192.0.2.0/24")
		}
		o.verifier.Trusted = append(o.verifier.Trusted, prefix)
		return nil
	})
	fs.BoolVar(&o.verifier.AllowPrivate, "inner", false, "")
	fs.BoolVar(&o.verifier.Policy.RejectMailFromFail, "reject-mail-from-fail", false, "")
	fs.BoolVar(&o.verifier.Policy.Explain, "explain", false, "")
	fs.IntVar(&o.connections, "connections", 200, "")
	fs.IntVar(&o.perClient, "per-client", 20, "")
	fs.DurationVar(&o.verifier.Timeout, "timeout", 20*time.Second, "")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	helo, err := helo.Parse(o.name)
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case err != nil || helo.Name == "" || helo.Faults != 0:
		return nil, fmt.Errorf("-name %q: expected the full name of this host, such as mx.example.org", o.name)
	case len(o.domains) == 0:
		return nil, errors.New("-domain is missing: which domain's mail is taken?")
	case o.maildir == "":
		return nil, errors.New("-maildir is missing: where is mail delivered to?")
	case o.connections < 1, o.perClient < 1:
		return nil, errors.New("-connections and -per-client must be over 0")
	case o.dns != "" && len(o.zones) > 0:
		return nil, errors.New("-dns and -zone exclude each other")
	case (o.cert == "") != (o.key == ""):
		return nil, errors.New("-cert and -key belong together")
	case o.cert != "":
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, err
		}
		o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
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

// serve takes mail from a listener until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	v := o.verifier
	v.Names, v.Receiver = append(v.Names, o.name), o.name
	s := &server{verifier: v, name: o.name, domains: o.domains, maildir: maildir(o.maildir), log: log}
	if err := s.maildir.open(); err != nil {
		return err
	}
	// Clients may finish what they began, so that their work does not end with ctx.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	daemon := smtp.NewServer(s)
	daemon.Domain = o.name
	daemon.MaxRecipients = 100
	daemon.MaxMessageBytes = 25 << 20
	daemon.ReadTimeout, daemon.WriteTimeout = 5*time.Minute, 5*time.Minute // RFC 5321, Section 4.5.3.2
	daemon.EnableSMTPUTF8 = true
	daemon.TLSConfig = o.tls
	daemon.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Serve(&listener{
			Listener: l, ctx: work, verifier: v, most: o.connections, perClient: o.perClient, counts: make(map[netip.Addr]int),
		})
	}()
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
	grace, stop := context.WithTimeout(work, 10*time.Second)
	defer stop()
	if err := daemon.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
		log.Warn("clients did not finish", "err", err)
	}
	return nil
}

// demonstrate serves a few clients of its own.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := resolver.ReadZone("", "demo.zone", strings.NewReader(demoZone))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "smtpd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o := &options{
		name: "mx.quay.example", maildir: dir, domains: []string{"quay.example"}, connections: 10, perClient: 10,
		verifier: identity.Verifier{Resolver: zones, AllowPrivate: true},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- o.serve(ctx, l, slog.New(slog.DiscardHandler)) }()
	for _, c := range []struct{ from, helo, sender string }{
		{"127.0.0.10", "post.harbour.example", "pilot@harbour.example"},
		{"127.0.0.10", "mta1.harbour.example", "pilot@pier.example"},
		{"127.0.0.20", "post.harbour.example", "pilot@harbour.example"},
		{"127.0.0.20", "pc.isp.example", "shop@www.harbour.example"},
		{"127.0.0.20", "pc.isp.example", "shop@harbour.example"},
	} {
		reply, err := send(l.Addr().String(), c.from, c.helo, c.sender, "master@quay.example",
			"Authentication-Results: mx.quay.example; spf=pass\r\nSubject: hello\r\n\r\nHello.\r\n")
		fmt.Fprintf(stdout, "%s, HELO %s, MAIL FROM:<%s>\n  %s\n", c.from, c.helo, c.sender, reply)
		if err != nil {
			cancel()
			return err
		}
	}
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	files, err := os.ReadDir(dir + "/new")
	if err != nil {
		return err
	}
	for _, f := range files {
		message, err := os.ReadFile(dir + "/new/" + f.Name())
		if err != nil {
			return err
		}
		// Without the date of the last field that was added.
		head, _, _ := strings.Cut(string(message), "\r\nReceived:")
		fmt.Fprintf(stdout, "\ndelivered:\n%s\n", strings.ReplaceAll(head, "\r\n", "\n"))
	}
	return nil
}

// send gives one message to a server and returns the reply that decided.
func send(server, from, helo, sender, recipient, message string) (string, error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0)), Timeout: 10 * time.Second}
	conn, err := dialer.Dial("tcp", server)
	if err != nil {
		return "", err
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	err = c.Hello(helo)
	if err == nil {
		err = c.Mail(sender, nil)
	}
	if err == nil {
		err = c.Rcpt(recipient, nil)
	}
	if err == nil {
		var w io.WriteCloser
		if w, err = c.Data(); err == nil {
			io.WriteString(w, message)
			err = w.Close()
		}
	}
	if refused, ok := errors.AsType[*smtp.SMTPError](err); ok {
		e := refused.EnhancedCode
		return fmt.Sprintf("%d %d.%d.%d %s", refused.Code, e[0], e[1], e[2], refused.Message), nil
	}
	if err != nil {
		return "", err
	}
	return "250 taken", c.Quit()
}
