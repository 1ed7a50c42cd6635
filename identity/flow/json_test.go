package flow_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/flow"
)

// A value that was read back has the same JSON.
func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		value, again any
		want         string
	}{
		{flow.Node{Name: "a.test.", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Traits: flow.Alias | flow.Machine}, new(flow.Node), `{"name":"a.test.","addrs":["192.0.2.1"],"traits":"alias,machine"}`},
		{flow.Node{}, new(flow.Node), `{"name":""}`},
		{flow.Flow{Kind: flow.Sender, Name: "a.test.", Node: "*.test.", Host: "b.test.", Net: netip.MustParsePrefix("192.0.2.0/24"), Len4: 28, Len6: 64, Sign: flow.SPFMX, By: "a.test."}, new(flow.Flow),
			`{"kind":"sender","name":"a.test.","node":"*.test.","host":"b.test.","net":"192.0.2.0/24","len4":28,"len6":64,"sign":"spf-mx","by":"a.test."}`},
		{flow.Flow{}, new(flow.Flow), `{"name":"","node":""}`},
		{flow.Note{}, new(flow.Note), `{"name":"","text":""}`},
		{flow.Observation{Helo: "x"}, new(flow.Observation), `{"address":"","helo":"x"}`},
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
