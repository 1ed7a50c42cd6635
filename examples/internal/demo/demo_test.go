package demo_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/examples/internal/demo"
)

func TestZones(t *testing.T) {
	for _, text := range []string{demo.ClientsZone, demo.OrganizationZone} {
		zones, err := demo.Read(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(zones.Origins()) < 3 {
			t.Errorf("zones %v", zones.Origins())
		}
	}
	for _, c := range demo.Clients {
		if _, err := netip.ParseAddr(c.Addr); err != nil {
			t.Error(err)
		}
		if text := c.String(); !strings.Contains(text, c.Who) || !strings.HasSuffix(text, "<"+c.Recipient+">") {
			t.Error(text)
		}
	}
}
