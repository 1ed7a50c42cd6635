package nullmx_test

import (
	"encoding/json"
	"testing"

	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN test.\n$TTL 60\nnull MX 5 .\nother MX 10 gone\n")
	if err != nil {
		t.Fatal(err)
	}
	checker := nullmx.Checker{Resolver: zones}
	other := checker.Check(t.Context(), "other.test")
	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{checker.Check(t.Context(), "null.test"), new(nullmx.Result), `{"domain":"null.test.","status":"null","lints":[{"code":"preference","text":"the preference of the Null MX is 5: RFC 7505 specifies 0","record":"null.test. 60 IN MX 5 ."}],"responses":[{"name":"null.test.","type":"MX","status":"NOERROR","authentic":false,"server":"zone test.","records":["null.test. 60 IN MX 5 ."],"ttl":"1m0s"}],"authentic":false,"mx":["null.test. 60 IN MX 5 ."]}`},
		{checker.Check(t.Context(), "192.0.2.1"), new(nullmx.Result), `{"domain":"192.0.2.1","status":"permerror","authentic":false,"err":{"text":"not a domain: \"192.0.2.1\""}}`},
		{nullmx.Result{}, new(nullmx.Result), `{"domain":"","authentic":false}`},
		{nullmx.Checker{}.Targets(t.Context(), other), new([]nullmx.Target), `[{"host":"gone.test.","preference":10,"err":{"text":"lookup gone.test. A: no Resolver given","temporary":true}}]`},
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
