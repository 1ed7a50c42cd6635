package plan_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// Parts of a plan read back as the same JSON; a plan does not.
func TestJSON(t *testing.T) {
	rr := &dns.PTR{Hdr: dns.RR_Header{Name: "1.2.0.192.in-addr.arpa.", Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 60}, Ptr: "a.test."}
	change := plan.Change{Owner: plan.OwnerISP, Name: "1.2.0.192.in-addr.arpa.", Type: dns.TypePTR, After: []dns.RR{rr}, Rules: []rule.ID{"ptr-exists"}, Signed: true, Wait: 90 * time.Minute}
	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{change, new(plan.Change), `{"owner":"isp","zone":"","name":"1.2.0.192.in-addr.arpa.","type":"PTR","before":[],"after":["1.2.0.192.in-addr.arpa. 60 IN PTR a.test."],"rules":["ptr-exists"],"signed":true,"wait":"1h30m0s"}`},
		{plan.Change{}, new(plan.Change), `{"zone":"","name":"","type":"None","before":[],"after":[],"rules":[],"signed":false,"wait":"0s"}`},
		{plan.Kept{Records: []dns.RR{rr}, Reason: "x"}, new(plan.Kept), `{"records":["1.2.0.192.in-addr.arpa. 60 IN PTR a.test."],"wanted":[],"reason":"x"}`},
		{plan.Kept{}, new(plan.Kept), `{"records":[],"wanted":[],"reason":""}`},
		{plan.Step{Stage: plan.Observe, Hosts: []plan.Host{{MTA: "mx1"}}}, new(plan.Step), `{"stage":"observe","gate":true,"owners":[],"changes":[],"hosts":[{"mta":"mx1","addresses":[],"ptr":"","helo":"","observed":[],"refused":""}],"names":[],"flows":[],"wait":"0s"}`},
		{plan.Step{Changes: []plan.Change{{}}}, new(plan.Step), `{"gate":false,"owners":[],"changes":[{"zone":"","name":"","type":"None","before":[],"after":[],"rules":[],"signed":false,"wait":"0s"}],"hosts":[],"names":[],"flows":[],"wait":"0s"}`},
		{plan.Refusal{}, new(plan.Refusal), `{"mta":"","value":"","reason":""}`},
		{plan.Plan{}, new(any), `{"organization":"","partial":false,"steps":[],"wanted":[],"kept":[],"refused":[],"dropped":[],"unlisted":[],"notes":[],"contradictions":[]}`},
	} {
		first, err := json.Marshal(tt.value)
		if err != nil || string(first) != tt.want {
			t.Errorf("%T: %s, %v\nwant %s", tt.value, first, err, tt.want)
			continue
		}
		if err := json.Unmarshal(first, tt.again); err != nil {
			t.Errorf("%s: %v", first, err)
		}
		second, err := json.Marshal(tt.again)
		if _, isPlan := tt.value.(plan.Plan); err != nil || !isPlan && string(second) != tt.want {
			t.Errorf("%s\nthen %s, %v", first, second, err)
		}
	}
	var b bytes.Buffer
	if err := (&plan.Plan{}).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), new(plan.Plan)); err == nil {
		t.Error("a plan lacks what was published")
	}
}
