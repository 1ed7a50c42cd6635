package fcrdns_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN test.\n$TTL 60\nmx A 192.0.2.10\n$ORIGIN 2.0.192.in-addr.arpa.\n10 PTR mx.test.\n")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("192.0.2.10")
	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{fcrdns.Checker{Resolver: zones}.Check(t.Context(), addr), new(fcrdns.Result), `{"addr":"192.0.2.10","status":"pass","name":"mx.test.","names":[{"name":"mx.test.","outcome":"confirmed","response":{"name":"mx.test.","type":"A","status":"NOERROR","authentic":false,"server":"zone test.","records":["mx.test. 60 IN A 192.0.2.10"],"ttl":"1m0s"}}],"skipped":0,"ptr":{"name":"10.2.0.192.in-addr.arpa.","type":"PTR","status":"NOERROR","authentic":false,"server":"zone 2.0.192.in-addr.arpa.","records":["10.2.0.192.in-addr.arpa. 60 IN PTR mx.test."],"ttl":"1m0s"},"authentic":false}`},
		{fcrdns.Checker{}.Check(t.Context(), addr), new(fcrdns.Result), `{"addr":"192.0.2.10","status":"temperror","skipped":0,"ptr":{"name":"10.2.0.192.in-addr.arpa.","type":"PTR","err":{"text":"lookup 10.2.0.192.in-addr.arpa. PTR: no Resolver given","temporary":true}},"authentic":false,"err":{"text":"lookup 10.2.0.192.in-addr.arpa. PTR: no Resolver given","temporary":true}}`},
		{fcrdns.Result{}, new(fcrdns.Result), `{"skipped":0,"authentic":false}`},
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
