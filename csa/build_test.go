package csa_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

func TestBuilders(t *testing.T) {
	for _, tt := range []struct {
		build func(string, uint32) (*dns.SRV, error)
		name  string
		want  string
	}{
		{csa.Authorize, "Post.Bücher.example.", "_client._smtp.post.xn--bcher-kva.example.\t300\tIN\tSRV\t1 2 1 post.xn--bcher-kva.example."},
		{csa.Deny, "www.example.test", "_client._smtp.www.example.test.\t300\tIN\tSRV\t1 1 0 www.example.test."},
		{csa.DenyUnlisted, "example.test", "_client._smtp.example.test.\t300\tIN\tSRV\t1 1 1 example.test."},
		{csa.DenyUnlisted, "a.b.c.d.example.test", "_client._smtp.a.b.c.d.example.test.\t300\tIN\tSRV\t1 1 1 a.b.c.d.example.test."},
	} {
		rr, err := tt.build(tt.name, 300)
		if err != nil || rr.String() != tt.want {
			t.Errorf("%s: %v, %v", tt.name, rr, err)
		}
		if lints := csa.LintRecords([]*dns.SRV{rr}, rr.Weight == 2); len(lints) > 0 {
			t.Errorf("%s: %v", rr, lints)
		}
	}
	long := strings.Repeat(strings.Repeat("a", 49)+".", 4) + strings.Repeat("a", 42) + ".test"
	for _, name := range []string{"", ".", "test", "localhost", "192.0.2.1", "[192.0.2.1]", "a..test", "under_score.example.test", "*.example.test", "-a.example.test", "mail.local", "a\x00.test", long} {
		for i, build := range []func(string, uint32) (*dns.SRV, error){csa.Authorize, csa.Deny, csa.DenyUnlisted} {
			if rr, err := build(name, 300); err == nil || !strings.HasPrefix(err.Error(), "csa: ") || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("builder %d, %q: %v, %v", i, name, rr, err)
			}
		}
	}
	if rr, err := csa.DenyUnlisted("a.b.c.d.e.example.test", 300); err == nil {
		t.Errorf("a policy that nobody looks for: %v", rr)
	}
}

// Property 2 of the design: what is built, packed, unpacked and published passes
// from the MTA's addresses, and fails from others; what is denied fails; under a
// policy, so does what is not authorized.
func TestBuildersAndCheckAgree(t *testing.T) {
	label := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?`)
	rapid.Check(t, func(rt *rapid.T) {
		labels := rapid.SliceOfN(label, 1, 3).Draw(rt, "labels")
		domain := strings.Join(labels, ".") + ".test"
		name := label.Draw(rt, "host") + "." + domain
		addr := rapid.Custom(func(rt *rapid.T) netip.Addr {
			octets := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "octets")
			if rapid.Bool().Draw(rt, "IPv4") {
				return netip.AddrFrom4([4]byte(octets[:4]))
			}
			return netip.AddrFrom16([16]byte(octets)).Unmap()
		})
		mta, other := addr.Draw(rt, "address"), addr.Draw(rt, "other")
		var text strings.Builder
		publish := func(rr dns.RR, err error) {
			if err != nil {
				rt.Fatal(err)
			}
			wire := make([]byte, 512)
			n, err := dns.PackRR(rr, wire, 0, nil, false)
			if err != nil {
				rt.Fatal(err)
			}
			back, _, err := dns.UnpackRR(wire[:n], 0)
			if err != nil || back.String() != rr.String() {
				rt.Fatalf("%v came back as %v, %v", rr, back, err)
			}
			fmt.Fprintln(&text, back)
		}
		authorized, err := csa.Authorize(name, 300)
		publish(authorized, err)
		denied, err := csa.Deny("denied."+domain, 300)
		publish(denied, err)
		if rapid.Bool().Draw(rt, "policy") {
			policy, err := csa.DenyUnlisted(domain, 300)
			publish(policy, err)
		}
		rtype := "A"
		if mta.Is6() {
			rtype = "AAAA"
		}
		fmt.Fprintf(&text, "%s. 300 %s %s\n", name, rtype, mta)
		zones, err := resolver.ParseZones("$ORIGIN test.\n" + text.String())
		if err != nil {
			rt.Fatalf("%v\n%s", err, &text)
		}
		policy := strings.Count(text.String(), " 1 1 1 ") > 0 || strings.Contains(text.String(), "\t1 1 1 ")
		check := func(addr netip.Addr, helo string, want csa.Status) {
			if got := (csa.Checker{Resolver: zones}).Check(t.Context(), addr, helo); got.Status != want {
				rt.Fatalf("%s %s: %s (%s), expected %s\n%s", addr, helo, got.Status, got.Reason, want, &text)
			}
		}
		check(mta, name, csa.Pass)
		if other != mta {
			check(other, name, csa.Fail)
		}
		if name != "denied."+domain {
			check(mta, "denied."+domain, csa.Fail)
			check(mta, "below."+name, csa.Fail)
		}
		want := csa.None
		if policy {
			want = csa.Fail
			check(mta, domain, csa.Fail)
		}
		check(mta, "any-other-name-at-all."+domain, want)
	})
}

func TestLookup(t *testing.T) {
	r := resolvertest.New(t, zone)
	got, err := csa.Lookup(t.Context(), r, "Two-or-One.example.test")
	if err != nil || len(got) != 2 || got[0].Weight != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := csa.Lookup(t.Context(), r, "none.example.test"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := csa.Lookup(t.Context(), nil, "none.example.test"); err == nil {
		t.Errorf("%v", got)
	}
	if got, err := csa.Lookup(t.Context(), r, "a..b"); err == nil {
		t.Errorf("%v", got)
	}
}

func TestLintRecords(t *testing.T) {
	for _, tt := range []struct {
		helo    bool
		records []string
		want    []string
	}{
		{true, nil, nil},
		{true, []string{"1 2 0 host"}, nil},
		{true, []string{"1 2 1 host"}, nil},
		{false, []string{"1 1 0 host"}, nil},
		{false, []string{"1 1 1 host"}, nil},
		{true, []string{"1 1 1 host"}, []string{"denied-helo"}},
		{true, []string{"1 0 0 host"}, []string{"denied-helo"}},
		{false, []string{"1 0 0 host"}, []string{"weight-zero"}},
		{true, []string{"1 3 0 host"}, []string{"unverifiable"}},
		{true, []string{"1 4 25 ."}, []string{"reserved-weight"}},
		{true, []string{"0 1 25 ."}, []string{"revision"}},
		{true, []string{"1 2 2 host"}, []string{"port"}},
		{false, []string{"1 1 25 ."}, []string{"port", "no-target"}},
		{true, []string{"1 2 587 ."}, []string{"port", "no-target"}},
		{true, []string{"1 2 0 host", "1 1 0 host"}, []string{"several", "denied-helo"}},
	} {
		var text strings.Builder
		text.WriteString("$ORIGIN example.test.\n")
		for _, r := range tt.records {
			fmt.Fprintf(&text, "_client._smtp 300 SRV %s\n", r)
		}
		zones, err := resolver.ParseZones(text.String() + "host 300 A 192.0.2.1\n")
		if err != nil {
			t.Fatal(err)
		}
		records, err := resolver.LookupSRV(t.Context(), zones, "_client._smtp.example.test")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range csa.LintRecords(records, tt.helo) {
			got = append(got, l.Code)
			if l.Text == "" || !strings.HasSuffix(l.String(), "("+l.Code+")") || (l.Record == nil) != (l.Code == "several") {
				t.Errorf("%v: %+v", tt.records, l)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v, HELO %t (-want +got):\n%s", tt.records, tt.helo, diff)
		}
	}
	odd := csa.LintRecords([]*dns.SRV{{Priority: 1, Weight: 1, Port: 465, Target: "x.test."}}, false)
	even := csa.LintRecords([]*dns.SRV{{Priority: 1, Weight: 1, Port: 24, Target: "x.test."}}, false)
	if !strings.Contains(odd[0].Text, "denies every name below") || strings.Contains(even[0].Text, "denies every") {
		t.Errorf("%v, %v", odd, even)
	}
}
