// Package plan says which records an organization should publish about its mail
// servers, what that changes in its zones, and in which order.
//
// [New] makes a [Plan] from a description and what is published now: whole zones
// ([FromZones]), names asked of a resolver ([Published.Ask]), or both. Its Steps are to be made
// one after the other; between them stand gates, which wait for something to be true:
// Step.Waiting tells what DNS can tell of it. Print all with [Plan.WriteText] or
// [Plan.WriteJSON], the changes of a step as zone text, an nsupdate script or a letter
// with [WriteZone], [WriteUpdate] and [WriteLetter]. [Want] lists the records wanted,
// whatever is published; [Harden] those that silence the names of any zone. [Draft] makes
// a first description from what DNS says.
//
// It covers every record of the advice on mail servers: addresses of PTR and HELO
// names, PTR, SPF, CSA, RP, and the Null MX of names without mail. It publishes
// nothing itself, and does not judge: package audit proves what a plan will do.
//
// # The order of the steps
//
// After each step, and in whatever order its changes are made, an MTA is judged no worse
// than before by what it says in HELO then, and its mail by its senders. Receivers may
// remember for as long as the TTL says what was before a step: let that time pass.
//
// What an MTA says before it is told is known from Options.Observed alone. One that was
// not observed is taken to greet as described, with its address, with a name of the
// organization that leads to it, or with a name of the address that does not look generic.
// An address is taken to have no PTR record where neither a zone nor a resolver showed
// one. An MTA that greets with what becomes its PTR name is merely traceable until it is
// told another.
//
// Confirm stays shut while a receiver has anything against what the MTAs shall say. Where
// records are kept or refused, it may open though less vouches for the new name than for
// the old one: traceable is what an MTA is then at least.
//
// # What it takes away
//
// A name has one SPF record. The one wanted takes the place of one that is there, if
// adopted: describe all that sends in the name of a mail domain first, or it is shut
// out.
package plan

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Plan is what becomes of an organization's records.
type Plan struct {
	Organization *org.Organization
	Published    *Published    // what it is made upon
	Wanted       []rule.Record // see Want
	Changes      []Change      // in the order of their names; nothing else is touched
	Steps        []Step        // the changes in the order to make them, and what else there is to do
	Kept         []Kept        // what stands in the way and stays, unless adopted
	Refused      []Refusal     // those of Want, and what cannot be written where it belongs
	Notes        []flow.Note   // what else the changes do
	// Partial says that some names of the organization were only asked for: what else
	// their zones have is not known.
	Partial bool
}

// Options change what New does; the zero Options are careful.
type Options struct {
	// Adopt puts what is wanted in place of other SPF, CSA, contact and Null MX
	// records, and of RP records whose text is not there. Without it they are kept.
	Adopt bool
	// DenyNames wants a CSA record that denies each name without mail. The policy of
	// the domain should do for all of them, but Exim from 4.95 on looks no further
	// than a name that does not exist, as _client._smtp below most names does not.
	DenyNames bool
	// Observed has what MTAs say in HELO now, by the address that their connections
	// come from: as a Received field or the log of another server shows it. The
	// banner of an MTA is something else.
	Observed map[netip.Addr]string
}

// New plans what becomes of the records of an organization. What is there already is
// not planned again; what is not wanted is not touched, but for what Adopt replaces, and
// for other PTR records of an address, since the description says which name it has.
// Without the zone of an address its PTR record is planned for the ISP to make. Where the
// description lists zones, nothing is planned in others, but that the ISP is asked for PTR
// records there.
//
// Exceptions count whatever their last day: give [org.Organization.At] of today, where
// some may have expired.
//
// The error is that of Organization.Validate, or says that there is nothing to plan
// upon, or what is wrong with Observed.
func New(o *org.Organization, current *Published, options Options) (*Plan, error) {
	if o == nil {
		return nil, errors.New("plan: no organization")
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if current == nil {
		return nil, errors.New("plan: the zones as they are now: expected a Current")
	}
	observed := make(map[netip.Addr]string)
	for _, addr := range slices.SortedFunc(maps.Keys(options.Observed), netip.Addr.Compare) {
		if !slices.ContainsFunc(o.MTAs, func(m org.MTA) bool { return m.Sends() && slices.ContainsFunc(m.Addresses, same(addr)) }) {
			return nil, fmt.Errorf("plan: %s was observed to greet with %q: expected an address of an MTA that sends", addr, options.Observed[addr])
		}
		if options.Observed[addr] == "" {
			return nil, fmt.Errorf("plan: %s was observed to greet with nothing: expected what it said in HELO", addr)
		}
		observed[addr.Unmap()] = options.Observed[addr]
	}
	p := &Plan{Organization: o, Published: current, Partial: slices.ContainsFunc(slices.Collect(maps.Values(current.asked)), func(apex string) bool { return apex != "" })}
	w := want(o)
	if options.DenyNames {
		w.wantDenials(o.Names)
	}
	p.Wanted, p.Refused = w.merged(), w.refusals
	p.diff(options.Adopt)
	slices.SortStableFunc(p.Changes, compareChanges)
	p.note()
	p.steps(observed)
	return p, nil
}

// same reports whether addresses are the same, mapped or not.
func same(addr netip.Addr) func(netip.Addr) bool {
	return func(other netip.Addr) bool { return other.Unmap() == addr.Unmap() }
}

// Overlay returns the DNS as it will be when the whole plan is carried out, over the
// live DNS; see [Published.Overlay].
func (p *Plan) Overlay(live resolver.Resolver) (*resolver.Overlay, error) {
	return p.Published.Overlay(live, p.Changes)
}
