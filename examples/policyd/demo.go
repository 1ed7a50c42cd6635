package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/demo"
)

// demonstrate answers a few requests of its own.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	zones, err := demo.Read(demo.ClientsZone)
	if err != nil {
		return err
	}
	o := &options{idle: time.Minute, field: "X-Results-SECRET"}
	o.Name, o.Domains, o.Connections, o.Verifier.Resolver = "mx.quay.example", []string{"quay.example"}, 10, zones
	dial, stop := daemon.Start(ctx, slog.New(slog.DiscardHandler), o.serve)
	defer stop()
	conn, err := dial("192.0.2.1")
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for i, q := range demo.Clients {
		fmt.Fprintf(conn, "request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=%d\nclient_address=%s\nhelo_name=%s\nsender=%s\nrecipient=%s\n\n", i, q.Addr, q.Helo, q.Sender, q.Recipient)
		action, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		r.ReadString('\n')
		fmt.Fprintf(stdout, "%s\n  %s", q, action)
	}
	return nil
}
