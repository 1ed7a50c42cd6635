// Smtpd is a small mail server that verifies the identity of its clients: it refuses mail
// if that is advised, adds its results to the header of each message, and delivers to a
// Maildir. It relays nothing.
//
//	smtpd -name HOST -domain DOMAIN... -maildir DIR [flags]
//
// Try it:
//
//	smtpd -name mx.example.test -domain example.test -maildir /tmp/mail
//
// It judges a client at MAIL FROM, and replies at RCPT TO: postmaster and abuse of -domain
// and -name get through whatever the verdict is, ten such recipients in one connection. Mail
// for <Postmaster> without a domain is accepted before STARTTLS; after it, clients must give
// a domain. A client that has used up what may be asked about one connection gets 421, and
// its connection is closed.
//
// The file of -policy, in YAML or JSON, has the actions for reasons and levels of package
// identity. docs/decisions.md lists the reasons with their default actions, and who is hurt by
// stricter ones. IPv6 addresses need quotes in YAML.
//
//	reasons:
//	  no-ptr: reject
//	  unconfirmed: reject
//	  reverse-unknown: defer
//	  mail-from-fail: reject
//	levels:
//	  forged: reject
//	exceptions:
//	  - {network: 192.0.2.0/28, for: [no-ptr], why: their provider sets no PTR records, until: 2027-01-31}
//	  - {network: "2001:db8:25::/48", for: [no-ptr, unconfirmed], why: their new data center}
//	  - {name: partner.example, why: forwards the mail of our alumni}
//	report_only: true # accept what would be refused, and log the action as withheld
//
// It serves until an interrupt or SIGTERM; clients then have ten seconds to finish.
// Without flags it runs a demonstration: it serves a few clients of its own, and ends.
//
// Exit status: 0 on success, 2 for bad flags or what it cannot read, serve or write.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/examples/internal/command"
	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/internal/bounded"
)

const usage = `usage: smtpd [flags]
  -name HOST              the name of this host, for its banner and the fields it adds
  -domain DOMAIN          accept mail for this domain; repeatable. Its postmaster and
                          abuse, and those of HOST, accept mail from everybody
  -maildir DIR            deliver mail to this Maildir
  -listen ADDR:PORT       where to listen; 127.0.0.1:2525 by default
  -dns ADDR[:PORT]        ask this DNS server; those of /etc/resolv.conf by default
  -zone [ORIGIN=]FILE     answer from this zone file instead; repeatable
  -trusted PREFIX         do not judge clients of this network; repeatable
  -inner                  judge clients of private networks and of this machine, too
  -cert FILE, -key FILE   offer STARTTLS with this certificate, in PEM
  -policy FILE            what to do about what is found, in YAML or JSON
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
	fs.BoolVar(&o.Verifier.AllowPrivate, "inner", false, "")
	fs.BoolVar(&o.Verifier.Policy.Explain, "explain", false, "")
	fs.IntVar(&o.perClient, "per-client", 20, "")
}

// check returns an error for values that make no sense, and reads the certificate.
func (o *options) check() error {
	switch {
	case len(o.Domains) == 0:
		return errors.New("-domain is missing: which domain's mail is accepted?")
	case o.maildir == "":
		return errors.New("-maildir is missing: where is mail delivered?")
	case o.perClient < 1:
		return errors.New("-per-client must be over 0")
	case (o.cert == "") != (o.key == ""):
		return errors.New("-cert and -key belong together")
	case o.cert != "":
		if err := o.readCertificate(); err != nil {
			return err
		}
	}
	return o.Check()
}

func (o *options) readCertificate() error {
	const most = 1 << 20 // octets, of a chain
	cert, err := bounded.ReadFile(o.cert, most)
	if err != nil {
		return err
	}
	key, err := bounded.ReadFile(o.key, most)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", o.cert, o.key, err)
	}
	o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	return nil
}

// serve accepts mail from a listener until the context ends.
func (o *options) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	v := o.Judge()
	s := &server{name: o.Name, domains: o.Domains, maildir: maildir(o.maildir), log: log}
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
	limited := &listener{Listener: l, ctx: work, verifier: v, name: o.Name, roles: o.Roles(), maxOpen: o.Connections, maxPerAddr: o.perClient, openByAddr: make(map[netip.Addr]int)}
	return daemon.Serve(ctx, limited, log, mta)
}
