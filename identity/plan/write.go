package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// WriteZone writes what changes add as zone text (RFC 1035, Section 5), each RRset under
// the rules that want it, and what they take away in comments: a zone file has no words
// for that. What an ISP has to change is left out.
func WriteZone(w io.Writer, changes []Change) error {
	var b strings.Builder
	for zone, changes := range byZone(changes) {
		fmt.Fprintf(&b, "$ORIGIN %s\n", zone)
		for _, c := range changes {
			for _, id := range c.Rules {
				fmt.Fprintf(&b, "; %s\n", explained(id))
			}
			for _, rr := range c.Removed() {
				fmt.Fprintf(&b, "; take out: %s\n", zoneText(rr))
			}
			for _, rr := range c.Added() {
				fmt.Fprintf(&b, "%s\n", zoneText(rr))
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
			fmt.Fprintf(&b, "zone %s\n", zone)
			for _, c := range part {
				if len(c.Before) == 0 {
					fmt.Fprintf(&b, "prereq nxrrset %s IN %s\n", c.Name, resolver.TypeString(c.Type))
				}
				for _, rr := range c.Before {
					fmt.Fprintf(&b, "prereq yxrrset %s IN %s %s\n", c.Name, resolver.TypeString(c.Type), data(rr))
				}
			}
			for _, c := range part {
				for _, id := range c.Rules {
					fmt.Fprintf(&b, "; %s\n", explained(id))
				}
				for _, rr := range c.Removed() {
					fmt.Fprintf(&b, "update delete %s IN %s %s\n", c.Name, resolver.TypeString(c.Type), data(rr))
				}
				for _, rr := range c.Added() {
					fmt.Fprintf(&b, "update add %s %d IN %s %s\n", c.Name, rr.Header().Ttl, resolver.TypeString(c.Type), data(rr))
				}
			}
			b.WriteString("send\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// byZone yields the changes that are not an ISP's by their zones, in the order of names.
func byZone(changes []Change) func(yield func(string, []Change) bool) {
	zones := make(map[string][]Change)
	var order []string
	for _, c := range changes {
		if c.Owner == ISP {
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

// explained returns a rule as a comment has it.
func explained(id rule.ID) string {
	r, _ := rule.Lookup(id)
	return string(id) + ": " + r.Title
}

// zoneText returns a record as a line of a zone file. The records of this library print
// with escapes, so that one line it is whatever the record says.
func zoneText(rr dns.RR) string {
	return strings.ReplaceAll(rr.Header().String(), "\t", " ") + data(rr)
}

// data returns the data of a record as a zone file has them.
func data(rr dns.RR) string { return strings.TrimPrefix(rr.String(), rr.Header().String()) }

// WriteLetter writes what changes ask of the ISP, for a mail or a ticket; nothing, where
// they ask nothing.
func WriteLetter(w io.Writer, changes []Change) error {
	var set, remove []string
	var lines strings.Builder
	for _, c := range changes {
		if c.Owner != ISP {
			continue
		}
		where := c.Name
		if addr := dnsname.FromReverse(c.Name); addr.IsValid() {
			where = addr.String()
		}
		for _, rr := range c.Added() {
			set = append(set, fmt.Sprintf("    %s: %s", where, data(rr)))
			fmt.Fprintf(&lines, "    %s\n", zoneText(rr))
		}
		for _, rr := range c.Removed() {
			remove = append(remove, fmt.Sprintf("    %s: %s", where, data(rr)))
		}
	}
	if len(set)+len(remove) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("Subject: reverse DNS of our mail servers\n\n")
	if len(set) > 0 {
		fmt.Fprintf(&b, "Please give our addresses these names (PTR records):\n\n%s\n\n", strings.Join(set, "\n"))
		b.WriteString("Each of the names leads to the address already. As lines of a zone file:\n\n" + lines.String() + "\n")
	}
	if len(remove) > 0 {
		fmt.Fprintf(&b, "Please take these names away from them:\n\n%s\n\n", strings.Join(remove, "\n"))
	}
	b.WriteString("If you would rather leave the names to us, RFC 2317 says how to delegate them.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
