package hostile_test

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/hostile"
)

// A wide zone has many names, a deep one many records at one name; both have one SOA.
func TestZones(t *testing.T) {
	for name, tt := range map[string]struct {
		records []dns.RR
		owners  int
	}{
		"wide": {hostile.WideZone(20), 21},
		"deep": {hostile.DeepZone(20), 1},
	} {
		owners := make(map[string]bool)
		soas := 0
		for _, rr := range tt.records {
			owners[rr.Header().Name] = true
			if rr.Header().Rrtype == dns.TypeSOA {
				soas++
			}
		}
		if len(tt.records) != 1+5*20 || len(owners) != tt.owners || soas != 1 {
			t.Errorf("%s: %d records of %d names, %d SOA", name, len(tt.records), len(owners), soas)
		}
	}
}
