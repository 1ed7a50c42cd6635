package rp_test

import (
	"encoding/json"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/rp"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN test.\n$TTL 60\na RP j\\.s.a b\nb TXT \"\\255\"\nc RP . d\n")
	if err != nil {
		t.Fatal(err)
	}
	one, err := rp.Lookup(t.Context(), zones, "a.test")
	if err != nil {
		t.Fatal(err)
	}
	two, err := rp.Lookup(t.Context(), zones, "c.test")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{one, new([]rp.Person), `[{"mailbox":"j.s@a.test","text":"b.test.","texts":["�"],"response":{"name":"b.test.","type":"TXT","status":"NOERROR","authentic":false,"server":"zone test.","records":["b.test. 60 IN TXT \"\\255\""],"ttl":"1m0s"},"rr":"a.test. 60 IN RP j\\.s.a.test. b.test."}]`},
		{two, new([]rp.Person), `[{"text":"d.test.","response":{"name":"d.test.","type":"TXT","status":"NXDOMAIN","authentic":false,"server":"zone test.","ttl":"5m0s"},"rr":"c.test. 60 IN RP . d.test.","err":{"text":"rp: there is no TXT record where the RP record points to: d.test.: NXDOMAIN"}}]`},
		{rp.Person{}, new(rp.Person), `{}`},
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
