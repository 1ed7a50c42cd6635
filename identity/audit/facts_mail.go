package audit

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// mailFacts is where mail for a name goes.
type mailFacts struct {
	mx      *nullmx.Result
	hosts   []*hostFacts
	skipped bool // there are more than nullmx.MaxTargets, and the others were not looked up
}

// hostFacts is a host that takes mail for a name: an exchanger, or the name itself.
type hostFacts struct {
	name      string
	ours      bool // to be judged: the organization's name or that of one of its MTAs, an alias of one, or a name with the address of an MTA
	responses []resolver.Response
	all       []netip.Addr     // see addrs
	rdns      []*fcrdns.Result // of the public addresses of an exchanger, if it is ours, up to maxJudged
}

// maxJudged is how many addresses of all hosts of a name are judged.
const maxJudged = 10

// nonexistent is a label that nobody has: what answers for it is a wildcard.
const nonexistent = "no-such-name-of-bonafide."

// gatherMail lists what to ask about mail that comes in.
func (a Auditor) gatherMail(ctx context.Context, f *facts, q *jobs) {
	for _, n := range f.names {
		n.mailRoute = enqueue(q, func() *mailFacts { return a.askMailRoute(ctx, f, n) })
		if n.mailDomain {
			n.wildcard = enqueue(q, func() []resolver.Response { return a.askWildcard(ctx, nonexistent+n.name) })
		}
	}
}

// askWildcard asks a name that nobody has for the records that matter to mail: MX, and, if it
// exists after all, A, AAAA and TXT.
func (a Auditor) askWildcard(ctx context.Context, name string) []resolver.Response {
	responses := []resolver.Response{resolver.Ask(ctx, a.Resolver, name, dns.TypeMX)}
	if responses[0].Status == resolver.NXDomain {
		return responses
	}
	questions := append(resolver.AddrQuestions(name), resolver.Question{Name: name, Type: dns.TypeTXT})
	return append(responses, resolver.AskAll(ctx, a.Resolver, questions...)...)
}

// askMailRoute asks where mail for a name goes, and, for a mail domain, how the hosts of the
// organization among them are named.
func (a Auditor) askMailRoute(ctx context.Context, f *facts, n *nameFacts) *mailFacts {
	m := &mailFacts{mx: nullmx.Checker{Resolver: a.Resolver}.Check(ctx, n.name)}
	if m.mx.Status == nullmx.Implicit {
		m.hosts = []*hostFacts{{name: n.name, responses: m.mx.Responses[1:]}}
	}
	for _, rr := range m.mx.MX {
		name := dnsname.CanonicalOrEmpty(rr.Mx)
		known := slices.ContainsFunc(m.hosts, func(h *hostFacts) bool { return h.name == name })
		switch {
		case name == "" || nullmx.IsNull(rr) || known:
		case len(m.hosts) == nullmx.MaxTargets:
			m.skipped = true
		default:
			m.hosts = append(m.hosts, &hostFacts{name: name})
		}
	}
	if m.mx.Status != nullmx.Implicit {
		var questions []resolver.Question
		for _, h := range m.hosts {
			questions = append(questions, resolver.AddrQuestions(h.name)...)
		}
		responses := resolver.AskAll(ctx, a.Resolver, questions...)
		for i, h := range m.hosts {
			h.responses = responses[2*i : 2*i+2]
		}
	}
	judged := make(map[netip.Addr]*fcrdns.Result)
	for _, h := range m.hosts {
		h.ours = f.isOurs(h)
		if !n.mailDomain || !h.ours || m.mx.Status == nullmx.Implicit {
			continue
		}
		for _, addr := range h.addrs() {
			if judged[addr] == nil && f.publicAddr(addr) && len(judged) < maxJudged {
				judged[addr] = fcrdns.Checker{Resolver: a.Resolver}.Check(ctx, addr)
			}
			if r := judged[addr]; r != nil {
				h.rdns = append(h.rdns, r)
			}
		}
	}
	return m
}

// isOurs reports whether a host is the organization's, by its name, the name that it is an
// alias of, or an address.
func (f *facts) isOurs(h *hostFacts) bool {
	names := []string{h.name}
	for _, response := range h.responses {
		for _, rr := range response.Chain {
			if cname, ok := rr.(*dns.CNAME); ok {
				names = append(names, dnsname.CanonicalOrEmpty(cname.Target))
			}
		}
	}
	return slices.ContainsFunc(names, f.owns) || slices.ContainsFunc(f.mtas, func(m *mtaFacts) bool {
		return m.ptr != "" && slices.Contains(names, m.ptr) || m.name != nil && slices.Contains(names, m.name.name) ||
			slices.ContainsFunc(m.addresses, func(a *addressFacts) bool { return slices.Contains(h.addrs(), a.addr) })
	})
}

// addrs returns the addresses of a host, sorted.
func (h *hostFacts) addrs() []netip.Addr {
	if h.all == nil {
		for _, response := range h.responses {
			h.all = append(h.all, response.Addrs()...)
		}
		slices.SortFunc(h.all, netip.Addr.Compare)
		h.all = slices.Compact(h.all)
	}
	return h.all
}

// unknown reports whether an address of a host may not be known. A name whose aliases never
// end has none.
func (h *hostFacts) unknown() bool {
	return slices.ContainsFunc(h.responses, func(r resolver.Response) bool {
		return r.Err != nil && !errors.Is(r.Err, resolver.ErrChain)
	})
}

// publicAddr reports whether the public DNS can speak of an address.
func (f *facts) publicAddr(addr netip.Addr) bool {
	class, _ := address.ClassOf(addr)
	return f.publicClass(class)
}

// evidence returns what DNS said about where mail for a name goes, without reverse names.
func (m *mailFacts) evidence() []resolver.Response {
	out := slices.Clone(m.mx.Responses)
	if m.mx.Status != nullmx.Implicit {
		for _, h := range m.hosts {
			out = append(out, h.responses...)
		}
	}
	return out
}
