package plan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
	"github.com/bonafide-mta/bonafide/resolver"
)

func nothing(t *testing.T) *plan.Published {
	t.Helper()
	pub, err := plan.FromZones(resolver.SeqOf())
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// fleet describes n MTAs and n names without mail.
func fleet(n int) *org.Organization {
	o := &org.Organization{Domain: "example.test"}
	for i := range n {
		o.MTAs = append(o.MTAs, org.MTA{
			ID: fmt.Sprintf("m%d", i), PTR: fmt.Sprintf("p%d.example.test", i), Helo: fmt.Sprintf("m%d.example.test", i),
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{198, 51, byte(100 + i>>8), byte(i)})},
		})
		o.Names = append(o.Names, fmt.Sprintf("n%d.example.test", i))
	}
	return o
}

// write plans, and writes what the plan says in every form.
func write(t *testing.T, o *org.Organization, pub *plan.Published) *plan.Plan {
	t.Helper()
	p, err := plan.New(o, pub, plan.Options{Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, s := range p.Steps {
		err = errors.Join(err, plan.WriteZone(&b, s.Changes), plan.WriteLetter(&b, s.Changes))
		plan.WriteUpdate(&b, s.Changes) // refuses what is too long for a message
	}
	if err := errors.Join(err, p.WriteText(&b), p.WriteJSON(&b)); err != nil {
		t.Fatal(err)
	}
	return p
}

// The work grows with the records of an answer, with the description and with a zone as
// they grow, not with their square.
func TestGrowth(t *testing.T) {
	t.Run("answers", func(t *testing.T) {
		cost.Linear(t, hostile.PerMessage/10, func(n int) any {
			pub, err := nothing(t).WithAnswers(t.Context(), hostile.DNS(n), fleet(1))
			if err != nil {
				t.Fatal(err)
			}
			p := write(t, fleet(1), pub)
			if _, err := p.Overlay(hostile.DNS(n)); err != nil {
				t.Fatal(err)
			}
			return p
		})
	})
	t.Run("description", func(t *testing.T) {
		cost.Linear(t, 30, func(n int) any { return write(t, fleet(n), nothing(t)) })
	})
	t.Run("zone", func(t *testing.T) {
		cost.Linear(t, 300, func(n int) any {
			var text strings.Builder
			text.WriteString("$ORIGIN example.test.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n* A 192.0.2.1\n* MX 10 @\n")
			for i := range n {
				fmt.Fprintf(&text, "h%d A 192.0.2.1\nm0 A 10.0.%d.%d\n", i, i>>8, i&255)
			}
			zones, err := resolver.ParseZones(text.String())
			if err != nil {
				t.Fatal(err)
			}
			pub, err := plan.FromZones(zones.Records())
			if err != nil {
				t.Fatal(err)
			}
			p := write(t, fleet(20), pub)
			if _, err := p.Overlay(zones); err != nil {
				t.Fatal(err)
			}
			return p
		})
	})
}

// A context that ends while the answers come in ends WithAnswers with its cause.
func TestAnswersHeedContext(t *testing.T) {
	stop := errors.New("enough")
	for _, last := range []int{1, 10, 25} {
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := make(chan struct{}, last)
		r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			select {
			case asked <- struct{}{}:
			default:
				cancel(stop)
			}
			return resolver.Answer{}, nil // whatever the context says
		})
		if _, err := nothing(t).WithAnswers(ctx, r, fleet(5)); !errors.Is(err, stop) {
			t.Errorf("after %d questions: %v", last, err)
		}
	}
}

// Apply removes and adds records by their data, each once.
func TestApplySets(t *testing.T) {
	rr := func(text string) dns.RR {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		return rr
	}
	soa, old, kept := rr("z.test. 60 SOA ns.z.test. h.z.test. 1 2 3 4 5"), rr("z.test. 60 MX 10 old.test."), rr("z.test. 60 MX 20 Kept.test.")
	after := []dns.RR{rr("z.test. 60 MX 30 new.test."), rr("z.test. 60 MX 20 kept.test.")}
	out := plan.Apply([]dns.RR{soa, old, kept, kept}, []plan.Change{{Zone: "z.test.", Name: "z.test.", Type: dns.TypeMX, After: after}})
	if len(out) != 3 || out[1] != kept || out[2] != after[0] {
		t.Errorf("%v", out)
	}
}
