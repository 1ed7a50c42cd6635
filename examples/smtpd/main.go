// Smtpd is a small mail server that verifies the identity of its clients: it rejects mail
// at the right step, adds its results to the header of each message, and delivers to a
// Maildir. It relays nothing.
//
//	smtpd -name HOST -domain DOMAIN... -maildir DIR [flags]
//
// Try it:
//
//	smtpd -name mx.example.test -domain example.test -maildir /tmp/mail
//
// It serves until an interrupt or SIGTERM; clients then have ten seconds to finish.
// Without flags it runs a demonstration: it serves a few clients of its own, and ends.
//
// Exit status: 0 on success, 2 for bad flags or what it cannot read, serve or write.
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
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/internal/bounded"
)

//go:embed demo.zone
var demoZone string

const usage = `usage: smtpd [flags]
  -name HOST              the name of this host, for its banner and the fields it adds
  -domain DOMAIN          accept mail for this domain; repeatable
  -maildir DIR            deliver mail to this Maildir
  -listen ADDR:PORT       where to listen; 127.0.0.1:2525 by default
  -dns ADDR[:PORT]        ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE     answer from this zone file instead; repeatable
  -trusted PREFIX         do not judge clients of this network; repeatable
  -inner                  judge clients of private networks and of this machine, too
  -cert FILE, -key FILE   offer STARTTLS with this certificate, in PEM
  -reject-mail-from-fail  reject mail if the sender's SPF record denies the client
  -explain                quote SPF explanations in replies
  -connections N          connections at a time; 200 by default
  -per-client N           connections of one address at a time; 20 by default
  -timeout DURATION       for the lookups of each step; 20s by default
Without flags a demonstration runs.
Exit status: 0 success, 2 bad flags or what cannot be read, served or written.
`

// options holds the values of the flags.
type options struct {
	daemon.Options
	maildir   string
	domains   []string
	cert, key string
	tls       *tls.Config // nil offers no STARTTLS
	perClient int
}

func main() { command.Main("smtpd", run) }

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return demonstrate(ctx, stdout)
	}
	o := &options{}
	fs := command.NewFlags("smtpd")
	o.register(fs)
	if err := command.ParseAll(fs, args, usage, stdout); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	return o.Run(ctx, stdout, o.serve)
}

func (o *options) register(fs *flag.FlagSet) {
	o.Register(fs, "127.0.0.1:2525")
	fs.StringVar(&o.maildir, "maildir", "", "")
	fs.StringVar(&o.cert, "cert", "", "")
	fs.StringVar(&o.key, "key", "", "")
	command.Strings(fs, "domain", &o.domains)
	fs.BoolVar(&o.Verifier.AllowPrivate, "inner", false, "")
	fs.BoolVar(&o.Verifier.Policy.RejectMailFromFail, "reject-mail-from-fail", false, "")
	fs.BoolVar(&o.Verifier.Policy.Explain, "explain", false, "")
	fs.IntVar(&o.perClient, "per-client", 20, "")
}

// check returns an error for values that make no sense, and reads the certificate.
func (o *options) check() error {
	switch {
	case len(o.domains) == 0:
		return errors.New("-domain is missing: which domain's mail is accepted?")
	case o.maildir == "":
		return errors.New("-maildir is missing: where is mail delivered?")
	case o.perClient < 1:
		return errors.New("-per-client must be over 0")
	case (o.cert == "") != (o.key == ""):
		return errors.New("-cert and -key belong together")
	case o.cert != "":
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return err
		}
		o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	return o.Check()
}

// serve accepts mail from a listener until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	v := o.Judge()
	s := &server{verifier: v, name: o.Name, domains: o.domains, maildir: maildir(o.maildir), log: log}
	if err := s.maildir.open(); err != nil {
		return err
	}
	// Clients may finish what they began, so their work does not end with ctx.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	mta := smtp.NewServer(s)
	mta.Domain = o.Name
	mta.MaxRecipients = 100
	mta.MaxMessageBytes = 25 << 20
	mta.ReadTimeout, mta.WriteTimeout = 5*time.Minute, 5*time.Minute // RFC 5321, Section 4.5.3.2
	mta.EnableSMTPUTF8 = true
	mta.TLSConfig = o.tls
	mta.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	limited := &listener{Listener: l, ctx: work, verifier: v, maxOpen: o.Connections, maxPerAddr: o.perClient, openByAddr: make(map[netip.Addr]int)}
	return daemon.Serve(ctx, limited, log, mta)
}

// demonstrate serves a few clients of its own.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := demo.Read(demoZone)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "smtpd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o := &options{maildir: dir, domains: []string{"quay.example"}, perClient: 10}
	o.Name, o.Connections = "mx.quay.example", 10
	o.Verifier.Resolver, o.Verifier.AllowPrivate = zones, true
	addr, stop, err := daemon.Start(ctx, slog.New(slog.DiscardHandler), o.serve)
	if err != nil {
		return err
	}
	defer stop()
	for _, c := range []struct{ from, helo, sender string }{
		{"127.0.0.10", "post.harbour.example", "pilot@harbour.example"},
		{"127.0.0.10", "mta1.harbour.example", "pilot@pier.example"},
		{"127.0.0.20", "post.harbour.example", "pilot@harbour.example"},
		{"127.0.0.20", "pc.isp.example", "shop@www.harbour.example"},
		{"127.0.0.20", "pc.isp.example", "shop@harbour.example"},
	} {
		reply, err := send(addr, c.from, c.helo, c.sender, "master@quay.example",
			"Authentication-Results: mx.quay.example; spf=pass\r\nSubject: hello\r\n\r\nHello.\r\n")
		fmt.Fprintf(stdout, "%s, HELO %s, MAIL FROM:<%s>\n  %s\n", c.from, c.helo, c.sender, reply)
		if err != nil {
			return err
		}
	}
	if err := stop(); err != nil {
		return err
	}
	files, err := os.ReadDir(dir + "/new")
	if err != nil {
		return err
	}
	for _, f := range files {
		message, err := bounded.ReadFile(dir+"/new/"+f.Name(), 1<<20)
		if err != nil {
			return err
		}
		// Without the last field that was added, which has the date.
		head, _, _ := strings.Cut(string(message), "\r\nReceived:")
		fmt.Fprintf(stdout, "\ndelivered:\n%s\n", strings.ReplaceAll(head, "\r\n", "\n"))
	}
	return nil
}

// send sends one message to a server, and returns the reply that accepts or rejects it.
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
