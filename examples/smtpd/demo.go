package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
	"github.com/bonafide-mta/bonafide/internal/bounded"
)

// demonstrate serves a few clients of its own.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "smtpd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o := &options{maildir: dir, perClient: 10}
	o.Name, o.Domains, o.Connections, o.Verifier.Resolver = "mx.quay.example", []string{"quay.example"}, 10, zones
	dial, stop := daemon.Start(ctx, slog.New(slog.DiscardHandler), o.serve)
	defer stop()
	for _, c := range demo.Clients {
		reply, err := send(dial, c, "Authentication-Results: mx.quay.example; spf=pass\r\nSubject: hello\r\n\r\nHello.\r\n")
		fmt.Fprintf(stdout, "%s\n  %s\n", c, reply)
		if err != nil {
			return err
		}
	}
	if err := stop(); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "new", "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		message, err := bounded.ReadFile(file, 1<<20)
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
func send(dial daemon.Dial, client demo.Client, message string) (string, error) {
	conn, err := dial(client.Addr)
	if err != nil {
		return "", err
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	err = c.Hello(client.Helo)
	if err == nil {
		err = c.Mail(client.Sender, nil)
	}
	if err == nil {
		err = c.Rcpt(client.Recipient, nil)
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
