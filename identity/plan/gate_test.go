package plan_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

const gateZone = `
$TTL 300
$ORIGIN example.test.
@     SOA  ns hostmaster 1 1 1 1 60
mta1  A    192.0.2.10
post  A    192.0.2.10
$ORIGIN 2.0.192.in-addr.arpa.
@     SOA  ns.example.test. hostmaster.example.test. 1 1 1 1 60
`

// The gate says of each address what it waits for, and nothing when it is passed.
func TestWaiting(t *testing.T) {
	o := parse(t, "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]")
	p, err := plan.New(o, whole(t, parseZones(t, gateZone).Records()), plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const ptr = "10 PTR mta1.example.test.\n"
	for _, test := range []struct {
		name, more string
		fail       string // the name of a question that has no answer
		want       string
	}{
		{"passed", ptr, "", ""},
		{"no name", "", "", "mx1/192.0.2.10: mta1.example.test is not its confirmed name yet: the address has no PTR record (NXDOMAIN)"},
		{"another name", "10 PTR post.example.test.\n", "", "mx1/192.0.2.10: mta1.example.test is not its confirmed name yet: that is post.example.test"},
		{"denied", ptr + "_client._smtp.post.example.test. SRV 1 1 0 post.example.test.\n", "", "mx1/192.0.2.10: HELO post.example.test from there is forged: the owner of the HELO name denies it by CSA"},
		{"the name not known", ptr, "10.2.0.192.in-addr.arpa", "mx1/192.0.2.10: mta1.example.test is not its confirmed name yet: lookup 10.2.0.192.in-addr.arpa. PTR: SERVFAIL (dnsfake)"},
		{"the records of HELO not known", ptr, "_client._smtp.post.example.test", "mx1/192.0.2.10: HELO post.example.test from there is undetermined: DNS gave no answer about the HELO name's CSA records"},
	} {
		fake := dnsfake.FromZones(parseZones(t, gateZone+test.more))
		if test.fail != "" {
			fake.Fail(test.fail, dns.TypePTR, dnsfake.ServFail)
			fake.Fail(test.fail, dns.TypeSRV, dnsfake.ServFail)
		}
		for _, step := range p.Steps {
			want := ""
			switch step.Stage {
			case plan.Confirm:
				want = test.want
			case plan.Observe:
				want = "mx1/192.0.2.10: not seen yet"
			}
			got := strings.Join(step.Waiting(t.Context(), identity.Verifier{Resolver: fake}), "\n")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", test.name, step.Stage, diff)
			}
		}
	}
}

// What was seen is told of each address that does not say in HELO what it shall, here in
// no order and with a text for a terminal; one that says it is not waited for.
func TestWaitingToObserve(t *testing.T) {
	o := parse(t, "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.13, 192.0.2.12, 192.0.2.11, 192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]")
	p, err := plan.New(o, whole(t, parseZones(t, gateZone).Records()), plan.Options{Observed: map[netip.Addr]string{
		netip.MustParseAddr("192.0.2.10"): "POST.example.test.", netip.MustParseAddr("192.0.2.12"): "\x1b[2Jold",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for said, seen := range map[string]map[netip.Addr]string{
		`plan: a client was observed to use "x.test" in HELO: expected its address`:        {netip.Addr{}: "x.test"},
		"plan: 192.0.2.10 was observed without a HELO name: expected what it said in HELO": {netip.MustParseAddr("192.0.2.10"): ""},
	} {
		if _, err := plan.New(o, p.Published, plan.Options{Observed: seen}); err == nil || err.Error() != said {
			t.Errorf("%v, want %s", err, said)
		}
	}
	i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Stage == plan.Observe })
	if i < 0 {
		t.Fatal("nothing to observe")
	}
	want := []string{"mx1/192.0.2.13: not seen yet", `mx1/192.0.2.12: seen to say "\x1b[2Jold"`, "mx1/192.0.2.11: not seen yet"}
	if diff := cmp.Diff(want, p.Steps[i].Waiting(t.Context(), identity.Verifier{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var text strings.Builder
	if err := p.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	const said = `
   mx1: HELO post.example.test
     not seen yet from 192.0.2.13, 192.0.2.11
     seen to say "\x1b[2Jold" from 192.0.2.12
`
	if !strings.Contains(text.String(), said) {
		t.Errorf("want %s in\n%s", said, &text)
	}
}

// A server that has no zone but the organization's does for a plan by name: nothing
// above is asked. Without an answer there is no plan.
func TestAskOneServer(t *testing.T) {
	o := parse(t, "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]")
	zones := parseZones(t, gateZone)
	current, err := new(plan.Published).WithAnswers(t.Context(), zones, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(o, current, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) == 0 || !p.Partial {
		t.Errorf("%d changes, partial %t", len(p.Changes), p.Partial)
	}
	for _, c := range p.Changes {
		if c.Owner == plan.OwnerDNSHost && c.Zone != "example.test." {
			t.Errorf("%s is in zone %s", c.Name, c.Zone)
		}
	}
	failure := errors.New("broken")
	for name, r := range map[string]resolver.Resolver{
		"an error":    resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, failure }),
		"no resolver": nil,
	} {
		got, err := new(plan.Published).WithAnswers(t.Context(), r, o)
		if got != nil || err == nil || r != nil && !errors.Is(err, failure) || r == nil && !errors.Is(err, resolver.ErrNoResolver) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// The gate names the reason that decided the level, not the first of all, and waits while
// PTR names that were not looked up may decide otherwise.
func TestWaitingReason(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.10")
	many := ""
	for i := range 30 {
		many += fmt.Sprintf("10 PTR n%d.example.test.\n", i)
	}
	const denied = "_client._smtp.post.example.test. SRV 1 1 0 post.example.test.\n"
	for _, test := range []struct{ name, ptr, more, want string }{
		{"several reasons", "", denied, "mx1/192.0.2.10: HELO post.example.test from there is forged: the owner of the HELO name denies it by CSA"},
		{"names skipped", "", many, "mx1/192.0.2.10: the address has more PTR names than are looked up, and none of the first confirms it"},
		{"the name itself skipped", "n9.example.test.", many, "mx1/192.0.2.10: n9.example.test is not its confirmed name yet: the address has more PTR names than are looked up, and none of the first confirms it"},
	} {
		step := plan.Step{Stage: plan.Confirm, Hosts: []plan.Host{{MTA: "mx1", Addrs: []netip.Addr{addr}, PTR: test.ptr, Helo: "post.example.test."}}}
		got := strings.Join(step.Waiting(t.Context(), identity.Verifier{Resolver: parseZones(t, gateZone+test.more)}), "\n")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
