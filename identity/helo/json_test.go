package helo_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN a.test.\n$TTL 60\nmx_1 A 192.0.2.10\n")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("192.0.2.10")
	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{helo.Checker{Resolver: zones}.Check(t.Context(), "mx_1.a.test.", addr), new(helo.Result), `{"argument":{"text":"mx_1.a.test.","name":"mx_1.a.test.","faults":"underscore,final-dot"},"status":"pass","found":["192.0.2.10"],"responses":[{"name":"mx_1.a.test.","type":"A","status":"NOERROR","authentic":false,"server":"zone a.test.","records":["mx_1.a.test. 60 IN A 192.0.2.10"],"ttl":"1m0s"}],"authentic":false}`},
		{helo.Checker{}.Check(t.Context(), "a..b", addr), new(helo.Result), `{"argument":{"text":"a..b"},"status":"permerror","authentic":false,"err":{"text":"HELO \"a..b\": empty label at offset 2"}}`},
		{helo.Result{}, new(helo.Result), `{"argument":{"text":""},"authentic":false}`},
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
