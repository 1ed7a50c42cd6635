package spf_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// An analysis never says that a policy denies whom a term authorizes that was not looked at,
// wherever it is: of so many terms, or of so many exchangers of one.
func TestCapIsNoDenial(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.10")
	rapid.Check(t, func(t *rapid.T) {
		terms := rapid.IntRange(1, 80).Draw(t, "terms")
		hosts := rapid.IntRange(1, 30).Draw(t, "exchangers")
		good := rapid.IntRange(0, terms+hosts-1).Draw(t, "has the client")
		var record, text strings.Builder
		for i := range terms + hosts {
			addr := "192.0.2.99"
			if i == good {
				addr = client.String()
			}
			fmt.Fprintf(&text, "h%d A %s\n", i, addr)
			if i < terms {
				fmt.Fprintf(&record, " a:h%d.example.test", i)
			} else {
				fmt.Fprintf(&text, "@ MX 10 h%d\n", i)
			}
		}
		octets := "v=spf1 mx" + record.String() + " -all"
		text.WriteString("@ TXT")
		for ; len(octets) > 255; octets = octets[255:] {
			fmt.Fprintf(&text, " %q", octets[:255])
		}
		fmt.Fprintf(&text, " %q\n", octets)
		zones, err := resolver.ParseZones("$TTL 300\n$ORIGIN example.test.\n" + text.String())
		if err != nil {
			t.Fatal(err)
		}
		status := spf.Analyze(t.Context(), zones, "example.test").Status(client)
		if status != spf.Pass && (status != spf.TempError || terms < 64 && hosts <= 20) {
			t.Fatalf("%d terms, %d exchangers, the client is of %d: %s", terms, hosts, good, status)
		}
	})
}
