package identity

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/address"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/lastday"
	"github.com/bonafide-mta/bonafide/internal/suffix"
)

// An Exception names clients against which some reasons, or all, do not count: their action is
// Accept, and Verdict.Reasons lists them all the same. The level does not count either if its
// LevelReason is one of them. Set either Network or Name. An exception with a mistake, which
// [Policy.Validate] finds, is for no client.
type Exception struct {
	// Network is that of the clients' addresses. A network of IPv4-mapped addresses, or a part of
	// 64:ff9b::/96 (NAT64), is the network of the IPv4 addresses in them.
	Network netip.Prefix `json:"network,omitzero"`
	// Name is a confirmed PTR name of the client, its HELO name if that resolves to it, or a
	// domain above one of these, in any form that resolver.Canonical accepts. A HELO name that
	// does not resolve to the client does not count.
	Name string `json:"name,omitempty"`
	// For lists the reasons that do not count; empty means all of them, and the level.
	For []Reason `json:"for,omitempty"`
	// Why is a note for people, without effect.
	Why string `json:"why,omitempty"`
	// Until is the last day of the exception, such as 2027-01-31; "" means that it never ends.
	// The exception is in force through the whole of that day in UTC, by Verdict.Time: set that
	// of a copy of a Verdict to test an exception.
	Until string `json:"until,omitempty"`
}

// covers reports whether the exception is for the client of a verdict.
func (e Exception) covers(v *Verdict) bool {
	for range e.problems { // one is enough
		return false
	}
	switch {
	case lastday.Over(e.Until, v.Time):
		return false
	case e.Name == "":
		return address.Holds(address.CanonicalNetwork(e.Network), v.Client)
	}
	name := dnsname.CanonicalOrEmpty(e.Name)
	return slices.ContainsFunc(v.ownNames(), func(own string) bool { return dnsname.Under(own, name) })
}

// ownNames returns the names that are the client's: DNS says so, and not only the client.
func (v *Verdict) ownNames() []string {
	var names []string
	if v.IPRev != nil {
		for _, n := range v.IPRev.Names {
			if n.Outcome == fcrdns.Confirmed {
				names = append(names, n.Name)
			}
		}
	}
	if v.Helo != nil && v.Helo.Status == helo.Pass {
		names = append(names, v.Helo.Argument.Name)
	}
	return names
}

// excepts reports whether a reason does not count, or, by its LevelReason, a level.
func (e Exception) excepts(r Reason) bool { return len(e.For) == 0 || slices.Contains(e.For, r) }

// problems yields what is wrong with the exception, which then holds for nobody: the field,
// and the value with what was expected.
func (e Exception) problems(yield func(field, text string) bool) {
	field, text := e.clientProblem()
	if field != "" && !yield(field, text) {
		return
	}
	for i, r := range e.For {
		if !r.settable() && !yield(fmt.Sprintf("for[%d]", i), r.String()+": "+notSettable) {
			return
		}
	}
	if err := lastday.Check(e.Until); err != nil {
		yield("until", err.Error())
	}
}

// clientProblem returns what is wrong with Network and Name, "" if nothing is.
func (e Exception) clientProblem() (field, text string) {
	name := dnsname.CanonicalOrEmpty(e.Name)
	given := e.Network != netip.Prefix{}
	switch {
	case e.Name == "" && !given:
		return "network", "expected a network or a name"
	case e.Name != "" && given:
		return "name", "expected a network or a name, not both"
	case e.Name == "" && !address.CanonicalNetwork(e.Network).IsValid():
		return "network", e.Network.String() + ": expected the network of some clients, as 192.0.2.0/28"
	case e.Name != "" && (name == "" || dnsname.FormOf(name) < dnsname.Underscore):
		return "name", quoted(e.Name) + ": expected a name of the public DNS, as example.org"
	case e.Name != "" && suffix.Organizational(name) == "":
		return "name", quoted(e.Name) + ": anybody can have a name below: expected the name of an organization, as example.org"
	}
	return "", ""
}
