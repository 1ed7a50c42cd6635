package rule_test

import (
	"net"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

// A record is zone text, and a rule is named with its title in comments.
func TestRecord(t *testing.T) {
	id := rule.All()[0].ID
	r := rule.Record{RR: &dns.A{Hdr: dns.RR_Header{Name: "mail.example.test.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: rule.TTL}, A: net.IPv4(192, 0, 2, 1)}, Rules: []rule.ID{id}}
	if got, want := r.String(), "mail.example.test. 3600 IN A 192.0.2.1"; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
	if got, want := id.Comment(), string(id)+": "+rule.All()[0].Title; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
}

// Every rule can be cut off, and no catalogue entry lists that.
func TestCutOff(t *testing.T) {
	for _, r := range rule.All() {
		if o, ok := r.Outcome(rule.CodeCutOff); !ok || o.Status != rule.Undecided || o.Remedy == "" {
			t.Errorf("%s: %v", r.ID, o)
		}
		for _, o := range r.Outcomes {
			if o.Code == rule.CodeCutOff {
				t.Errorf("%s lists it", r.ID)
			}
		}
	}
}
