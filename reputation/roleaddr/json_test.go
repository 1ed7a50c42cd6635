package roleaddr_test

import (
	"encoding/json"
	"testing"

	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {

	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{roleaddr.Checker{}.Check(t.Context(), "a.test"), new(roleaddr.Result), `{"domain":"a.test.","status":"temperror","mx":{"domain":"a.test.","status":"temperror","responses":[{"name":"a.test.","type":"MX","err":{"text":"lookup a.test. MX: no Resolver given","temporary":true}}],"authentic":false,"err":{"text":"lookup a.test. MX: no Resolver given","temporary":true}},"err":{"text":"lookup a.test. MX: no Resolver given","temporary":true}}`},
		{roleaddr.Result{}, new(roleaddr.Result), `{"domain":""}`},
		{roleaddr.Mailbox{}, new(roleaddr.Mailbox), `{"address":""}`},
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
