package flow

import (
	"cmp"
	"maps"
	"net/netip"
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
	{"*._tcp.", Flow{Kind: Helo, Sign: TLSA}}, // of port 25, too
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
		if f.Sign != SPF { // else Authorizer knows
			addLeast(names, r.Locate(name), name)
		}
	}
	for _, f := range r.flows {
		if f.Sign == CSA { // of a client that has an address of the target
			addLeast(names, r.Locate(f.Host), f.Name)
		}
	}
	for at, name := range names {
		if n := r.Node(at); n != nil {
			for _, addr := range n.Addrs {
				addLeast(r.servers, addr, name)
			}
		}
	}
}

// addObservations adds what clients were observed to say in HELO.
func (r *reader) addObservations(observed []Observation) {
	said := make(map[netip.Addr]string)
	for _, o := range observed {
		arg, err := helo.Parse(o.Helo)
		if err != nil || arg.Name == "" {
			continue
		}
		addr := o.Addr.Unmap()
		r.add(Flow{Kind: Helo, Name: arg.Name, Net: single(addr), Sign: Observed})
		addLeast(said, addr, arg.Name)
	}
	for addr, name := range said {
		r.servers[addr] = cmp.Or(r.servers[addr], name)
	}
}

// addNetworks adds the addresses that the terms a and mx of SPF records authorize, those of
// each name once for each prefix length.
func (r *reader) addNetworks() {
	type network struct {
		node string
		bits int
		is4  bool
	}
	done := make(map[network]bool)
	expand := func(host, owner string, f Flow) {
		n := r.Node(r.Locate(host))
		if n == nil {
			return
		}
		for _, is4 := range []bool{true, false} {
			of := network{n.Name, int(f.Len6), is4}
			if is4 {
				of.bits = int(f.Len4)
			}
			if done[of] {
				continue
			}
			done[of] = true
			for _, addr := range n.Addrs {
				if p, err := addr.Prefix(cmp.Or(of.bits, addr.BitLen())); err == nil && addr.Is4() == is4 {
					addLeast(r.networks, p, owner)
				}
			}
		}
	}
	byOwner := func(a, b term) int {
		return cmp.Or(dnsname.Compare(r.terms[a], r.terms[b]), dnsname.Compare(a.domain, b.domain))
	}
	for _, t := range slices.SortedFunc(maps.Keys(r.terms), byOwner) {
		f := Flow{Len4: t.len4, Len6: t.len6}
		if !t.mx {
			expand(t.domain, r.terms[t], f)
			continue
		}
		for _, e := range r.exchangersOfSPF(t.domain) {
			expand(e.to, r.terms[t], f)
		}
	}
	bits := make(map[int]bool)
	for p := range r.networks {
		bits[p.Bits()] = true
	}
	r.lengths = slices.Sorted(maps.Keys(bits))
}

// addPTRs adds the PTR names of addresses that mail servers have, and those below the domain
// of an SPF mechanism ptr.
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
	for _, e := range r.ptrs {
		if len(r.ptrTerms) == 0 {
			break
		}
		for at := e.to; at != ""; at = dnsname.Parent(at) { // RFC 7208, Section 5.5
			if owner, ok := r.ptrTerms[at]; ok {
				r.addHost(Flow{Kind: Helo, Name: e.to, Sign: SPF, By: owner})
				break
			}
		}
	}
	r.ptrs = nil
}

// finish gives the flows their nodes, and sorts them.
func (r *reader) finish() {
	for _, f := range r.hosts {
		r.flows = append(r.flows, f)
	}
	for i, f := range r.flows {
		at := f.Name
		if f.Sign == Include {
			at = f.Host
		}
		r.flows[i].Node = r.Locate(at)
	}
	slices.SortFunc(r.flows, compareFlows)
	r.flows = slices.Compact(r.flows)
}
