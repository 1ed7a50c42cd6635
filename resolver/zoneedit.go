package resolver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// With returns the zones as they would be with more text below theirs: records for
// them, or more zones. Where there is one zone, names are relative to it until an
// $ORIGIN says otherwise; a record without a TTL gets 300 seconds. The error is that
// of [ParseZones]; the zones themselves do not change.
func (z *Zones) With(text string) (*Zones, error) { return z.edited(text, false, nil) }

// Replace returns the zones as they would be after a change: the RRsets (name and type) of the
// text replace those of the zones, and the RRsets of remove are gone. In remove, [dns.TypeANY]
// means all RRsets of the name. The text is read like that of [Zones.With].
//
// A CNAME in the text also replaces all other records of its name, and other records replace
// a CNAME, because the two cannot be at one name. A zone stays even if all its records are
// removed: it gets the SOA record that ParseZones makes up. A name without records exists if
// there are names below it.
//
// It is an error to remove records that the zones do not have. All errors of [ParseZones] are
// errors here, too.
func (z *Zones) Replace(text string, remove ...Question) (*Zones, error) {
	gone := make(map[Question]bool, len(remove))
	for _, q := range remove {
		canonical, err := Canonical(q.Name)
		if err != nil {
			return nil, err
		}
		q.Name = canonical
		if why := z.lacks(q); why != "" {
			return nil, fmt.Errorf("remove %s: %s", q, why)
		}
		gone[q] = true
	}
	return z.edited(text, true, gone)
}

// edited returns the zones with more text, and without the RRsets that are gone.
func (z *Zones) edited(text string, replaces bool, gone map[Question]bool) (*Zones, error) {
	reader := newZoneReader("")
	reader.replaces = replaces
	for _, apex := range z.Origins() {
		reader.setOrigin(apex)
		reader.before[apex] = z.zones[apex].source
		for rr := range z.zones[apex].records() {
			h := rr.Header()
			if madeUp(rr) || gone[Question{h.Name, h.Rrtype}] || gone[Question{h.Name, dns.TypeANY}] {
				continue // a made-up one would be listed beside the one that the text has
			}
			reader.addRR(rr)
		}
	}
	reader.origin, reader.owner = "", ""
	if origins := z.Origins(); len(origins) == 1 {
		reader.setOrigin(origins[0])
	}
	reader.ttl, reader.ttlFrom = madeUpTTL, true
	cutEntries(text, reader.read)
	return reader.zones()
}

// dropReplaced drops the records that those of the text replace.
func (z *zoneReader) dropReplaced(zones map[string]*zone) {
	type owner struct {
		in   *zone
		name string
	}
	types := make(map[owner][]uint16) // of the text
	for _, r := range z.records {
		if at := (owner{z.zoneOf(zones, r), r.header.Name}); r.line != 0 && !slices.Contains(types[at], r.header.Rrtype) {
			types[at] = append(types[at], r.header.Rrtype)
		}
	}
	z.records = slices.DeleteFunc(z.records, func(r zoneRecord) bool {
		return r.line == 0 && slices.ContainsFunc(types[owner{z.zoneOf(zones, r), r.header.Name}], func(rtype uint16) bool {
			return excludes(rtype, r.header.Rrtype)
		})
	})
}

// excludes reports whether records of one type replace those of another: the same type, or
// one of the two is CNAME (RFC 1034, Section 3.6.2).
func excludes(rtype, before uint16) bool {
	switch {
	case rtype == before:
		return true
	case rtype == dns.TypeCNAME:
		return !besideCNAME(before)
	}
	return before == dns.TypeCNAME && !besideCNAME(rtype)
}

// lacks returns why the zones have no such records to remove, "" if they have.
func (z *Zones) lacks(q Question) string {
	var others []string
	for _, apex := range z.Origins() { // a delegation and the zone it is to have the same name
		if !dnsname.Under(q.Name, apex) {
			continue
		}
		n := z.zones[apex].closest(q.Name)
		if n.name != q.Name {
			continue
		}
		for _, set := range n.sets {
			switch {
			case madeUp(set.records[0]):
			case set.rtype == q.Type || q.Type == dns.TypeANY:
				return ""
			default:
				others = append(others, TypeString(set.rtype))
			}
		}
	}
	n := z.closest(q.Name, q.Type)
	switch {
	case n == nil:
		return "the name is in no zone"
	case len(others) > 0:
		return "the name has no such records, but " + strings.Join(others, ", ")
	case n.name == q.Name:
		return "the name has no records of its own"
	case n.wild != nil:
		return "the name has no records of its own: it is answered from " + n.wild.name
	}
	return "the name does not exist"
}
