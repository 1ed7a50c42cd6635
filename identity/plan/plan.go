// Package plan tells which records an organization should publish about its mail servers,
// what that changes in its zones, and in which order to change it.
//
// [New] makes a [Plan] from a description and what is published now: whole zones
// ([FromZones]), names that a resolver was asked for ([Published.WithAnswers]), or both.
// Its Steps are carried out one after the other. Some are gates, which wait for something
// to be true: Step.Waiting tells what DNS knows about that. [Plan.WriteText] and
// [Plan.WriteJSON] print the plan; [WriteZone], [WriteUpdate] and [WriteLetter] print the
// changes of a step as zone text, as a script for nsupdate and as a letter to the ISP.
// [Want] lists the wanted records, whatever is published.
//
// It covers every record of the advice on mail servers: addresses of PTR and HELO names,
// PTR, SPF, CSA and RP records, and the Null MX of names without mail. It publishes
// nothing itself. Package audit proves what a plan will do; package harden finds the names
// without mail of whole zones; package draft makes a first description from DNS.
//
// # The order of the steps
//
// After each step, and for any order of its changes, an MTA is judged no worse than before
// by what it says in HELO at that time, and its mail by its senders. Receivers may cache
// the records before a step for as long as their TTL says: wait for [Step.Wait], which is
// printed with the step.
//
// Only Options.Observed shows what an MTA says in HELO before the step SetHelo; a client that it
// shows where nobody described an MTA that sends counts as mail, and is noted. An MTA that
// was not observed is assumed to use its described HELO name, an address literal, a name of
// the organization that resolves to its address, or a PTR name that does not look generic.
// An address is assumed to have no PTR record if neither a zone nor a resolver showed one.
// An MTA whose present HELO name becomes its PTR name is only traceable until it uses the
// new HELO name.
//
// The gate Confirm stays shut while a receiver would not accept the new HELO names. If
// records are kept or refused, it can open although fewer records support the new HELO name
// than the old one: the MTA is then traceable at least.
//
// # Mail that the records show
//
// No change hurts mail that the records at hand, the description and the observations show
// (package flow): a HELO name, sender or mail server that a changed name, an alias of it, a
// wildcard or a shared address is tied to. Such a change is refused, and the reason names the
// mail; or it waits at the gate CheckSenders, whose Names are all that the plan silences, with their
// aliases, and whose Flows are signs that only the owner of a name can judge. What the plan itself ends is not an obstacle: MTAs that use another HELO
// name after the gates. Servers that are not described may send for a mail domain although no
// record says so: if its new SPF record denies them, Plan.Unlisted lists them, except addresses
// that the description has, because it says for which mail domains those send. MX records
// that name hosts are never removed. Plan.Contradictions has where the description and DNS do
// not fit together.
//
// What is behind another organization's SPF record, and zones that were not read, it cannot
// know.
//
// # Bounds
//
// Only [Published.WithAnswers], [Published.WithSomeAnswers] and [Step.Waiting] ask DNS. For each
// name of the description WithAnswers asks at most seven questions and two for each label and
// each alias, resolver.AtOnce at a time.
// It keeps the records of the answers, and a plan lists them where it changes their RRsets.
// Time and memory grow with the size of the answers and zones: 4000 records of each type at
// each name of one MTA take less than 100 MiB and about 100 ms of CPU time.
//
// # What it removes
//
// A name has one SPF record. With Options.Adopt, or AdoptNames for single names, the wanted
// record replaces the present one, and Plan.Dropped lists whom it does not authorize any more: describe everything that
// sends for a mail domain first, or receivers will reject its mail.
package plan

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Plan tells how to change the records of an organization. [New] makes it.
type Plan struct {
	Organization *org.Organization // that the plan is for
	Published    *Published        // what was published when the plan was made
	Wanted       []rule.Record     // see Want
	Changes      []Change          // in the order of their names; no other RRset changes
	Steps        []Step            // the changes in the order to make them, and the gates between them
	Kept         []Kept            // records that stay in place of wanted ones, unless adopted
	Refused      []Refusal         // those of Want, and RRsets that cannot or must not be changed
	Dropped      []Dropped         // whom replaced SPF records authorize today and the new ones do not, by name
	// Unlisted are mail servers that the records show and that new SPF records of mail
	// domains deny, one flow for each address, which is its Net: describe them if they send.
	Unlisted []flow.Flow
	Notes    []flow.Note // what else the changes do, sorted
	// Contradictions tell where the description and DNS do not fit together, and what is not
	// done for that reason, sorted: see flow.Contradictions.
	Contradictions []flow.Note
	// Partial says that some names of the organization were only looked up: the rest of
	// their zones is not known.
	Partial bool
	options Options // that New was given
}

// Options change what New does; the zero Options are careful.
type Options struct {
	// Adopt replaces other SPF, CSA, contact and Null MX records with the wanted ones,
	// and RP records whose text does not exist. Without it they are kept.
	Adopt bool
	// AdoptNames does the same for the records of these names alone, in any form of a name: of
	// a HELO name also for its CSA record. Plan.Dropped lists whom the new SPF
	// records do not authorize any more.
	AdoptNames []string
	// DenyNames wants a CSA record that denies each name without mail. The policy of the
	// domain should be enough for all of them, but Exim from 4.95 on ignores it for names
	// that do not exist, such as _client._smtp below most names. A wildcard gets none: CSA has no
	// record for all names that it answers for.
	DenyNames bool
	// Observed maps addresses to what clients say in HELO now when they connect from there,
	// as a Received field or the log of another server shows it (see
	// flow.Observations). The banner of an MTA is not what it says in HELO. A client where
	// no MTA that sends is described counts as mail that no change may hurt, and is noted:
	// leave out clients that are not yours, because anybody can use your names.
	Observed map[netip.Addr]string
}

// adopts reports whether records at a canonical name are replaced.
func (o Options) adopts(name string) bool {
	host, _ := csa.NameOf(name)
	return o.Adopt || slices.ContainsFunc(o.AdoptNames, func(n string) bool { return dnsname.Same(n, name) || host != "" && dnsname.Same(n, host) })
}

// New plans the records of an organization. It leaves alone what is published as wanted,
// and everything that is not wanted, except what Adopt replaces and other PTR records of an
// address, because the description says which name the address has.
//
// If the zone of an address is not known, the ISP has to make its PTR record, except if a zone
// given or described is named after a block with the address (RFC 2317). If the
// description lists zones, New plans no changes in other zones, except that the ISP is
// asked for PTR records there.
//
// All exceptions of the description count, even expired ones: pass the result of
// [org.Organization.At] to leave those out.
//
// The error is that of Organization.Validate, or says that pub is nil or what is wrong with
// Observed.
func New(o *org.Organization, pub *Published, options Options) (*Plan, error) {
	if o == nil {
		return nil, errors.New("plan: no organization")
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if pub == nil {
		return nil, errors.New("plan: nothing is known about what is published: expected a *Published")
	}
	observed := make(map[netip.Addr]string)
	for _, addr := range slices.SortedFunc(maps.Keys(options.Observed), netip.Addr.Compare) {
		if !addr.IsValid() {
			return nil, fmt.Errorf("plan: a client was observed to use %q in HELO: expected its address", options.Observed[addr])
		}
		if options.Observed[addr] == "" {
			return nil, fmt.Errorf("plan: %s was observed without a HELO name: expected what it said in HELO", addr)
		}
		observed[addr.Unmap()] = options.Observed[addr]
	}
	for _, name := range options.AdoptNames {
		if dnsname.CanonicalOrEmpty(name) == "" {
			return nil, fmt.Errorf("plan: AdoptNames has %q: expected a name of DNS", name)
		}
	}
	p := &Plan{Organization: o, Published: pub, options: options, Partial: slices.ContainsFunc(slices.Collect(maps.Values(pub.asked)), func(apex string) bool { return apex != "" })}
	w := want(o)
	if options.DenyNames {
		w.wantDenials()
	}
	p.Wanted, p.Refused = w.merged(), w.refusals
	known, err := trafficOf(o, pub, observed)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	planning := planner{Plan: p, traffic: known, hosts: hostsOf(o), after: make(map[resolver.Question][]dns.RR)}
	planning.planChanges()
	slices.SortStableFunc(p.Changes, compareChanges)
	for i := range p.Changes {
		pub.addWait(&p.Changes[i])
	}
	planning.findDropped()
	planning.findUnlisted()
	planning.noteObserved(observed)
	planning.addNotes()
	p.Contradictions = flow.Contradictions(o, pub.recordsNow)
	planning.orderSteps(observed)
	return p, nil
}

// Overlay returns the DNS as it will be after all steps, laid over a live resolver; see
// [Published.Overlay].
func (p *Plan) Overlay(live resolver.Resolver) (*resolver.Overlay, error) {
	return p.Published.Overlay(live, p.Changes)
}
