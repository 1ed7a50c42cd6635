package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

func TestSilent(t *testing.T) {
	o := parse(t, `
domain: example.test
mtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: Post.example.test}]
mail: [{domain: example.test}, {domain: news.example.test}]
`)
	zones, err := resolver.ParseZones(`
$TTL 300
$ORIGIN example.test.
@       SOA ns hostmaster 1 1 1 1 60
@       NS  ns
@       A   192.0.2.1
ns      A   192.0.2.53
WWW     A   192.0.2.80
www     AAAA 2001:db8::80
six     AAAA 2001:db8::6
post    A   192.0.2.10
mta1    A   192.0.2.10
news    A   192.0.2.11
in      A   192.0.2.12
in      MX  10 post
null    A   192.0.2.13
null    MX  0 .
null    TXT "V=SPF1 -all"
sends   A   192.0.2.14
sends   TXT "v=spf1 a -all"
opens   A   192.0.2.14
opens   TXT "v=spf1"
text    A   192.0.2.15
text    TXT "v=spf10 is none"
alias   CNAME www
only    TXT "no address"
*.wild  A   192.0.2.16
_under  A   192.0.2.17
sub     NS  ns.sub
ns.sub  A   192.0.2.54
sub     A   192.0.2.55
$ORIGIN other.test.
@       SOA ns hostmaster 1 1 1 1 60
www     A   192.0.2.81
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ns.example.test.", "null.example.test.", "six.example.test.", "text.example.test.", "www.example.test."}
	if diff := cmp.Diff(want, plan.Silent(o, zones.Records())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	o.Names = plan.Silent(o, zones.Records())
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}
