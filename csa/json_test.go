package csa_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN a.test.\n$TTL 60\n_client._smtp.mx SRV 1 2 1 mx\nmx A 192.0.2.10\n")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("192.0.2.10")
	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{csa.Checker{Resolver: zones}.Check(t.Context(), addr, "mx.a.test"), new(csa.Result), `{"status":"pass","reason":"authorized","addr":"192.0.2.10","helo":"mx.a.test","name":"mx.a.test.","responses":[{"name":"_client._smtp.mx.a.test.","type":"SRV","status":"NOERROR","authentic":false,"server":"zone a.test.","records":["_client._smtp.mx.a.test. 60 IN SRV 1 2 1 mx.a.test."],"ttl":"1m0s"},{"name":"mx.a.test.","type":"A","status":"NOERROR","authentic":false,"server":"zone a.test.","records":["mx.a.test. 60 IN A 192.0.2.10"],"ttl":"1m0s"}],"skipped":0,"authentic":false,"record":"_client._smtp.mx.a.test. 60 IN SRV 1 2 1 mx.a.test."}`},
		{csa.Checker{Resolver: zones}.Check(t.Context(), addr, "mx.b.test"), new(csa.Result), `{"status":"temperror","reason":"temporary","addr":"192.0.2.10","helo":"mx.b.test","name":"mx.b.test.","responses":[{"name":"_client._smtp.mx.b.test.","type":"SRV","err":{"text":"lookup _client._smtp.mx.b.test. SRV: the name is outside every zone","temporary":true}}],"skipped":0,"authentic":false,"err":{"text":"lookup _client._smtp.mx.b.test. SRV: the name is outside every zone","temporary":true}}`},
		{csa.Result{}, new(csa.Result), `{"skipped":0,"authentic":false}`},
		{csa.LintRecords([]*dns.SRV{{Hdr: dns.RR_Header{Name: "_client._smtp.a.test.", Rrtype: dns.TypeSRV, Class: dns.ClassINET}, Priority: 2, Target: "."}}, false), new([]csa.Lint), `[{"code":"revision","text":"the priority is 2: receivers pass over all but 1","record":"_client._smtp.a.test. 0 IN SRV 2 0 0 ."}]`},
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
