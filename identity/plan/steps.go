package plan

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Stage is one of the steps that a plan may have, which are in this order so that
// none of them turns away mail that was accepted before. The zero Stage is invalid.
type Stage uint8

// The stages. Confirm, Observe and Quiet are gates: something to wait for.
const (
	_            Stage = iota
	Prepare            // addresses of PTR and HELO names, SPF and RP records of HELO names, contacts
	Authorize          // CSA records of HELO names, which deny what their addresses do not have yet
	Reverse            // PTR records
	Confirm            // every address has a name that leads back to it
	SetHelo            // the MTAs are told what to say in HELO
	Observe            // they have been seen to say it, from every address
	CheckSenders       // nothing sends as user@ a name of an MTA's addresses that will be locked
	Lock               // PTR names are locked; old PTR records go
	Envelope           // SPF records of mail domains, and MX records of those without any
	NoMail             // names without mail say so
	Policy             // the CSA policy of the domain
)

var stageText = []string{
	Prepare: "prepare", Authorize: "authorize", Reverse: "reverse", Confirm: "confirm", SetHelo: "set-helo", Observe: "observe", CheckSenders: "check-senders",
	Lock: "lock", Envelope: "envelope", NoMail: "no-mail", Policy: "policy",
}

// String returns the name of the stage in lower case.
func (s Stage) String() string { return enum.String(s, stageText) }

// MarshalText returns the text of String; an invalid Stage is an error.
func (s Stage) MarshalText() ([]byte, error) { return enum.Marshal(s, stageText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Stage) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, stageText) }

// A Step is what is to be done, or to be waited for, before the next step.
type Step struct {
	Stage   Stage
	Changes []Change // in the order of their names
	Hosts   []Host   // of Confirm, Greet and Observe: what they are about
	Names   []string // of Quiet: the names that nothing shall send as, sorted
}

// Gate reports whether the step only waits.
func (s Step) Gate() bool { return s.Stage == Confirm || s.Stage == Observe || s.Stage == CheckSenders }

// Owners returns who has to do something, each once.
func (s Step) Owners() []Owner {
	var out []Owner
	if s.Stage == SetHelo {
		out = append(out, OwnerMTA)
	}
	for _, c := range s.Changes {
		out = append(out, c.Owner)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A Host is an MTA by what others see of it.
type Host struct {
	MTA   string       // its ID
	Addrs []netip.Addr // those that the public DNS may hold
	PTR   string       // the name that its addresses have by the plan; "" when not decided
	Helo  string       // what it shall say in HELO, canonical; "" where that is no name
	// Observed is what it was observed to say from its addresses, sorted by them; those
	// that nobody saw are not in it. Line is 0: Options does not tell where it was seen.
	Observed []flow.Observation
}

// steps puts the changes in order, with the gates between them. A gate that is passed,
// or that nothing waits for, is left out.
func (p *Plan) steps(observed map[netip.Addr]string) {
	at := make(map[Stage]*Step)
	step := func(s Stage) *Step {
		if at[s] == nil {
			at[s] = &Step{Stage: s}
		}
		return at[s]
	}
	hosts := hosts(p.Organization)
	for i, h := range hosts {
		for _, addr := range slices.SortedFunc(slices.Values(h.Addrs), netip.Addr.Compare) {
			if said, seen := observed[addr]; seen {
				hosts[i].Observed = append(hosts[i].Observed, flow.Observation{Addr: addr, Helo: said})
			}
		}
	}
	for _, c := range p.Changes {
		parts := p.splitChange(c, hosts, observed)
		s := step(p.stage(parts[0], hosts, observed))
		s.Changes = append(s.Changes, parts[0])
		for _, narrowed := range parts[1:] { // to what is wanted alone
			lock := step(Lock)
			lock.Changes = append(lock.Changes, narrowed)
		}
	}
	var locked []string
	for _, name := range Lockable(p.Organization) {
		locks := func(c Change) bool { return c.Name == name || c.Name == csa.Owner(name) }
		if at[Lock] != nil && slices.ContainsFunc(at[Lock].Changes, locks) {
			locked = append(locked, name)
		}
	}
	if at[NoMail] != nil { // cron on an MTA sends as root@ whatever name it has for itself
		for _, c := range at[NoMail].Changes {
			if slices.ContainsFunc(p.addresses(c.Name), func(addr netip.Addr) bool { return ofMTA(hosts, addr) }) {
				locked = append(locked, c.Name)
			}
		}
	}
	if slices.SortFunc(locked, dnsname.Compare); len(locked) > 0 {
		step(CheckSenders).Names = slices.Compact(locked)
	}
	for _, h := range hosts {
		greets := h.Helo != "" && slices.ContainsFunc(h.Addrs, func(addr netip.Addr) bool { return h.notObserved(addr) != "" })
		if greets || at[Reverse] != nil && slices.ContainsFunc(at[Reverse].Changes, h.givesName) {
			confirm := step(Confirm)
			confirm.Hosts = append(confirm.Hosts, h)
		}
		if greets {
			greet, observe := step(SetHelo), step(Observe)
			greet.Hosts, observe.Hosts = append(greet.Hosts, h), append(observe.Hosts, h)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(at)) {
		p.Steps = append(p.Steps, *at[s])
	}
}

// ofMTA reports whether an address is one of an MTA.
func ofMTA(hosts []Host, addr netip.Addr) bool {
	return slices.ContainsFunc(hosts, func(h Host) bool { return slices.Contains(h.Addrs, addr) })
}

// hosts returns the MTAs as the plan has them.
func hosts(o *org.Organization) []Host {
	var out []Host
	for _, m := range o.MTAs {
		w := wanted{}
		h := Host{MTA: m.ID, Addrs: w.publicAddresses(m), PTR: dnsname.CanonicalOrEmpty(m.PTR)}
		if arg, err := helo.Parse(m.Helo); err == nil && m.Sends() {
			h.Helo = arg.Name
		}
		for i, addr := range h.Addrs {
			h.Addrs[i] = addr.Unmap()
		}
		out = append(out, h)
	}
	return out
}

// givesName reports whether a change gives an address of the MTA its name.
func (h Host) givesName(c Change) bool {
	return slices.ContainsFunc(c.After, func(rr dns.RR) bool {
		ptr, ok := rr.(*dns.PTR)
		return ok && h.PTR != "" && dnsname.CanonicalOrEmpty(ptr.Ptr) == h.PTR
	})
}

// Waiting returns what a gate still waits for, one line each, as far as the DNS of the
// verifier tells; nil where that is nothing. At Confirm that is every address of which a
// receiver would not find the name, or has something against the MTA when it greets as it
// shall. At Observe it is every address that was not observed to say it when the plan was
// checkMade, which no DNS tells: plan again with what is seen then. What sends mail nobody can
// ask, and steps that are no gates wait for nothing.
func (s Step) Waiting(ctx context.Context, v identity.Verifier) []string {
	var out []string
	for _, h := range s.Hosts {
		for _, addr := range h.Addrs {
			reason := ""
			switch s.Stage {
			case Confirm:
				reason = h.notConfirmed(ctx, v, addr)
			case Observe:
				reason = h.notObserved(addr)
			}
			if reason != "" {
				out = append(out, fmt.Sprintf("%s/%s: %s", h.MTA, addr, reason))
			}
		}
	}
	return out
}

// notObserved returns why an MTA is not known to say in HELO from an address what it shall, or
// "".
func (h Host) notObserved(addr netip.Addr) string {
	i := slices.IndexFunc(h.Observed, func(o flow.Observation) bool { return o.Addr == addr })
	switch {
	case i < 0:
		return "not seen yet"
	case dnsname.CanonicalOrEmpty(h.Observed[i].Helo) != h.Helo:
		return fmt.Sprintf("seen to say %q", h.Observed[i].Helo)
	}
	return ""
}

// notConfirmed returns why an address of an MTA is not known by its names yet, or "".
func (h Host) notConfirmed(ctx context.Context, v identity.Verifier, addr netip.Addr) string {
	session := v.Session(ctx, addr)
	defer session.Close()
	verdict := session.Connect(ctx)
	if h.Helo != "" {
		verdict = session.Helo(ctx, h.Helo)
	}
	if h.PTR != "" && verdict.IPRev != nil && !slices.ContainsFunc(verdict.IPRev.Names, func(n fcrdns.Name) bool { return n.Name == h.PTR && n.Outcome == fcrdns.Confirmed }) {
		said := "no name of it leads to it"
		switch r := verdict.IPRev; {
		case r.Name != "":
			said = "that is " + strings.TrimSuffix(r.Name, ".")
		case r.Err != nil:
			said = untrusted.Line(r.Err.Error())
		}
		return fmt.Sprintf("%s is not its confirmed name yet: %s", strings.TrimSuffix(h.PTR, "."), said)
	}
	if h.Helo != "" && verdict.Advice.Action > identity.Accept {
		first := each(verdict.Reasons[:min(1, len(verdict.Reasons))], identity.Reason.Text) // it decided
		return fmt.Sprintf("HELO %s from there is %s: %s", strings.TrimSuffix(h.Helo, "."), verdict.Level, joined(first))
	}
	return ""
}

// mayUseInHelo returns the addresses that may greet with a name now, sorted: those that were
// observed to do so, and of the others those that the name leads to.
func (p *Plan) mayUseInHelo(name string, hosts []Host, observed map[netip.Addr]string) []netip.Addr {
	var out []netip.Addr
	for _, h := range hosts {
		for _, addr := range h.Addrs {
			said, seen := observed[addr]
			switch {
			case h.Helo == "" && !seen:
			case seen && dnsname.CanonicalOrEmpty(said) == name, !seen && p.Published.hasAddress(name, addr):
				out = append(out, addr)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// hasAddress reports whether a name has an address now.
func (c *Published) hasAddress(name string, addr netip.Addr) bool {
	return slices.Contains(addresses(c.sets[resolver.Question{Name: name, Type: dns.TypeA}], c.sets[resolver.Question{Name: name, Type: dns.TypeAAAA}]), addr)
}

// addresses returns the addresses of A and AAAA records.
func addresses(sets ...[]dns.RR) []netip.Addr {
	return resolver.Answer{Records: slices.Concat(sets...)}.Addrs()
}

// splitChange divides a change that would shut out what an MTA may say in HELO until it is
// told otherwise: first both hold, what was and what is wanted.
func (p *Plan) splitChange(c Change, hosts []Host, observed map[netip.Addr]string) []Change {
	first, second := c, c
	switch {
	case c.Type == dns.TypePTR && len(c.Added()) > 0 && slices.ContainsFunc(c.Removed(), func(rr dns.RR) bool { return p.stillNeeded(c.Name, rr, hosts, observed) }):
		first.After = c.Before
		for _, rr := range c.Added() {
			first.add(rr)
		}
	case c.Type == dns.TypeTXT && slices.Contains(c.Rules, rule.HeloSPF):
		var own []netip.Addr // that the record wanted authorizes
		for _, h := range hosts {
			if h.Helo != "" && (h.Helo == c.Name || slices.Contains(c.Rules, rule.MailSPF)) {
				own = append(own, h.Addrs...)
			}
		}
		others := slices.DeleteFunc(p.mayUseInHelo(c.Name, hosts, observed), func(addr netip.Addr) bool { return slices.Contains(own, addr) })
		both, err := spf.Builder{Name: c.Name, TTL: rule.TTL, Addrs: append(own, others...)}.RR()
		if len(others) == 0 || err != nil {
			return []Change{c}
		}
		first.After = slices.DeleteFunc(slices.Clone(c.After), isSPF)
		first.add(both)
	default:
		return []Change{c}
	}
	second.Before = first.After
	return []Change{first, second}
}

// stillNeeded reports whether an MTA may greet by what a PTR record says. A name that looks
// generic vouches for none but a HELO of its own organization.
func (p *Plan) stillNeeded(reverse string, rr dns.RR, hosts []Host, observed map[netip.Addr]string) bool {
	ptr, ok := rr.(*dns.PTR)
	if !ok {
		return false
	}
	for _, h := range hosts {
		for _, addr := range h.Addrs {
			// The name may be what that of the address is an alias of.
			if p.Published.storedAt(resolver.Question{Name: dnsname.Reverse(addr), Type: dns.TypePTR}).Name != reverse {
				continue
			}
			if said, seen := observed[addr]; seen {
				relation, _ := helo.Relate(said, ptr.Ptr, "")
				return relation != helo.Unrelated
			}
			return ptrname.Classify(addr, ptr.Ptr).Kind != ptrname.Generic
		}
	}
	return false
}

// stage returns the stage in which a change does no harm.
func (p *Plan) stage(c Change, hosts []Host, observed map[netip.Addr]string) Stage {
	is := func(id rule.ID) bool { return slices.Contains(c.Rules, id) }
	switch {
	case c.Type == dns.TypePTR && len(c.Added()) == 0:
		return Lock
	case c.Type == dns.TypePTR:
		return Reverse
	case is(rule.HeloSPF):
		return Prepare
	case is(rule.HeloCSA):
		if name, _ := csa.NameOf(c.Name); p.denies(name, hosts, observed) {
			return Lock
		}
		return Authorize
	case is(rule.DomainCSA):
		return Policy
	case is(rule.MailSPF), is(rule.MailRoute):
		return Envelope
	case is(rule.PTRLocked):
		return Lock
	case (is(rule.NullSPF) || is(rule.NullMX)) && len(c.After) > 0:
		return NoMail
	}
	return Prepare
}

// denies reports whether the CSA record of a HELO name would deny an MTA that greets
// with it now, and is not denied already.
func (p *Plan) denies(name string, hosts []Host, observed map[netip.Addr]string) bool {
	own := p.Published.csa(name) // as long as there are any, those of its parents say nothing
	if slices.ContainsFunc(own, csa.Denies) {
		return false
	}
	for at := dnsname.Parent(name); at != "" && len(own) == 0; at = dnsname.Parent(at) {
		if slices.ContainsFunc(p.Published.csa(at), csa.RequiresExplicit) {
			return false // a policy that wants a record of each name
		}
	}
	named := p.addresses(name)
	return slices.ContainsFunc(p.mayUseInHelo(name, hosts, observed), func(addr netip.Addr) bool { return !slices.Contains(named, addr) })
}

// csa returns the CSA records of a name.
func (c *Published) csa(name string) []*dns.SRV {
	var out []*dns.SRV
	for _, rr := range c.sets[resolver.Question{Name: csa.Owner(name), Type: dns.TypeSRV}] {
		if srv, ok := rr.(*dns.SRV); ok {
			out = append(out, srv)
		}
	}
	return out
}
