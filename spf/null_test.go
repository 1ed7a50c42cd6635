package spf_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// What a null SPF record is: of the record alone, and with redirects followed.
func TestIsNull(t *testing.T) {
	for _, tt := range []struct {
		text  string
		alone bool
		whole bool
	}{
		{"v=spf1 -all", true, true},
		{"v=spf1  -all", true, true},
		{"v=spf1 -all   ", true, true},
		{"V=SPF1 -ALL", true, true},
		{"v=spf1 -all exp=why.example.test", true, true},
		{"v=spf1 exp=why.example.test -all", true, true},
		{"v=spf1 ra=postmaster -all", true, true},
		{"v=spf1 -ip4:192.0.2.1 -all", true, true},
		{"v=spf1 -ip6:2001:db8::/32 -all", true, true},
		{"v=spf1 -a:host.example.test -mx -all", true, true},
		{"v=spf1 -exists:%{i}.example.test -all", true, true},
		{"v=spf1 -all ip4:192.0.2.1", true, true},
		{"v=spf1 -all a mx +all", true, true},
		{"v=spf1 -all redirect=open.example.test", true, true},
		{"v=spf1 redirect=open.example.test -all", true, true}, // RFC 7208, Section 6.1: ignored

		{"v=spf1 redirect=null.example.test", false, true},
		{"v=spf1 REDIRECT=Null.Example.Test.", false, true},
		{"v=spf1 -ip4:192.0.2.1 redirect=null.example.test", false, true},
		{"v=spf1 redirect=twice.example.test", false, true},
		{"v=spf1 redirect=open.example.test", false, false},
		{"v=spf1 redirect=two.example.test", false, false},
		{"v=spf1 redirect=none.example.test", false, false},
		{"v=spf1 redirect=broken.example.test", false, false},
		{"v=spf1 redirect=loop.example.test", false, false},
		{"v=spf1 redirect=example.test", false, false},
		{"v=spf1 redirect=%{d2}", false, false},
		{"v=spf1 ip4:192.0.2.1 redirect=null.example.test", false, false},
		{"v=spf1 ?ip4:192.0.2.1 redirect=null.example.test", false, false},

		{"v=spf1", false, false},
		{"v=spf1 ~all", false, false},
		{"v=spf1 ?all", false, false},
		{"v=spf1 +all", false, false},
		{"v=spf1 all", false, false},
		{"v=spf1 ip4:0.0.0.0 -all", false, false},
		{"v=spf1 ~ip4:192.0.2.1 -all", false, false},
		{"v=spf1 a -all", false, false}, // the name has no address, yet
		{"v=spf1 include:null.example.test -all", false, false},
		{"v=spf1 -include:none.example.test -all", false, false}, // permerror
		{"v=spf1 -all -all:x", false, false},
		{"v=spf1 -all nonsense", false, false},
		{"v=spf1; -all", false, false},
		{" v=spf1 -all", false, false},
		{"", false, false},
	} {
		if got := spf.IsNull(tt.text); got != tt.alone {
			t.Errorf("%q: IsNull is %t", tt.text, got)
		}
		zones, err := resolver.ParseZones(fmt.Sprintf(`
$TTL 300
$ORIGIN example.test.
@      TXT %q
null   TXT "v=spf1 -all"
twice  TXT "v=spf1 redirect=null.example.test"
open   TXT "v=spf1 +all"
two    TXT "v=spf1 -all"
two    TXT "V=SPF1 -all"
broken TXT "v=spf1 -all nonsense"
loop   TXT "v=spf1 redirect=loop.example.test"
why    TXT "nobody"
`, tt.text))
		if err != nil {
			t.Fatal(err)
		}
		a := spf.Analyze(t.Context(), zones, "example.test")
		if a.IsNull() != tt.whole {
			t.Errorf("%q: Analysis.IsNull is %t", tt.text, !tt.whole)
		}
		for _, addr := range []string{"192.0.2.1", "0.0.0.0", "2001:db8::1"} {
			r := spf.Checker{Resolver: zones}.CheckHelo(t.Context(), netip.MustParseAddr(addr), "example.test")
			if tt.whole && r.Status != spf.Fail {
				t.Errorf("%q: %s of %s", tt.text, r.Status, addr)
			}
			if r.IsNull() && !tt.whole || tt.whole && !r.IsNull() && r.Term.Kind == spf.All {
				t.Errorf("%q: Result.IsNull is %t", tt.text, r.IsNull())
			}
		}
	}
}

func TestSelect(t *testing.T) {
	for _, tt := range []struct {
		texts, want string
		err         error
	}{
		{"", "", spf.ErrNoRecord},
		{"v=DKIM1|v=spf10 -all", "", spf.ErrNoRecord},
		{"v=DKIM1|V=SPF1 -all|other", "V=SPF1 -all", nil},
		{"v=spf1 nonsense", "v=spf1 nonsense", nil},
		{"v=spf1|v=spf1 -all", "", spf.ErrRecords},
	} {
		if got, err := spf.Select(strings.Split(tt.texts, "|")); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v", tt.texts, got, err)
		}
	}
}
