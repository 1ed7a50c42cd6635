package draft_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/draft"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The work grows with the answers, and what a draft says about them does not.
func TestHostileDNS(t *testing.T) {
	cost.Linear(t, hostile.PerMessage/40, func(n int) any {
		world, hosts := hostile.DNS(n), hostile.DNS(250)
		few := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if qtype == dns.TypePTR || qtype == dns.TypeTXT && name != "example.test." {
				return resolver.Answer{}, nil
			}
			if qtype == dns.TypeA || qtype == dns.TypeAAAA {
				return hosts.Lookup(ctx, name, qtype)
			}
			a, err := world.Lookup(ctx, name, qtype)
			if qtype == dns.TypeTXT { // the senders of a, which are many
				rr := &dns.TXT{Hdr: a.Records[0].(*dns.TXT).Hdr, Txt: []string{"v=spf1 a mx a:other.test", strings.Repeat(" ptr", 50), " -all"}}
				a.Records = append([]dns.RR{rr}, a.Records[1:]...)
			}
			return a, err
		})
		o, comments, err := draft.FromDNS(t.Context(), few, "example.test", []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, c := range comments {
			size += len(c.Path) + len(c.Text)
		}
		if len(comments) > 1001 || size > 600<<10 || len(o.Mail[0].Networks) > 1000 {
			t.Errorf("%d records: %d comments of %d octets, %d networks", n, len(comments), size, len(o.Mail[0].Networks))
		}
		t.Logf("%d records: %d comments of %d octets, %d networks", n, len(comments), size, len(o.Mail[0].Networks))
		return o
	})
}

// A description that lacks senders would make a plan deny them.
func TestTooManyNetworks(t *testing.T) {
	r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if qtype == dns.TypeTXT && name == "example.test." {
			rr := &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}, Txt: []string{"v=spf1 a:other.test -all"}}
			return resolver.Answer{Records: []dns.RR{rr}}, nil
		}
		if name == "other.test." {
			return hostile.DNS(1200).Lookup(ctx, name, qtype)
		}
		return resolver.Answer{}, nil
	})
	_, _, err := draft.FromDNS(t.Context(), r, "example.test", []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil)
	if err == nil || err.Error() != "draft: more than 1000 networks send for example.test.: too many for a draft" {
		t.Error(err)
	}
}

// The context ends a draft.
func TestHeedsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	cancel(stop)
	r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		return resolver.Answer{}, context.Cause(ctx)
	})
	if _, _, err := draft.FromDNS(ctx, r, "example.test", nil, nil); !errors.Is(err, stop) {
		t.Error(err)
	}
}
