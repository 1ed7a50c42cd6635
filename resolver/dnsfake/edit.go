package dnsfake

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Add adds zone text to the zones, as resolver.Zones.With reads it: records for these
// zones, or more zones. If there is exactly one zone, names are relative to it until an
// $ORIGIN says otherwise. A record without a TTL gets 300 seconds.
//
//	fake.Add(`mail AAAA 2001:db8::10`)
func (f *Fake) Add(zoneText string) { f.add("Add", zoneText) }

// Set is like Add, but the RRsets (name and type) of the text replace those of the zones. A
// CNAME replaces all records of its name, and other records replace a CNAME. A Lookup sees
// either none or all of the change.
//
//	fake.Set(`mail A 192.0.2.11`) // its only IPv4 address from now on
//
// A name that was set exists, so that a wildcard no longer answers for any of its types. To
// change the wildcard, set its own name, such as *.example.test.
func (f *Fake) Set(zoneText string) { f.set("Set", zoneText) }

// AddRR adds records to the zones, such as those that the builders of this module return. It
// panics if a record is nil or its name is outside every zone.
func (f *Fake) AddRR(records ...dns.RR) {
	for i, rr := range records {
		if txt.Record(rr) == "" {
			panic(fmt.Sprintf("dnsfake: AddRR: record %d of %d is nil", i+1, len(records)))
		}
	}
	f.add("AddRR", text(records...))
}

// AddTXT adds a TXT record with a text of up to 65279 octets of any value, cut into strings
// of at most 255. The name is absolute, with or without its final dot, and the TTL is 300
// seconds. It panics if the name is outside every zone.
func (f *Fake) AddTXT(name, text string) { f.add("AddTXT", textRecord("AddTXT", name, text)) }

// SetTXT is like AddTXT, but the record replaces all TXT records of its name.
//
//	fake.SetTXT("example.test", "v=spf1 -all") // its only text from now on
func (f *Fake) SetTXT(name, text string) { f.set("SetTXT", textRecord("SetTXT", name, text)) }

// Remove removes the records of a type from a name, or all records of the name if the type is
// dns.TypeANY. The name then does not exist (NXDOMAIN), unless it has other records, has
// names below it, or is the apex of a zone. The zone stays even without its SOA record: it
// gets one that is made up.
//
// It panics if the zones do not have such records, because a typo would leave the test with
// the wrong DNS. Records that a name has only from a wildcard are not its own: deny them by
// Fail with NXDomain or NoData.
func (f *Fake) Remove(name string, qtype uint16) {
	q := question("Remove", name, qtype)
	f.edit("Remove", func(zones *resolver.Zones) (*resolver.Zones, error) { return zones.Replace("", q) })
}

func (f *Fake) add(method, zoneText string) {
	f.edit(method, func(zones *resolver.Zones) (*resolver.Zones, error) { return zones.With(zoneText) })
}

func (f *Fake) set(method, zoneText string) {
	f.edit(method, func(zones *resolver.Zones) (*resolver.Zones, error) { return zones.Replace(zoneText) })
}

// edit changes the zones for all questions from now on.
func (f *Fake) edit(method string, change func(*resolver.Zones) (*resolver.Zones, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	zones, err := change(f.zones)
	if err != nil {
		panic(fmt.Sprintf("dnsfake: %s: %v", method, err))
	}
	f.zones = zones
}

// textRecord returns zone text with a TXT record.
func textRecord(method, name, octets string) string {
	q := question(method, name, dns.TypeTXT)
	return text(&dns.TXT{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Type, Class: dns.ClassINET, Ttl: 300}, Txt: txt.Split(octets)})
}

// text returns records as zone text.
func text(records ...dns.RR) string {
	var b strings.Builder
	for _, rr := range records {
		b.WriteString(txt.Record(rr) + "\n")
	}
	return b.String()
}
