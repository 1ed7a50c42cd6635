package plan

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Step is what to do, or to wait for, before the next step.
type Step struct {
	Stage   Stage    `json:"stage,omitzero"`
	Changes []Change `json:"changes"` // in the order of their names; nil at gates and at SetHelo
	Hosts   []Host   `json:"hosts"`   // of Confirm, SetHelo and Observe: the MTAs that they are about
	Names   []string `json:"names"`   // of CheckSenders: all names that nothing may use in HELO or send as, aliases too, sorted
	// Flows are what shows that some of Names may be used in mail: none of it may be so when
	// the gate is passed.
	Flows []flow.Flow `json:"flows"`
}

// Gate reports whether the step only waits.
func (s Step) Gate() bool { return s.Stage == Confirm || s.Stage == Observe || s.Stage == CheckSenders }

// Owners returns who has something to do in the step, each once.
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

// Waiting returns what a gate still waits for, one line each; nil if that is nothing. At
// Confirm these are the addresses whose PTR name is not confirmed, or from which the
// verifier would not accept the described HELO name. At Observe they are the addresses
// that Options.Observed did not show to use it: DNS cannot tell, so plan again with newer
// observations. Nobody can be asked about CheckSenders: it never lists anything, nor do
// steps that are not gates.
func (s Step) Waiting(ctx context.Context, v identity.Verifier) []string {
	var out []string
	for _, h := range s.Hosts {
		for _, addr := range h.Addrs {
			reason := ""
			switch s.Stage {
			case Confirm:
				reason = h.whyNotConfirmed(ctx, v, addr)
			case Observe:
				reason = h.whyNotObserved(addr)
			}
			if reason != "" {
				out = append(out, fmt.Sprintf("%s/%s: %s", h.MTA, addr, reason))
			}
		}
	}
	return out
}

// A Host is an MTA as others see it.
type Host struct {
	MTA   string       `json:"mta"`       // its ID
	Addrs []netip.Addr `json:"addresses"` // its public addresses, and those for documentation
	PTR   string       `json:"ptr"`       // the name that the plan gives its addresses, canonical; "" if not decided
	Helo  string       `json:"helo"`      // the HELO name described, canonical; "" if that is not a name, or the MTA does not send
	// Observed is what it was observed to say in HELO, by address, sorted; addresses
	// that were not observed are missing. Line is 0, because Options does not tell it.
	Observed []flow.Observation `json:"observed"`
	// Refused is why the plan refuses the HELO name; "" if it does not. Describe another one
	// then: the MTA is not to use this one.
	Refused string `json:"refused"`
}

// hostsOf returns the described MTAs as hosts, without observations.
func hostsOf(o *org.Organization) []Host {
	var out []Host
	for _, m := range o.MTAs {
		h := Host{MTA: m.ID, Addrs: publicOf(m), PTR: dnsname.CanonicalOrEmpty(m.PTR)}
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

// whyHeloRefused returns why the plan refuses the HELO name of an MTA, or addresses that it
// needs there, "" if it does not.
func (p *planner) whyHeloRefused(h Host) string {
	has := p.addrsAfter(p.Published.end(h.Helo)) // an alias of a name with the addresses will do
	for _, r := range p.Refused {
		if r.MTA == h.MTA && dnsname.CanonicalOrEmpty(r.Value) == h.Helo && h.Helo != "" {
			return r.Reason
		}
		for i, q := range resolver.AddrQuestions(h.Helo) {
			lacks := func(addr netip.Addr) bool { return addr.Is6() == (i == 1) && !slices.Contains(has, addr) }
			if r.Value == q.String() && slices.ContainsFunc(h.Addrs, lacks) {
				return r.Reason
			}
		}
	}
	return ""
}

// whyNotObserved returns why the MTA is not known to use its HELO name from an address, ""
// if it is.
func (h Host) whyNotObserved(addr netip.Addr) string {
	i := slices.IndexFunc(h.Observed, func(o flow.Observation) bool { return o.Addr == addr })
	switch {
	case i < 0:
		return "not seen yet"
	case dnsname.CanonicalOrEmpty(h.Observed[i].Helo) != h.Helo:
		return fmt.Sprintf("seen to say %q", h.Observed[i].Helo)
	}
	return ""
}

// whyNotConfirmed returns why receivers do not find the PTR name of an address, or do not
// accept its HELO name, "" if both are in order.
func (h Host) whyNotConfirmed(ctx context.Context, v identity.Verifier, addr netip.Addr) string {
	session := v.Session(ctx, addr)
	defer session.Close()
	verdict := session.Connect(ctx)
	if h.Helo != "" {
		verdict = session.Helo(ctx, h.Helo)
	}
	isPTR := func(n fcrdns.Name) bool { return n.Name == h.PTR && n.Outcome == fcrdns.Confirmed }
	if h.PTR != "" && verdict.IPRev != nil && !slices.ContainsFunc(verdict.IPRev.Names, isPTR) {
		found := "none of its names resolves to it"
		switch r := verdict.IPRev; {
		case r.Name != "":
			found = "that is " + strings.TrimSuffix(r.Name, ".")
		case r.Err != nil:
			found = untrusted.Line(r.Err.Error())
		}
		return fmt.Sprintf("%s is not its confirmed name yet: %s", strings.TrimSuffix(h.PTR, "."), found)
	}
	// The names that were skipped may be confirmed: a receiver that looks up others decides
	// otherwise.
	if r := verdict.IPRev; r != nil && errors.Is(r.Err, fcrdns.ErrTooManyNames) {
		return untrusted.Line(r.Err.Error())
	}
	if h.Helo != "" && verdict.Advice.Action > identity.Accept {
		return fmt.Sprintf("HELO %s from there is %s: %s", strings.TrimSuffix(h.Helo, "."), verdict.Level, decisive(verdict))
	}
	return ""
}

// decisive returns the text of the reason that decided the level of a verdict. If DNS left
// open which one did, it returns all of them.
func decisive(v *identity.Verdict) string {
	if v.LevelReason != 0 {
		return v.LevelReason.Text()
	}
	return joined(each(v.Reasons, identity.Reason.Text))
}
