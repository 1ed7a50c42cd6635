package plan_test

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/plan"
)

// lettered is a plan of which the ISP and the owner of the zone have each a part, with
// something of all else.
func lettered(t *testing.T) *plan.Plan {
	t.Helper()
	return scenario{
		org: parse(t, `
domain: example.test
zones: [example.test]
mtas:
  - {addresses: [192.0.2.10, 192.0.2.11, 10.0.0.1], ptr: mta1.example.test, helo: post.example.test}
`),
		zones: collected(parseZones(t, `
$TTL 300
$ORIGIN example.test.
@ SOA ns hostmaster 1 1 1 1 60
@ TXT "v=spf1 a -all"
* A 192.0.2.80
$ORIGIN 2.0.192.in-addr.arpa.
@ SOA ns.isp.test. hostmaster.isp.test. 1 1 1 1 60
10 PTR host-10.isp.test.
11 PTR old.example.test.
`)),
	}.plan(t)
}

func TestWriteLetter(t *testing.T) {
	p := lettered(t)
	for _, test := range []struct {
		stage plan.Stage
		want  string
	}{
		{plan.Prepare, ""},
		{plan.Reverse, `Subject: reverse DNS of our mail servers

Please give our addresses these names (PTR records):

    192.0.2.10: mta1.example.test.
    192.0.2.11: mta1.example.test.

Please keep these names beside them until we write again:

    192.0.2.11: old.example.test.

Each name must resolve to its address first: please tell us if one does not. Please also tell us if an address can have only one name.

As lines of a zone file:

    10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.test.
    11.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.test.

Please remove these PTR records of our addresses:

    192.0.2.10: host-10.isp.test.

Please tell us when it is done: resolvers may have the old answers for 5m after that, and we wait until they are gone.

If you prefer to delegate these names to us, RFC 2317 describes how.
`},
		{plan.Lock, `Subject: reverse DNS of our mail servers

Please remove these PTR records of our addresses:

    192.0.2.11: old.example.test.

Please tell us when it is done: resolvers may have the old answers for 1h after that, and we wait until they are gone.

If you prefer to delegate these names to us, RFC 2317 describes how.
`},
	} {
		i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Stage == test.stage })
		if i < 0 {
			t.Fatalf("no step %s", test.stage)
		}
		var got strings.Builder
		if err := plan.WriteLetter(&got, p.Steps[i].Changes); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.stage, diff)
		}
	}
}

// All keys of the JSON document are always there, lists are never null, and it says what
// the plan says.
func TestWriteJSON(t *testing.T) {
	empty, err := plan.New(parse(t, "domain: example.test\nmtas: [{addresses: [10.0.0.1], ptr: mta1.example.test, helo: post.example.test}]"), new(plan.Published), plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	observed, err := plan.New(parse(t, "domain: example.test\nmtas: [{addresses: [192.0.2.10, 192.0.2.11], helo: post.example.test}]"), new(plan.Published), plan.Options{
		Observed: map[netip.Addr]string{netip.MustParseAddr("192.0.2.11"): "old.example.test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*plan.Plan{lettered(t), empty, observed} {
		var text strings.Builder
		if err := p.WriteJSON(&text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "null,") || strings.Contains(text.String(), "null\n") {
			t.Errorf("null in %s", text.String())
		}
		var doc struct {
			Organization string
			Steps        []struct {
				Changes []struct{ Before, After []string }
				Hosts   []struct {
					Observed []struct{ Address, Helo string }
				}
			}
			Wanted, Kept, Refused []any
			Notes                 []flow.Note
		}
		if err := json.Unmarshal([]byte(text.String()), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Organization != "example.test." || len(doc.Steps) != len(p.Steps) || len(doc.Wanted) != len(p.Wanted) ||
			len(doc.Kept) != len(p.Kept) || len(doc.Refused) != len(p.Refused) || len(doc.Notes) != len(p.Notes) {
			t.Errorf("%+v of %+v", doc, p)
		}
		for i, s := range p.Steps {
			for j, c := range s.Changes {
				if got := doc.Steps[i].Changes[j]; len(got.Before) != len(c.Before) || len(got.After) != len(c.After) {
					t.Errorf("%s: %+v of %+v", s.Stage, got, c)
				}
			}
			for j, h := range s.Hosts {
				got := doc.Steps[i].Hosts[j].Observed
				if len(got) != len(h.Observed) || len(got) == 1 && (got[0].Address != "192.0.2.11" || got[0].Helo != "old.example.test") {
					t.Errorf("%s: %+v of %+v", s.Stage, got, h)
				}
			}
		}
	}
}

// What cannot be written is an error.
func TestWriteFails(t *testing.T) {
	failure := errors.New("disk full")
	p := lettered(t)
	for name, write := range map[string]func() error{
		"zone":   func() error { return plan.WriteZone(broken{failure}, p.Changes) },
		"update": func() error { return plan.WriteUpdate(broken{failure}, p.Changes) },
		"letter": func() error { return plan.WriteLetter(broken{failure}, p.Changes) },
		"text":   func() error { return p.WriteText(broken{failure}) },
		"JSON":   func() error { return p.WriteJSON(broken{failure}) },
	} {
		if err := write(); !errors.Is(err, failure) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestStagesAndOwnersAsText(t *testing.T) {
	var stage plan.Stage
	var owner plan.Owner
	for _, test := range []struct {
		value interface {
			encoding.TextMarshaler
			String() string
		}
		into encoding.TextUnmarshaler
		want string
	}{{plan.Authorize, &stage, "authorize"}, {plan.Policy, &stage, "policy"}, {plan.OwnerYou, &owner, "you"}, {plan.OwnerMTA, &owner, "mta"}} {
		text, err := test.value.MarshalText()
		if err != nil || string(text) != test.want || test.value.String() != test.want {
			t.Errorf("%s: %s, %v", test.want, text, err)
		}
		if err := test.into.UnmarshalText(text); err != nil {
			t.Error(err)
		}
	}
	if stage != plan.Policy || owner != plan.OwnerMTA {
		t.Errorf("read back: %s, %s", stage, owner)
	}
	if _, err := plan.Stage(0).MarshalText(); err == nil || stage.UnmarshalText([]byte("x")) == nil {
		t.Error("expected errors")
	}
	if _, err := plan.Owner(0).MarshalText(); err == nil || owner.UnmarshalText([]byte("x")) == nil {
		t.Error("expected errors")
	}
}

// The target of an alias may have any octet; nsupdate ends a name at a space.
func TestWriteUpdateOfAnyName(t *testing.T) {
	ptr, err := dns.NewRR(`10\ \;x.2.0.192.in-addr.arpa. 300 IN PTR mta1.example.test.`)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	change := plan.Change{Owner: plan.OwnerYou, Zone: "2.0.192.in-addr.arpa.", Name: `10\ \;x.2.0.192.in-addr.arpa.`, Type: dns.TypePTR, After: []dns.RR{ptr}}
	if err := plan.WriteUpdate(&b, []plan.Change{change}); err != nil {
		t.Fatal(err)
	}
	want := `zone 2.0.192.in-addr.arpa.
prereq nxrrset 10\032\;x.2.0.192.in-addr.arpa. IN PTR
update add 10\032\;x.2.0.192.in-addr.arpa. 300 IN PTR mta1.example.test.
send
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// bigTXT is a change that adds a TXT record with so many strings of 255 octets, each of
// which zone text writes as four characters.
func bigTXT(name string, strs int) plan.Change {
	rr := &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 300}}
	for range strs {
		rr.Txt = append(rr.Txt, strings.Repeat(`\200`, 255))
	}
	return plan.Change{Owner: plan.OwnerYou, Zone: "example.test.", Name: name, Type: dns.TypeTXT, After: []dns.RR{rr}}
}

// nsupdate reads lines of less than 128 KiB, and a message has less than 64 KiB. What does
// not fit is refused, and nothing is written.
func TestWriteUpdateOfAnySize(t *testing.T) {
	for _, test := range []struct {
		sizes  []int // strings of each change
		sends  int   // -1 for refused
		octets bool  // some data are as RFC 3597 writes them
	}{
		{[]int{1, 2, 3}, 1, false},
		{slices.Repeat([]int{1}, 60), 2, false},
		{slices.Repeat([]int{20}, 60), 6, false},
		{[]int{120, 124, 1, 1}, 2, false},
		{[]int{130, 200, 1}, 2, true},
		{[]int{234, 234}, 2, true},
		{[]int{1, 235}, -1, false},
	} {
		var changes []plan.Change
		for i, n := range test.sizes {
			changes = append(changes, bigTXT(fmt.Sprintf("n%d.example.test.", i), n))
		}
		var b strings.Builder
		err := plan.WriteUpdate(&b, changes)
		if test.sends < 0 {
			const want = "plan: n1.example.test. TXT: the update does not fit into a message, of 60000 octets at most: change the zone by hand"
			if err == nil || err.Error() != want || b.Len() > 0 {
				t.Errorf("%d: %v, %d octets written", test.sizes, err, b.Len())
			}
			continue
		}
		if sends := strings.Count(b.String(), "send\n"); err != nil || sends != test.sends || strings.Contains(b.String(), `TXT \# `) != test.octets {
			t.Errorf("%d: %v, %d messages", test.sizes, err, sends)
		}
		adds := 0
		for line := range strings.Lines(b.String()) {
			if len(line) >= 128<<10 {
				t.Errorf("%d: a line of %d octets", test.sizes, len(line))
			}
			if record, ok := strings.CutPrefix(line, "update add "); ok {
				rr, err := dns.NewRR(record)
				if err != nil || !dns.IsDuplicate(rr, changes[adds].After[0]) {
					t.Errorf("%d: change %d: %v", test.sizes, adds, err)
				}
				adds++
			}
		}
		if adds != len(changes) {
			t.Errorf("%d: %d of %d changes", test.sizes, adds, len(changes))
		}
	}
}

// The comment of a rule stands once above all records of a zone for the same rules.
func TestCommentsOfZoneText(t *testing.T) {
	p := scenario{
		org:   parse(t, "domain: example.test\nmtas: [{addresses: [192.0.2.10, 192.0.2.11], ptr: mta1.example.test, helo: post.example.test}, {addresses: [192.0.2.12], helo: out.example.test}]"),
		zones: collected(parseZones(t, "$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\n")),
	}.plan(t)
	var b strings.Builder
	if err := plan.WriteZone(&b, p.Steps[0].Changes); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		before, _, _ := strings.Cut(strings.TrimSpace(line), ": ")
		got = append(got, strings.ReplaceAll(before, " 3600 IN ", " "))
	}
	want := []string{
		"$ORIGIN example.test.", "; with these, raise the serial number in the SOA record", "; then wait 1m before the next step",
		"; ptr-confirmed", "; ptr-one-name", "mta1.example.test. A 192.0.2.10", "mta1.example.test. A 192.0.2.11",
		"; helo-resolves", "out.example.test. A 192.0.2.12", "post.example.test. A 192.0.2.10", "post.example.test. A 192.0.2.11",
		"; helo-spf", "; helo-spf-strict", `out.example.test. TXT "v=spf1 ip4:192.0.2.12 -all"`, `post.example.test. TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 -all"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
