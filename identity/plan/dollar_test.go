package plan_test

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Every record that zone text can hold goes through an overlay of its zone: names that begin
// with a dollar sign, octets that a line cannot have, and data that nobody reads.
func TestOverlayKeepsRecords(t *testing.T) {
	zones, err := resolver.ParseZones(`$ORIGIN example.test.
$TTL 300
@ SOA ns h 1 2 3 4 5
@ NS ns
ns A 192.0.2.1
\$a A 192.0.2.2
\$TTL MX 10 \$a
\$x\ y\;z\"\009\@ TXT "\000\255\"\\ ; $"
l LOC somewhere "	x"
m HTTPS 1 . key667="a b"
n TYPE65280 \# 3 010203
o NULL \# 0
p APL
`)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := plan.FromZones(zones.Records())
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := pub.Overlay(zones, nil)
	if err != nil {
		t.Fatal(err)
	}
	for rr := range zones.Records() {
		h := rr.Header()
		before, errBefore := zones.Lookup(t.Context(), h.Name, h.Rrtype)
		after, errAfter := overlay.Lookup(t.Context(), h.Name, h.Rrtype)
		if len(before.Records) != len(after.Records) || (errBefore == nil) != (errAfter == nil) {
			t.Errorf("%v: %v, %v became %v, %v", rr, before.Records, errBefore, after.Records, errAfter)
			continue
		}
		for i, rr := range before.Records {
			if after.Records[i].String() != rr.String() {
				t.Errorf("%v became %v", rr, after.Records[i])
			}
		}
	}
	var b strings.Builder
	added := []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "$b.example.test.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: []byte{192, 0, 2, 9}}}
	changes := []plan.Change{{Zone: "example.test.", Name: "$b.example.test.", Type: dns.TypeA, After: added}}
	if err := plan.WriteZone(&b, changes); err != nil {
		t.Fatal(err)
	}
	if more, err := resolver.ParseZones(b.String()); err != nil {
		t.Errorf("%v\n%s", err, b.String())
	} else if a, err := more.Lookup(t.Context(), "$b.example.test", dns.TypeA); err != nil || len(a.Records) != 1 {
		t.Errorf("%v, %v\n%s", a.Records, err, b.String())
	}
}
