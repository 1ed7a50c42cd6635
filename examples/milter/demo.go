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

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
)

// demonstrate judges a few clients of its own.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		return err
	}
	o := &options{idle: time.Minute}
	o.Name, o.Domains, o.Connections, o.Verifier.Resolver = "mx.quay.example", []string{"quay.example"}, 10, zones
	dial, stop := daemon.Start(ctx, slog.New(slog.DiscardHandler), o.serve)
	defer stop()
	for _, c := range demo.Clients {
		done, err := offer(dial, c, "Authentication-Results", " mx.quay.example; spf=pass", "Subject", " hello")
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s\n%s\n", c, strings.Join(done, "\n"))
	}
	return nil
}

// A dialer is the mail server's, at an address of its own.
type dialer struct{ dial daemon.Dial }

func (d dialer) Dial(string, string) (net.Conn, error) { return d.dial("192.0.2.1") }

// begin begins a session of a mail server with the milter.
func begin(dial daemon.Dial, macros milter.Macros) (*milter.ClientSession, error) {
	return milter.NewClient("", "", milter.WithActions(milter.AllClientSupportedActionMasks), milter.WithDialer(dialer{dial})).Session(macros)
}

// offer sends one message to the milter, with alternating names and values of its header,
// and returns the actions of the milter, one a line.
func offer(dial daemon.Dial, c demo.Client, header ...string) (done []string, err error) {
	s, err := begin(dial, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	steps := []func() (*milter.Action, error){
		func() (*milter.Action, error) { return s.Conn("unknown", milter.FamilyInet, 25, c.Addr) },
		func() (*milter.Action, error) { return s.Helo(c.Helo) },
		func() (*milter.Action, error) { return s.Mail(c.Sender, "") },
		func() (*milter.Action, error) { return s.Rcpt(c.Recipient, "") },
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
