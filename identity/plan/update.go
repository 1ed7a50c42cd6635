package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The bounds of one update message, and of a line that nsupdate reads: 64 KiB, less what it
// adds to a message, and 128 KiB.
const (
	perUpdate  = 50
	maxUpdate  = 60_000
	maxCommand = 128_000
)

// WriteUpdate writes changes as a script for nsupdate (RFC 2136): for each zone, messages
// of at most fifty changes, and fewer if they are large. A server carries out a message as a
// whole, or not at all if an RRset has changed since the plan was made. Comments say how
// long to wait after the changes. Changes of OwnerISP are left out.
//
// It is an error, and nothing is written, if a change does not fit into a message, which can
// have 64 KiB.
func WriteUpdate(w io.Writer, changes []Change) error {
	var b strings.Builder
	for zone, all := range byZone(changes) {
		writeAfter(&b, zone, all)
		for changes := all; len(changes) > 0; {
			n, size := 0, 0
			for n < min(len(changes), perUpdate) {
				if size += changes[n].updateSize(); size > maxUpdate {
					break
				}
				n++
			}
			if n == 0 {
				return fmt.Errorf("plan: %s %s: the update does not fit into a message, of %d octets at most: change the zone by hand", changes[0].Name, resolver.TypeString(changes[0].Type), maxUpdate)
			}
			fmt.Fprintf(&b, "zone %s\n", escapeSpaces(zone))
			for _, c := range changes[:n] {
				c.writePrerequisites(&b)
			}
			for _, c := range changes[:n] {
				c.writeUpdates(&b)
			}
			b.WriteString("send\n")
			changes = changes[n:]
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// updateSize returns the octets of a change in a message, or more than a message has.
func (c Change) updateSize() int {
	m := dns.Msg{Answer: c.Before, Ns: slices.Concat(c.Removed(), c.Added()), Compress: true}
	packed, err := m.Pack()
	if err != nil {
		return maxUpdate + 1
	}
	return len(c.Name) + 10 + len(packed) // with nxrrset
}

func (c Change) writePrerequisites(b *strings.Builder) {
	name, kind := escapeSpaces(c.Name), resolver.TypeString(c.Type)
	if len(c.Before) == 0 {
		fmt.Fprintf(b, "prereq nxrrset %s IN %s\n", name, kind)
	}
	for _, rr := range c.Before {
		fmt.Fprintf(b, "prereq yxrrset %s IN %s %s\n", name, kind, updateData(rr))
	}
}

func (c Change) writeUpdates(b *strings.Builder) {
	name, kind := escapeSpaces(c.Name), resolver.TypeString(c.Type)
	for _, id := range c.Rules {
		fmt.Fprintf(b, "; %s\n", id.Comment())
	}
	for _, rr := range c.Removed() {
		fmt.Fprintf(b, "update delete %s IN %s %s\n", name, kind, updateData(rr))
	}
	for _, rr := range c.Added() {
		fmt.Fprintf(b, "update add %s %d IN %s %s\n", name, rr.Header().Ttl, kind, updateData(rr))
	}
}

// updateData returns data as zone text, or as RFC 3597, Section 5, writes data of any type,
// where that is too long for a line: \DDD takes four characters, and this two.
func updateData(rr dns.RR) string {
	data := txt.Data(rr)
	if len(data) < maxCommand-4*maxName {
		return data
	}
	var unknown dns.RFC3597
	if err := unknown.ToRFC3597(rr); err != nil {
		return data // nsupdate says what is wrong
	}
	return fmt.Sprintf(`\# %d %s`, len(unknown.Rdata)/2, unknown.Rdata)
}

// maxName is the octets of a name (RFC 1035, Section 2.3.4).
const maxName = 255

// escapeSpaces returns a canonical name for nsupdate, which ends a name at any space, even
// an escaped one. The target of an alias may have one.
func escapeSpaces(name string) string { return strings.ReplaceAll(name, `\ `, `\032`) }
