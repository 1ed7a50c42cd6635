//go:build interop

package mtas_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
)

// checkMailboxes asks Postfix for the mailboxes of its own domain, where it accepts every
// address, for those of another, which it refuses to relay to, and as a client that it
// refuses.
func (p postfix) checkMailboxes(t *testing.T) {
	t.Helper()
	zones, err := resolver.ParseZones("$ORIGIN .\n$TTL 300\nreceiver.test MX 10 mx.receiver.test.\nmx.receiver.test A 127.0.0.1\nisp.test MX 10 mx.receiver.test.")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		domain, from string
		status       roleaddr.Status
		catchAll     bool
		bare         roleaddr.Status
	}{
		{"receiver.test", "192.0.2.10", roleaddr.Pass, true, roleaddr.Pass},
		{"isp.test", "192.0.2.10", roleaddr.PermError, false, roleaddr.Pass},
		{"receiver.test", "192.0.2.21", roleaddr.TempError, false, roleaddr.Pass}, // no reverse name: 450
	} {
		dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tt.from), 0))}
		r := roleaddr.Checker{Resolver: zones, Helo: "smtp.example.test", AllowPrivate: true, Dial: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", "127.0.0.1:2501")
		}}.Check(t.Context(), tt.domain)
		if len(r.Mailboxes) != 3 || r.Status != tt.status || r.CatchAll != tt.catchAll || r.Mailboxes[2].Status != tt.bare {
			t.Errorf("%s from %s: %s, catch-all %v, %v\n%v", tt.domain, tt.from, r.Status, r.CatchAll, r.Mailboxes, r.Replies)
		}
		t.Logf("%s from %s: %s, catch-all %v, %v", tt.domain, tt.from, r.Status, r.CatchAll, r.Mailboxes)
	}
}
