package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/rule"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {

	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{rule.Record{RR: &dns.A{Hdr: dns.RR_Header{Name: "a.test.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: []byte{192, 0, 2, 1}}, Rules: []rule.ID{"ptr-exists"}}, new(rule.Record), `{"record":"a.test. 60 IN A 192.0.2.1","rules":["ptr-exists"]}`},
		{rule.Record{}, new(rule.Record), `{"record":null,"rules":[]}`},
		{rule.Rule{}, new(rule.Rule), `{"id":"","title":""}`},
		{rule.Outcome{Code: rule.CodeCutOff, Status: rule.Undecided, Text: "x"}, new(rule.Outcome), `{"code":"cut-off","status":"undecided","text":"x"}`},
	} {
		first, err := json.Marshal(tt.value)
		if err != nil || string(first) != tt.want {
			t.Errorf("%T: %s, %v\nwant %s", tt.value, first, err, tt.want)
			continue
		}
		if err := json.Unmarshal(first, tt.again); err != nil {
			t.Errorf("%s: %v", first, err)
		}
		if second, err := json.Marshal(tt.again); err != nil || string(second) != tt.want {
			t.Errorf("%s\nthen %s, %v", first, second, err)
		}
	}
}
