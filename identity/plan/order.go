package plan

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// A Stage is one of the steps that a plan can have. They are made in the order of their
// values, so that no step causes the rejection of mail that was accepted before. The zero
// Stage is invalid.
type Stage uint8

// The stages. Confirm, Observe and CheckSenders are gates: something to wait for.
const (
	_            Stage = iota
	Prepare            // addresses of PTR and HELO names; SPF, MX and RP records of HELO names; contacts
	Authorize          // CSA records of HELO names, which deny the addresses that these names lack
	Reverse            // PTR records
	Confirm            // gate: every address has a PTR name that resolves back to it
	SetHelo            // the HELO names are configured on the MTAs
	Observe            // gate: the MTAs were seen to use them, from every address
	CheckSenders       // gate: nothing sends as user@ a name that is about to be locked
	Lock               // PTR names are locked; old PTR records are removed
	Envelope           // SPF records of mail domains, and MX records of those without any
	NoMail             // null SPF and Null MX of names without mail
	Policy             // the CSA policy of the domain
)

var stageText = []string{
	Prepare: "prepare", Authorize: "authorize", Reverse: "reverse", Confirm: "confirm", SetHelo: "set-helo", Observe: "observe",
	CheckSenders: "check-senders", Lock: "lock", Envelope: "envelope", NoMail: "no-mail", Policy: "policy",
}

// String returns the name of the stage in lower case, words joined by hyphens.
func (s Stage) String() string { return enum.String(s, stageText) }

// MarshalText returns the text of String; an invalid Stage is an error.
func (s Stage) MarshalText() ([]byte, error) { return enum.Marshal(s, stageText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Stage) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, stageText) }

// An order puts the changes of a plan into steps.
type order struct {
	*planner
	observed map[netip.Addr]string // what MTAs say in HELO now
	steps    map[Stage]*Step
}

// orderSteps makes the steps of the changes, with the gates between them. A gate that is
// passed, or that nothing waits for, is left out.
func (p *planner) orderSteps(observed map[netip.Addr]string) {
	o := &order{planner: p, observed: observed, steps: make(map[Stage]*Step)}
	for i, h := range o.hosts {
		for _, addr := range slices.SortedFunc(slices.Values(h.Addrs), netip.Addr.Compare) {
			if said, seen := observed[addr]; seen {
				o.hosts[i].Observed = append(o.hosts[i].Observed, flow.Observation{Addr: addr, Helo: said})
			}
		}
	}
	for _, c := range p.Changes {
		parts := o.splitChange(c)
		s := o.step(o.stageOf(parts[0]))
		s.Changes = append(s.Changes, parts[0])
		if len(parts) > 1 {
			lock := o.step(Lock)
			lock.Changes = append(lock.Changes, parts[1])
		}
	}
	o.checkSenders()
	o.addHosts()
	for _, stage := range slices.Sorted(maps.Keys(o.steps)) {
		p.Steps = append(p.Steps, *o.steps[stage])
	}
}

// step returns the step of a stage, a new one the first time.
func (o *order) step(s Stage) *Step {
	if o.steps[s] == nil {
		o.steps[s] = &Step{Stage: s}
	}
	return o.steps[s]
}

// changesOf returns the changes of a stage, nil if it has no step yet.
func (o *order) changesOf(s Stage) []Change {
	if o.steps[s] == nil {
		return nil
	}
	return o.steps[s].Changes
}

// checkSenders adds all names that the steps Lock and NoMail declare to send no mail, the other
// names for which DNS looks them up, and those that get a CSA record of their own with the
// policy, to the gate before them.
func (o *order) checkSenders() {
	var names []string
	locked := make(map[string]bool)
	for _, c := range o.changesOf(Lock) {
		locked[c.Name] = true
	}
	for _, name := range Lockable(o.Organization) {
		if locked[name] || locked[csa.Owner(name)] {
			names = append(names, name)
		}
	}
	for _, c := range o.changesOf(NoMail) {
		if len(c.After) > 0 {
			names = append(names, c.Name)
		}
	}
	for _, name := range slices.Clone(names) {
		names = append(names, o.otherNames(name)...)
	}
	for _, c := range o.changesOf(Policy) {
		domain, _ := csa.NameOf(c.Name)
		if o.survey.NoMail(domain) {
			names = append(names, domain)
		}
	}
	slices.SortFunc(names, dnsname.Compare)
	if names = slices.Compact(names); len(names) == 0 {
		return
	}
	gate := o.step(CheckSenders)
	gate.Names = names
	for _, name := range names {
		gate.Flows = append(gate.Flows, o.hints(name)...)
	}
}

// addHosts adds the MTAs to the steps that are about them: Confirm if they get a PTR name
// or a HELO name, SetHelo and Observe if they get a HELO name.
func (o *order) addHosts() {
	for _, h := range o.hosts {
		h.Refused = o.whyHeloRefused(h)
		newHelo := h.Helo != "" && slices.ContainsFunc(h.Addrs, func(addr netip.Addr) bool { return h.whyNotObserved(addr) != "" })
		if newHelo || slices.ContainsFunc(o.changesOf(Reverse), h.isNamedBy) {
			confirm := o.step(Confirm)
			confirm.Hosts = append(confirm.Hosts, h)
		}
		if newHelo {
			set, observe := o.step(SetHelo), o.step(Observe)
			set.Hosts, observe.Hosts = append(set.Hosts, h), append(observe.Hosts, h)
		}
	}
}

// isNamedBy reports whether a change has a PTR record with the PTR name of the MTA.
func (h Host) isNamedBy(c Change) bool {
	return slices.ContainsFunc(c.After, func(rr dns.RR) bool {
		ptr, ok := rr.(*dns.PTR)
		return ok && h.PTR != "" && dnsname.CanonicalOrEmpty(ptr.Ptr) == h.PTR
	})
}

// stageOf returns the stage in which a change does no harm.
func (o *order) stageOf(c Change) Stage {
	is := func(id rule.ID) bool { return slices.Contains(c.Rules, id) }
	switch {
	case c.Type == dns.TypePTR && len(c.Added()) == 0:
		return Lock
	case o.wildcardAfter(c) != "":
		return NoMail // other records have made the name exist by then
	case c.Type == dns.TypePTR:
		return Reverse
	case is(rule.HeloSPF), is(rule.MailRoute) && o.Organization.UsesInHelo(c.Name): // postmaster@ the name works when it comes into use
		return Prepare
	case is(rule.HeloCSA):
		if name, _ := csa.NameOf(c.Name); o.wouldDeny(name) {
			return Lock
		}
		return Authorize
	case is(rule.MailSPF), is(rule.MailRoute):
		return Envelope
	case is(rule.PTRLocked):
		return Lock
	case is(rule.DomainCSA):
		return Policy
	case (is(rule.NullSPF) || is(rule.NullMX)) && len(c.After) > 0:
		return NoMail
	}
	return Prepare
}

// splitChange divides a change that would turn receivers against the HELO name that an MTA
// uses until it gets another. The first part permits both the old and the new, the second
// part, if there is one, only the new.
func (o *order) splitChange(c Change) []Change {
	first, second := c, c
	switch {
	case c.Type == dns.TypePTR && len(c.Added()) > 0 && o.stillNeeded(c.Name, c.Removed()):
		first.After = c.Before
		first.addRecords(c.Added()...)
	case c.Type == dns.TypeTXT && slices.Contains(c.Rules, rule.HeloSPF):
		var own []netip.Addr // those that the new record authorizes
		for _, h := range o.hosts {
			if h.Helo != "" && (h.Helo == c.Name || slices.Contains(c.Rules, rule.MailSPF)) {
				own = append(own, h.Addrs...)
			}
		}
		isOwn := ipSet(own)
		others := slices.DeleteFunc(o.addrsUsing(c.Name), func(addr netip.Addr) bool { return isOwn.Contains(addr) })
		both, err := spf.Builder{Name: c.Name, TTL: rule.TTL, Addrs: append(own, others...)}.RR()
		if len(others) == 0 || err != nil {
			return []Change{c}
		}
		first.After = slices.DeleteFunc(slices.Clone(c.After), isSPF)
		first.addRecords(both)
	default:
		return []Change{c}
	}
	second.Before = first.After
	o.Published.addWait(&second)
	return []Change{first, second}
}

// addrsUsing returns the addresses of MTAs that may use a name in HELO now, sorted: those that
// were observed to use it, and of those not observed the ones that records tie to the name.
func (o *order) addrsUsing(name string) []netip.Addr {
	var out []netip.Addr
	for _, f := range o.at(name) {
		if f.Kind != flow.Helo {
			continue
		}
		for _, p := range o.survey.Clients(f) {
			_, seen := o.observed[p.Addr()]
			if f.Sign == flow.Observed || !seen && slices.ContainsFunc(o.mtas[p.Addr()], org.MTA.Sends) {
				out = append(out, p.Addr())
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// stillNeeded reports whether an MTA may use a HELO name that receivers accept only
// because of one of the PTR records at a reverse name. A PTR name that looks generic helps
// only HELO names of its own organization.
func (o *order) stillNeeded(reverse string, records []dns.RR) bool {
	for _, h := range o.hosts {
		for _, addr := range h.Addrs {
			// The reverse name of the address may be an alias of this one.
			if o.storedAt(resolver.Question{Name: dnsname.Reverse(addr), Type: dns.TypePTR}).Name != reverse {
				continue
			}
			return slices.ContainsFunc(records, func(rr dns.RR) bool {
				ptr, ok := rr.(*dns.PTR)
				if said, seen := o.observed[addr]; ok && seen {
					relation, _ := helo.Relate(said, ptr.Ptr)
					return relation != helo.Unrelated
				}
				return ok && ptrname.Classify(addr, ptr.Ptr).Kind != ptrname.Generic
			})
		}
	}
	return false
}

// wouldDeny reports whether a CSA record that authorizes the addresses of a HELO name
// would deny an MTA that may use the name now, and that is not denied already.
func (o *order) wouldDeny(name string) bool {
	own := o.Published.csaRecords(name) // if there are any, those of its parents do not count
	if slices.ContainsFunc(own, csa.Denies) {
		return false
	}
	if len(own) == 0 && o.Published.hasPolicyAbove(name) {
		return false
	}
	authorized := ipSet(o.addrsAfter(name))
	return slices.ContainsFunc(o.addrsUsing(name), func(addr netip.Addr) bool { return !authorized.Contains(addr) })
}
