package dnssource

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A Transfer is a value of -axfr: a zone and the server that transfers it.
type Transfer struct {
	Zone   string // canonical; "" if the value names only a server
	Server netip.AddrPort
}

// ParseTransfer reads ZONE=ADDR[:PORT], or ADDR[:PORT] alone.
func ParseTransfer(value string) (Transfer, error) {
	var t Transfer
	zone, address, named := strings.Cut(value, "=")
	if !named {
		address = value
	}
	var err error
	if named {
		t.Zone, err = resolver.Canonical(zone)
	}
	if err == nil {
		t.Server, err = resolver.ParseServer(address)
	}
	if err != nil {
		return Transfer{}, fmt.Errorf("-axfr %s: %w", value, err)
	}
	return t, nil
}

// Records yields the records of the zone as the server sends them.
func (t Transfer) Records(ctx context.Context) iter.Seq2[dns.RR, error] {
	return resolver.Transfer(ctx, t.Server, t.Zone)
}
