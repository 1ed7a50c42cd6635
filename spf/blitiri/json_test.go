package blitiri_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {

	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{blitiri.Checker{}.Check(t.Context(), netip.MustParseAddr("192.0.2.1"), "a.test", "u@a.test"), new(blitiri.Result), `{"status":"temperror","err":{"text":"lookup a.test: no Resolver given","temporary":true}}`},
		{blitiri.Result{}, new(blitiri.Result), `{}`},
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
