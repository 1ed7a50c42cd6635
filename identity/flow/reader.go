package flow

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// policies are the names, before a name, of records that show what it has to do with mail.
var policies = []struct {
	label string
	flow  Flow
}{
	{"_dmarc.", Flow{Kind: Sender, Sign: DMARC}},
	{"_domainkey.", Flow{Kind: Sender, Sign: DKIM}},
	{"_mta-sts.", Flow{Kind: Inbound, Sign: MTASTS}},
	{"_smtp._tls.", Flow{Kind: Inbound, Sign: TLSRPT}},
	{"_25._tcp.", Flow{Kind: Helo, Sign: TLSA}},
}

// addPolicy adds what a record at a name with an underscore shows about the name below which
// it is.
func (r *reader) addPolicy(owner string, rr dns.RR) {
	for _, p := range policies {
		at := strings.Index(owner, p.label)
		if at < 0 || at > 0 && (owner[at-1] != '.' || p.flow.Sign != DKIM) {
			continue
		}
		f := p.flow
		f.Name, f.By = owner[at+len(p.label):], owner
		switch {
		case !shows(f.Sign, rr, at == 0):
		case f.Kind == Helo:
			r.addHost(f)
		default:
			r.add(f)
		}
	}
}

// shows reports whether a record is a sign of mail: the record itself, or an alias or a
// delegation to what somebody else keeps. A policy that rejects, and a key that is revoked,
// are what a name without mail has.
func shows(s Sign, rr dns.RR, atLabel bool) bool {
	switch rr := rr.(type) {
	case *dns.NS, *dns.CNAME, *dns.DNAME:
		return true
	case *dns.TLSA:
		return s == TLSA
	case *dns.TXT:
		text := txt.Join(rr.Txt)
		switch s {
		case DMARC:
			return tag(text, "v") == "DMARC1" && !strings.EqualFold(tag(text, "p"), "reject")
		case DKIM: // RFC 6376, Section 3.6.1: an empty key is revoked
			return !atLabel && tag(text, "p") != ""
		case MTASTS:
			return tag(text, "v") == "STSv1"
		case TLSRPT:
			return tag(text, "v") == "TLSRPTv1"
		}
	}
	return false
}

// tag returns the value of a tag in a list of tags (RFC 6376, Section 3.2), "" if it is not
// there.
func tag(text, name string) string {
	for field := range strings.SplitSeq(text, ";") {
		if key, value, ok := strings.Cut(field, "="); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// addServers adds the addresses of the hosts that take or send mail.
func (r *reader) addServers() {
	names := make(map[string]string) // of nodes, the first host that is tied to mail
	for name, f := range r.hosts {
		if f.Sign == SPF {
			continue // Authorizer knows
		}
		at := r.Locate(cmp.Or(f.Host, name))
		if old, ok := names[at]; !ok || dnsname.Compare(name, old) < 0 {
			names[at] = name
		}
	}
	for at, name := range names {
		n := r.Node(at)
		if n == nil {
			continue
		}
		for _, addr := range n.Addrs {
			if first := r.servers[addr]; first == "" || dnsname.Compare(name, first) < 0 {
				r.servers[addr] = name
			}
		}
	}
}

// addObservations adds what clients were observed to say in HELO.
func (r *reader) addObservations(observed []Observation) {
	for _, o := range observed {
		arg, err := helo.Parse(o.Helo)
		if err != nil || arg.Name == "" {
			continue
		}
		addr := o.Addr.Unmap()
		r.add(Flow{Kind: Helo, Name: arg.Name, Net: single(addr), Sign: Observed})
		r.servers[addr] = cmp.Or(r.servers[addr], arg.Name)
	}
}

// addNetworks adds the addresses that the terms a and mx of SPF records authorize, those of
// each name once.
func (r *reader) addNetworks() {
	done := make(map[term]bool)
	expand := func(t term, owner string) {
		t.domain, t.mx = r.Locate(t.domain), false
		n := r.Node(t.domain)
		if done[t] || n == nil {
			return
		}
		done[t] = true
		f := Flow{Len4: t.len4, Len6: t.len6}
		for _, addr := range n.Addrs {
			if p, err := addr.Prefix(cmp.Or(f.lenOf(addr), addr.BitLen())); err == nil {
				r.addNetwork(p, owner)
			}
		}
	}
	byOwner := func(a, b term) int {
		return cmp.Or(dnsname.Compare(r.terms[a], r.terms[b]), dnsname.Compare(a.domain, b.domain))
	}
	for _, t := range slices.SortedFunc(maps.Keys(r.terms), byOwner) {
		if !t.mx {
			expand(t, r.terms[t])
			continue
		}
		for _, host := range r.exchangers(r.Locate(t.domain)) {
			expand(term{domain: host, len4: t.len4, len6: t.len6}, r.terms[t])
		}
	}
	for p := range r.networks {
		if !slices.Contains(r.lengths, p.Bits()) {
			r.lengths = append(r.lengths, p.Bits())
		}
	}
	slices.Sort(r.lengths)
}

// addPTRs adds the PTR names of addresses that mail servers have.
func (r *reader) addPTRs() {
	slices.SortFunc(r.ptrs, func(a, b edge) int { return cmp.Or(dnsname.Compare(a.from, b.from), dnsname.Compare(a.to, b.to)) })
	for addr, server := range r.servers {
		at := r.Locate(dnsname.Reverse(addr)) // an alias, in the way of RFC 2317
		i, _ := slices.BinarySearchFunc(r.ptrs, at, func(e edge, at string) int { return dnsname.Compare(e.from, at) })
		for ; i < len(r.ptrs) && r.ptrs[i].from == at; i++ {
			if r.ptrs[i].to != "" {
				r.add(Flow{Kind: Helo, Name: r.ptrs[i].to, Net: single(addr), Sign: PTR, By: server})
			}
		}
	}
	r.ptrs = nil
}

// finish gives the flows their nodes, and sorts them.
func (r *reader) finish() {
	r.flows = make([]Flow, 0, len(r.hosts)+len(r.other))
	for _, f := range r.hosts {
		f.Node = r.Locate(f.Name)
		r.flows = append(r.flows, f)
	}
	for f := range r.other {
		f.Node = f.Name
		if f.Sign == Include {
			f.Node = f.Host
		}
		if f.Node = r.Locate(f.Node); f.Node != "" {
			r.flows = append(r.flows, f)
		}
	}
	slices.SortFunc(r.flows, compareFlows)
}
