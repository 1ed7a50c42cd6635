package draft_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bonafide-mta/bonafide/identity/draft"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A check of SPF that is decided gives up its other questions. They have no answer then, and
// are asked again when another check needs one.
func TestQuestionsGivenUp(t *testing.T) {
	zones, err := resolver.ParseZones(`
$TTL 300
$ORIGIN .
@ SOA a b 1 1 1 1 60
backup.provider.example. A 203.0.113.26
$ORIGIN example.test.
@ SOA ns hostmaster 1 1 1 1 60
@ MX 10 mail
@ MX 10 backup.provider.example.
@ TXT "v=spf1 ?mx -all"
mail A 192.0.2.10
out A 192.0.2.12
www A 192.0.2.80
`)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		slow := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			if name == "backup.provider.example." {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					return resolver.Answer{}, ctx.Err()
				}
			}
			return zones.Lookup(ctx, name, qtype)
		})
		_, comments, err := draft.FromDNS(t.Context(), slow, "example.test", nil, zones.Records())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range comments {
			if strings.Contains(c.Text, "not known") {
				t.Errorf("%s: %s", c.Path, c.Text)
			}
		}
	})
}
