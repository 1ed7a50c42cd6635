package draft

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An asker asks each question once, and no more than a draft may. The records of an answer
// are sorted, so that nothing depends on their order.
type asker struct {
	resolver resolver.Resolver
	domain   string // for the error
	mu       sync.Mutex
	answers  map[resolver.Question]resolver.Response
	over     error // there were too many questions
}

// Lookup answers a question.
func (a *asker) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	q := resolver.Question{Name: name, Type: qtype}
	a.mu.Lock()
	defer a.mu.Unlock()
	if response, ok := a.answers[q]; ok {
		return response.Answer, response.Err
	}
	if len(a.answers) == maxDraftQuestions {
		a.over = fmt.Errorf("more than %d questions: %s is too large for a draft", maxDraftQuestions, a.domain)
		return resolver.Answer{}, a.over
	}
	response := resolver.Ask(ctx, a.resolver, name, qtype)
	if response.Err != nil && ctx.Err() != nil { // an SPF check that is decided needs no more answers
		return response.Answer, response.Err
	}
	response.Records = sorted(response.Records)
	a.answers[q] = response
	return response.Answer, response.Err
}

// exhausted returns the error if there were too many questions.
func (a *asker) exhausted() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// sorted returns records in the order of their text, exchangers by their preference first.
func sorted(records []dns.RR) []dns.RR {
	if len(records) < 2 {
		return records
	}
	type keyed struct {
		rank uint16
		key  string
		rr   dns.RR
	}
	all := make([]keyed, len(records))
	for i, rr := range records {
		all[i] = keyed{key: rr.String(), rr: rr}
		if mx, ok := rr.(*dns.MX); ok {
			all[i].rank, all[i].key = mx.Preference, mx.Mx
		}
	}
	slices.SortFunc(all, func(a, b keyed) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.key, b.key)) })
	out := make([]dns.RR, len(all))
	for i := range all {
		out[i] = all[i].rr
	}
	return out
}

// addrsOf returns the addresses of a name, and the name at the end of its aliases.
func (d *draft) addrsOf(ctx context.Context, name string) (addrs []netip.Addr, end string, err error) {
	addrs, err = resolver.LookupAddrs(ctx, d.resolver, name)
	return addrs, d.endOf(ctx, name, dns.TypeA, dns.TypeAAAA), err
}

// endOf returns the name at the end of the aliases of a name, as the answers to questions
// of some types show it.
func (d *draft) endOf(ctx context.Context, name string, qtypes ...uint16) string {
	for _, qtype := range qtypes {
		chain := resolver.Ask(ctx, d.resolver, name, qtype).Chain
		for _, rr := range slices.Backward(chain) {
			if cname, ok := rr.(*dns.CNAME); ok {
				return dnsname.CanonicalOrEmpty(cname.Target)
			}
		}
	}
	return name
}
