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

// An asker remembers answers, so that a question has one answer in a draft, and asks no more
// questions than a draft may. The records of an answer are sorted, so that nothing depends on
// their order.
type asker struct {
	resolver resolver.Resolver
	domain   string // for the error
	mu       sync.Mutex
	asked    map[resolver.Question]bool
	answers  map[resolver.Question]resolver.Response
	over     error // there were too many questions
}

// Lookup answers a question. Its callers may ask at once: it holds no lock while it waits.
func (a *asker) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	q := resolver.Question{Name: name, Type: qtype}
	response, ok, err := a.remembered(q)
	if err != nil {
		return resolver.Answer{}, err
	}
	if ok {
		return response.Answer, response.Err
	}
	response = resolver.Ask(ctx, a.resolver, name, qtype)
	if response.Err != nil && ctx.Err() != nil { // an SPF check that is decided needs no more answers
		return response.Answer, response.Err
	}
	response.Records = sorted(response.Records)
	a.mu.Lock()
	defer a.mu.Unlock()
	if first, ok := a.answers[q]; ok { // to another caller
		return first.Answer, first.Err
	}
	a.answers[q] = response
	return response.Answer, response.Err
}

// remembered returns the answer to a question, if there is one, or the error for a question
// too many.
func (a *asker) remembered(q resolver.Question) (response resolver.Response, ok bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	response, ok = a.answers[q]
	if !ok && !a.asked[q] && len(a.asked) == maxDraftQuestions {
		a.over = fmt.Errorf("more than %d questions: %s is too large for a draft", maxDraftQuestions, a.domain)
		return resolver.Response{}, false, a.over
	}
	a.asked[q] = true
	return response, ok, nil
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
