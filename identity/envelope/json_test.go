package envelope_test

import (
	"encoding/json"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/envelope"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {

	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{envelope.Reply{Code: 550, Enhanced: envelope.EnhancedCode{5, 7, 23}, Text: "no"}, new(envelope.Reply), `{"code":550,"enhanced":"5.7.23","text":"no"}`},
		{envelope.Reply{}, new(envelope.Reply), `{"code":0}`},
		{envelope.EnhancedCode{}, new(envelope.EnhancedCode), `""`},
		{envelope.Path{Address: "a@b.test", Domain: "b.test."}, new(envelope.Path), `{"address":"a@b.test","domain":"b.test."}`},
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

func TestEnhancedCodeFails(t *testing.T) {
	for _, text := range []string{"5", "5.7", "5.7.x", "5.7.1.1", "..", "a"} {
		c := envelope.EnhancedCode{1, 2, 3}
		if err := c.UnmarshalText([]byte(text)); err == nil || c != (envelope.EnhancedCode{1, 2, 3}) {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
}
