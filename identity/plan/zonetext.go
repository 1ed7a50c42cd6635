package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// WriteZone writes the records that changes add as zone text (RFC 1035, Section 5), each
// RRset below the rules that want it; RRsets of a zone for the same rules are together. The records to remove are comments, because zone text
// cannot say so; so is how long to wait after the changes. Changes of OwnerISP are left out.
func WriteZone(w io.Writer, changes []Change) error {
	var b strings.Builder
	for zone, changes := range byZone(changes) {
		fmt.Fprintf(&b, "$ORIGIN %s\n; %s\n", zone, txt.RaiseSerial)
		writeAfter(&b, zone, changes)
		for i, c := range byRules(changes) {
			for _, id := range c.Rules {
				if i == 0 {
					fmt.Fprintf(&b, "; %s\n", id.Comment())
				}
			}
			for _, rr := range c.Removed() {
				fmt.Fprintf(&b, "; remove: %s\n", txt.Record(rr))
			}
			for _, rr := range c.Added() {
				fmt.Fprintf(&b, "%s\n", txt.Record(rr))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// byRules yields changes, those for the same rules together, with how many others for these
// came before.
func byRules(changes []Change) func(yield func(int, Change) bool) {
	return func(yield func(int, Change) bool) {
		for _, like := range grouped(changes, func(c Change) string { return fmt.Sprint(c.Rules) }, 1) {
			for i, c := range like {
				if !yield(i, c) {
					return
				}
			}
		}
	}
}

// writeAfter writes comments on what to do after the changes of a zone.
func writeAfter(b *strings.Builder, zone string, changes []Change) {
	if changes[0].Signed {
		fmt.Fprintf(b, "; then sign %s again, unless the server does that\n", zone)
	}
	if wait := waitText(changes); wait != "" {
		fmt.Fprintf(b, "; then %s\n", wait)
	}
}

// byZone yields the zones, sorted by name, each with its changes, except those of OwnerISP.
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

// WriteLetter writes the changes of OwnerISP as the text of a mail or a ticket to the ISP,
// nothing if there are none. Send it after the steps before it: the new names must resolve
// to their addresses first.
func WriteLetter(w io.Writer, changes []Change) error {
	var set, keep, remove []string
	var lines strings.Builder
	ofISP := slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return c.Owner != OwnerISP })
	for _, c := range ofISP {
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
			fmt.Fprintf(&b, "Please keep these names beside them until we write again:\n\n%s\n\n", strings.Join(keep, "\n"))
		}
		b.WriteString("Each name must resolve to its address first: please tell us if one does not. Please also tell us if an address can have only one name.\n\n")
		b.WriteString("As lines of a zone file:\n\n" + lines.String() + "\n")
	}
	if len(remove) > 0 {
		fmt.Fprintf(&b, "Please remove these PTR records of our addresses:\n\n%s\n\n", strings.Join(remove, "\n"))
	}
	if wait := waitOf(ofISP); wait > 0 {
		fmt.Fprintf(&b, "Please tell us when it is done: resolvers may have the old answers for %s after that, and we wait until they are gone.\n\n", short(wait))
	}
	b.WriteString("If you prefer to delegate these names to us, RFC 2317 describes how.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
