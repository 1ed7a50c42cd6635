package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// WriteZone writes what changes add as zone text (RFC 1035, Section 5), each RRset under
// the rules that want it, and what they take away in comments: a zone file has no words
// for that. What an ISP has to change is left out.
func WriteZone(w io.Writer, changes []Change) error {
	var b strings.Builder
	for zone, changes := range byZone(changes) {
		fmt.Fprintf(&b, "$ORIGIN %s\n; %s\n", zone, rule.RaiseSerial)
		for _, c := range changes {
			for _, id := range c.Rules {
				fmt.Fprintf(&b, "; %s\n", id.Comment())
			}
			for _, rr := range c.Removed() {
				fmt.Fprintf(&b, "; take out: %s\n", txt.Record(rr))
			}
			for _, rr := range c.Added() {
				fmt.Fprintf(&b, "%s\n", txt.Record(rr))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// perUpdate is how many changes one message of an update has: of ordinary records some
// 100 octets each, far from the 64 KiB that a message may have.
const perUpdate = 50

// WriteUpdate writes changes as a script for nsupdate (RFC 2136), a message for each zone
// and fifty changes. A message is carried out whole or, when an RRset is not as the plan
// has seen it, not at all. What an ISP has to change is left out.
func WriteUpdate(w io.Writer, changes []Change) error {
	var b strings.Builder
	for zone, changes := range byZone(changes) {
		for part := range slices.Chunk(changes, perUpdate) {
			fmt.Fprintf(&b, "zone %s\n", escapeSpaces(zone))
			for _, c := range part {
				if len(c.Before) == 0 {
					fmt.Fprintf(&b, "prereq nxrrset %s IN %s\n", escapeSpaces(c.Name), resolver.TypeString(c.Type))
				}
				for _, rr := range c.Before {
					fmt.Fprintf(&b, "prereq yxrrset %s IN %s %s\n", escapeSpaces(c.Name), resolver.TypeString(c.Type), txt.Data(rr))
				}
			}
			for _, c := range part {
				for _, id := range c.Rules {
					fmt.Fprintf(&b, "; %s\n", id.Comment())
				}
				for _, rr := range c.Removed() {
					fmt.Fprintf(&b, "update delete %s IN %s %s\n", escapeSpaces(c.Name), resolver.TypeString(c.Type), txt.Data(rr))
				}
				for _, rr := range c.Added() {
					fmt.Fprintf(&b, "update add %s %d IN %s %s\n", escapeSpaces(c.Name), rr.Header().Ttl, resolver.TypeString(c.Type), txt.Data(rr))
				}
			}
			b.WriteString("send\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// escapeSpaces returns a canonical name as nsupdate takes it: it ends a name at a space, also at
// an escaped one, which the name behind an alias may have.
func escapeSpaces(name string) string { return strings.ReplaceAll(name, `\ `, `\032`) }

// byZone yields the changes that are not an ISP's by their zones, in the order of names.
func byZone(changes []Change) func(yield func(string, []Change) bool) {
	zones := make(map[string][]Change)
	var order []string
	for _, c := range changes {
		if c.Owner == OwnerISP {
			continue
		}
		if len(zones[c.Zone]) == 0 {
			order = append(order, c.Zone)
		}
		zones[c.Zone] = append(zones[c.Zone], c)
	}
	slices.SortFunc(order, dnsname.Compare)
	return func(yield func(string, []Change) bool) {
		for _, zone := range order {
			if !yield(zone, zones[zone]) {
				return
			}
		}
	}
}

// WriteLetter writes what changes ask of the ISP, for a mail or a ticket; nothing, where
// they ask nothing. Send it when the steps before it are done: the new names have to lead to
// their addresses first.
func WriteLetter(w io.Writer, changes []Change) error {
	var set, keep, remove []string
	var lines strings.Builder
	for _, c := range changes {
		if c.Owner != OwnerISP {
			continue
		}
		where := c.Name
		if addr := dnsname.FromReverse(c.Name); addr.IsValid() {
			where = addr.String()
		}
		named := func(rr dns.RR) string { return fmt.Sprintf("    %s: %s", where, txt.Data(rr)) }
		for _, rr := range c.Added() {
			set = append(set, named(rr))
			fmt.Fprintf(&lines, "    %s\n", txt.Record(rr))
		}
		if len(c.Added()) > 0 {
			keep = append(keep, each(without(c.Before, c.Removed()), named)...)
		}
		remove = append(remove, each(c.Removed(), named)...)
	}
	if len(set)+len(remove) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("Subject: reverse DNS of our mail servers\n\n")
	if len(set) > 0 {
		fmt.Fprintf(&b, "Please give our addresses these names (PTR records):\n\n%s\n\n", strings.Join(set, "\n"))
		if len(keep) > 0 {
			fmt.Fprintf(&b, "Please leave these names beside them until we write again:\n\n%s\n\n", strings.Join(keep, "\n"))
		}
		b.WriteString("Each of the names has to lead to the address first: if one does not, please tell us. Tell us too if an address can have one name only.\n\n")
		b.WriteString("As lines of a zone file:\n\n" + lines.String() + "\n")
	}
	if len(remove) > 0 {
		fmt.Fprintf(&b, "Please take these names away from them:\n\n%s\n\n", strings.Join(remove, "\n"))
	}
	b.WriteString("If you would rather leave the names to us, RFC 2317 says how to delegate them.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the plan as one JSON document with fixed keys: every key is always
// there, lists are never null, records are lines of zone text.
func (p *Plan) WriteJSON(w io.Writer) error {
	type change struct {
		Owner  Owner     `json:"owner"`
		Zone   string    `json:"zone"`
		Name   string    `json:"name"`
		Type   string    `json:"type"`
		Before []string  `json:"before"`
		After  []string  `json:"after"`
		Rules  []rule.ID `json:"rules"`
	}
	type observed struct {
		Address string `json:"address"`
		Helo    string `json:"helo"`
	}
	type host struct {
		MTA       string     `json:"mta"`
		Addresses []string   `json:"addresses"`
		PTR       string     `json:"ptr"`
		Helo      string     `json:"helo"`
		Observed  []observed `json:"observed"`
	}
	type step struct {
		Stage   Stage    `json:"stage"`
		Gate    bool     `json:"gate"`
		Owners  []Owner  `json:"owners"`
		Changes []change `json:"changes"`
		Hosts   []host   `json:"hosts"`
		Names   []string `json:"names"`
	}
	type record struct {
		Record string    `json:"record"`
		Rules  []rule.ID `json:"rules"`
	}
	type kept struct {
		Records []string `json:"records"`
		Wanted  []record `json:"wanted"`
		Reason  string   `json:"reason"`
	}
	type refusal struct {
		MTA    string `json:"mta"`
		Value  string `json:"value"`
		Reason string `json:"reason"`
	}
	type note struct {
		Name string `json:"name"`
		Text string `json:"text"`
	}
	records := func(list []rule.Record) []record {
		return each(list, func(r rule.Record) record { return record{txt.Record(r.RR), r.Rules} })
	}
	doc := struct {
		Organization string    `json:"organization"`
		Partial      bool      `json:"partial"`
		Steps        []step    `json:"steps"`
		Wanted       []record  `json:"wanted"`
		Kept         []kept    `json:"kept"`
		Refused      []refusal `json:"refused"`
		Notes        []note    `json:"notes"`
	}{
		Organization: dnsname.CanonicalOrEmpty(p.Organization.Domain), Partial: p.Partial, Wanted: records(p.Wanted),
		Steps: each(p.Steps, func(s Step) step {
			return step{s.Stage, s.Gate(), append([]Owner{}, s.Owners()...), each(s.Changes, func(c Change) change {
				return change{c.Owner, c.Zone, c.Name, resolver.TypeString(c.Type), each(c.Before, txt.Record), each(c.After, txt.Record), append([]rule.ID{}, c.Rules...)}
			}), each(s.Hosts, func(h Host) host {
				return host{h.MTA, each(h.Addrs, netip.Addr.String), h.PTR, h.Helo, each(h.Observed, func(o flow.Observation) observed {
					return observed{o.Addr.String(), o.Helo}
				})}
			}), append([]string{}, s.Names...)}
		}),
		Kept:    each(p.Kept, func(k Kept) kept { return kept{each(k.Records, txt.Record), records(k.Wanted), k.Reason} }),
		Refused: each(p.Refused, func(r Refusal) refusal { return refusal(r) }),
		Notes:   each(p.Notes, func(n flow.Note) note { return note(n) }),
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// each returns what f makes of each element, never nil.
func each[T, U any](list []T, f func(T) U) []U {
	out := make([]U, 0, len(list))
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

// stageTitle says what is to be done, or waited for, in a stage.
var stageTitle = map[Stage]string{
	Prepare:      "Publish the addresses of the names, and the SPF records of the HELO names",
	Authorize:    "Publish that the HELO names are used, and from which addresses",
	Reverse:      "Give the addresses their names",
	Confirm:      "Wait until every address has its name, and receivers have nothing against what the MTAs shall say",
	SetHelo:      "Tell the MTAs what to say in HELO, and restart them, unless they say it already",
	Observe:      "Wait until they are seen to say it, in a Received field or the log of another server",
	CheckSenders: "Wait until nothing sends mail as user@ these names: look at the envelope senders in the logs",
	Lock:         "Publish that the PTR names greet nobody and send no mail, and take out what nobody needs any more",
	Envelope:     "Publish who sends in the name of the mail domains, and where their mail goes; if you are not sure that these are all, describe them with softfail first",
	NoMail:       "Publish that the other names neither send mail nor get any",
	Policy:       "Publish that no other name of the domain greets",
}

// WriteText writes the plan for people: the steps in their order, then what is kept,
// refused and to be known. The text is printable on any terminal.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	todo := "nothing to do"
	switch {
	case len(p.Steps) > 0:
		todo = fmt.Sprintf("RRsets to change: %d, steps: %d", len(p.Changes), len(p.Steps))
	case len(p.Kept) > 0:
		todo = "nothing to do, unless you adopt the plan in place of what is kept"
	}
	line("Plan for %s: %s", strings.TrimSuffix(dnsname.CanonicalOrEmpty(p.Organization.Domain), "."), todo)
	if p.Partial {
		line("This is a partial view: names were asked for one by one, and what else the zones have is not known.")
	}
	for i, s := range p.Steps {
		var who []string
		for _, o := range s.Owners() {
			who = append(who, ownerTitle[o])
		}
		if s.Gate() {
			who = []string{"gate"}
		}
		line("\n%d. %s (%s): %s.", i+1, s.Stage, strings.Join(who, ", "), stageTitle[s.Stage])
		s.text(line)
	}
	if len(p.Kept) > 0 {
		line("\nKept, unless you adopt the plan in their place:")
	}
	for _, k := range p.Kept {
		for _, rr := range k.Records {
			line("   = %s", txt.Record(rr))
		}
		for _, r := range k.Wanted {
			line("   wanted: %s", r)
		}
		line("     %s", untrusted.Line(k.Reason))
	}
	if len(p.Refused) > 0 {
		line("\nRefused:")
	}
	for _, r := range p.Refused {
		line("   %s", untrusted.Line(strings.TrimSpace(r.MTA+" "+r.Value+": "+r.Reason)))
	}
	if len(p.Notes) > 0 {
		line("\nTo be known:")
	}
	for _, n := range p.Notes {
		line("   %s", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ownerTitle is what an owner is called in the text.
var ownerTitle = map[Owner]string{OwnerYou: "you", OwnerDNSHost: "at your DNS host", OwnerISP: "your ISP", OwnerMTA: "on the MTA"}

// text writes what is to be done in a step, or waited for.
func (s Step) text(line func(string, ...any)) {
	for _, n := range s.Names {
		line("   user@%s", strings.TrimSuffix(n, "."))
	}
	for _, h := range s.Hosts {
		heloName := strings.TrimSuffix(h.Helo, ".")
		switch s.Stage {
		case Confirm:
			var parts []string
			if h.PTR != "" {
				parts = append(parts, "the name "+strings.TrimSuffix(h.PTR, "."))
			}
			if heloName != "" {
				parts = append(parts, "HELO "+heloName)
			}
			line("   %s at %s: %s", h.MTA, joined(h.Addrs), strings.Join(parts, ", "))
		case Observe:
			line("   %s: HELO %s", h.MTA, heloName)
			reasons := each(h.Addrs, h.notObserved)
			for i, reason := range reasons {
				if reason == "" || slices.Index(reasons, reason) < i {
					continue // seen, or with the first of its kind
				}
				var from []netip.Addr
				for j, addr := range h.Addrs {
					if reasons[j] == reason {
						from = append(from, addr)
					}
				}
				line("     %s from %s", reason, joined(from))
			}
		case SetHelo:
			line("   %s", h.MTA)
			line("     Postfix, main.cf:                  smtp_helo_name = %s", heloName)
			line("     Exim, the transports of smtp:      helo_data = %s", heloName)
		}
	}
	for _, c := range s.Changes {
		line("   %s %s, for %s", c.Name, resolver.TypeString(c.Type), joined(c.Rules))
		for _, rr := range c.Removed() {
			line("     - %s", txt.Record(rr))
		}
		for _, rr := range c.Added() {
			line("     + %s", txt.Record(rr))
		}
	}
}

func joined[T any](list []T) string {
	return strings.Join(each(list, func(v T) string { return fmt.Sprint(v) }), ", ")
}
