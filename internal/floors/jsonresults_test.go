package floors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

// The world that the checks of this file are about has a server with everything, one with
// faults of every kind, and text of a hostile owner.
const resultsWorld = `
$ORIGIN example.test.
$TTL 300
@ SOA ns hostmaster 1 2 3 4 5
@ NS ns
ns A 192.0.2.53
@ MX 10 mx
@ MX 20 gone
@ TXT "v=spf1 include:_spf.other.test mx ptr exists:%{i}.list.example.test -all"
@ RP john\.smith.example.test. text.example.test.
@ RP . .
@ RP jane.example.test. none.example.test.
text TXT "John Smith (admin), phone:+1 555 0100, email:john@example.test" "\000\255\"\\;"
mx A 192.0.2.10
mx AAAA 2001:db8::10
mx TXT "v=spf1 a -all"
_client._smtp.mx SRV 1 2 1 mx
_client._smtp.mx SRV 2 7 65535 .
_client._smtp.denied SRV 1 1 0 .
_client._smtp SRV 1 1 1 example.test.
alias CNAME mx
silent MX 0 .
mixed MX 0 .
mixed MX 5 192.0.2.1.
broken TXT "v=spf1 ip4:192.0.2.300 include: -all"
hostile TXT "v=spf1 -all exp=why.example.test"
why TXT "\027[31m<script>\226\128\174"
policy TXT "v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.77 include:_spf.other.test ?all"
loop CNAME loop
$ORIGIN other.test.
@ SOA ns hostmaster 1 2 3 4 5
_spf TXT "v=spf1 ip4:203.0.113.0/28 ~ip6:2001:db8::/32"
odd\009name TXT "a"
$ORIGIN 2.0.192.in-addr.arpa.
@ SOA ns.example.test. hostmaster.example.test. 1 2 3 4 5
10 PTR mx.example.test.
10 PTR $odd\032\255.example.test.
10 PTR bad_name.example.test.
20 CNAME 20.sub
20.sub PTR 192-0-2-20.dyn.example.test.
$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa.
@ SOA ns.example.test. hostmaster.example.test. 1 2 3 4 5
`

// results makes every check that has a result, over one DNS.
func results(t *testing.T, r resolver.Resolver) (all []any) {
	ctx := t.Context()
	add := func(v ...any) { all = append(all, v...) }
	v4, v6 := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")
	for _, addr := range []netip.Addr{v4, v6, netip.MustParseAddr("192.0.2.20"), {}, netip.MustParseAddr("127.0.0.1")} {
		iprev := fcrdns.Checker{Resolver: r, MaxNames: 2}.Check(ctx, addr)
		add(iprev, &iprev.PTR)
	}
	for _, name := range []string{"mx.example.test", "denied.example.test.", "a.b.example.test", "localhost", "bad\xff name", "[192.0.2.10]", "ü.example.test", "bad_name.example.test."} {
		add(csa.Checker{Resolver: r}.Check(ctx, v4, name), helo.Checker{Resolver: r}.Check(ctx, name, v4, v6), spf.Checker{Resolver: r, Receiver: "mx.receiver.test"}.CheckHelo(ctx, v6, name))
		classified := ptrname.Classify(v4, name)
		add(&classified)
	}
	for _, domain := range []string{"example.test", "silent.example.test", "mixed.example.test", "mx.example.test", "none.example.test", "192.0.2.1", "loop.example.test", "hostile.example.test", "broken.example.test", "policy.example.test"} {
		mx := nullmx.Checker{Resolver: r}
		result := mx.Check(ctx, domain)
		targets, persons := mx.Targets(ctx, result), persons(ctx, r, domain)
		add(result, &targets, &persons, spf.Checker{Resolver: r}.CheckMailFrom(ctx, v4, "mx.example.test", "user@"+domain), blitiri.Checker{Resolver: r}.Check(ctx, v4, "mx.example.test", "user@"+domain))
		policy := spf.Analyze(ctx, r, domain)
		flat, _ := policy.Flatten(ctx, r, 300)
		add(policy, &flat, roleaddr.Checker{Resolver: r, AllowPrivate: true, Dial: refuse}.Check(ctx, domain))
	}
	for _, client := range []netip.Addr{v4, v6, netip.MustParseAddr("192.0.2.20"), netip.MustParseAddr("127.0.0.1")} {
		session := identity.Verifier{Resolver: r, AllowPrivate: true}.Session(ctx, client)
		add(session.Connect(ctx), session.Helo(ctx, "mx.example.test"), session.MailFrom(ctx, "user@example.test"), session.MailFrom(ctx, ""), session.MailFrom(ctx, "<bad\xff"))
		advice := session.Helo(ctx, "denied.example.test").Advise(identity.Policy{ReportOnly: true, Levels: map[identity.Level]identity.Action{identity.Anonymous: identity.Defer}})
		add(&advice)
		session.Close()
	}
	return append(all, ofDescription(t, r)...)
}

func persons(ctx context.Context, r resolver.Resolver, domain string) []rp.Person {
	all, _ := rp.Lookup(ctx, r, domain)
	return all
}

// refuse is a mail server that does not take mail.
func refuse(context.Context, netip.AddrPort) (net.Conn, error) {
	server, client := net.Pipe()
	go func() {
		defer server.Close()
		_, _ = io.WriteString(server, "554 5.7.1 \x1b[31mno\xff\r\n")
	}()
	return client, nil
}

// ofDescription makes what an organization gets.
func ofDescription(t *testing.T, r resolver.Resolver) (all []any) {
	o, err := org.Parse("org.yaml", []byte("domain: example.test\nmtas:\n  - id: mx1\n    addresses: [192.0.2.10, '2001:db8::10']\n    ptr: ptr.example.test\n    helo: mx.example.test\n"))
	if err != nil {
		t.Fatal(err)
	}
	auditor := audit.Auditor{Resolver: r, AllowDocumentation: true, Now: func() time.Time { return time.Unix(1, 0).UTC() }}
	audited, err := auditor.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, audited, audited.Diff(nil))
	zones, err := resolver.ParseZones(resultsWorld)
	if err != nil {
		t.Fatal(err)
	}
	published, err := plan.FromZones(zones.Records())
	if err != nil {
		t.Fatal(err)
	}
	planned, err := plan.New(o, published, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range planned.Steps {
		all = append(all, &planned.Steps[i])
	}
	hardening, err := harden.Zones(zones.Records(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, &planned.Changes, &planned.Kept, &planned.Wanted, &planned.Refused, &planned.Notes, hardening)
}

// What checks return reads back as the same, whatever fails in the DNS.
func TestJSONResults(t *testing.T) {
	fake, err := dnsfake.New(resultsWorld)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	check := func(fault string) {
		for _, v := range results(t, fake) {
			count++
			roundTrip(t, reflect.ValueOf(v))
			logged(t, v)
			if t.Failed() {
				t.Fatalf("%T, %s", v, fault)
			}
		}
	}
	check("without a fault")
	asked, kinds := fake.Questions(), dnsfake.Kinds()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 10 {
		q, kind := asked[random.IntN(len(asked))], kinds[random.IntN(len(kinds))]
		fake.Fail(q.Name, q.Type, kind)
		check(fmt.Sprintf("%s %s", q, kind))
		fake.Clear(q.Name, q.Type)
	}
	t.Logf("%d results", count)
}

// logged checks that what a value logs has the same keys in its JSON, or in that of its parts.
func logged(t *testing.T, v any) {
	valuer, ok := v.(slog.LogValuer)
	if !ok {
		return
	}
	keys := make(map[string]bool)
	addKeys(keys, reflect.TypeOf(v).Elem(), 2)
	for _, attr := range valuer.LogValue().Group() {
		if !keys[attr.Key] {
			t.Errorf("%T logs %s, which its JSON does not have", v, attr.Key)
		}
	}
}

func addKeys(keys map[string]bool, of reflect.Type, depth int) {
	if of.Kind() != reflect.Struct || depth == 0 {
		return
	}
	for field := range of.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys[key] = true
		addKeys(keys, field.Type, depth-1)
	}
}

// What methods of results say does not change when these are read back.
func TestJSONMethods(t *testing.T) {
	zones, err := resolver.ParseZones(resultsWorld)
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"example.test", "hostile.example.test", "policy.example.test", "none.example.test", "broken.example.test", "x"} {
		policy := spf.Analyze(t.Context(), zones, domain)
		again := readBack(t, policy)
		for _, addr := range []string{"192.0.2.1", "192.0.2.77", "203.0.113.3", "2001:db8::1", "198.51.100.1"} {
			if was, is := policy.Status(netip.MustParseAddr(addr)), again.Status(netip.MustParseAddr(addr)); was != is {
				t.Errorf("%s, %s: %s, was %s", domain, addr, is, was)
			}
		}
		if policy.IsNull() != again.IsNull() {
			t.Errorf("%s: null %t, was %t", domain, again.IsNull(), policy.IsNull())
		}
		if records, err := again.Flatten(t.Context(), nil, 300); err == nil {
			t.Errorf("%s: flattened to %v", domain, records)
		}
		result := spf.Checker{Resolver: zones}.CheckMailFrom(t.Context(), netip.MustParseAddr("192.0.2.10"), "mx.example.test", domain)
		if read := readBack(t, result); read.ReceivedSPF() != result.ReceivedSPF() || read.IsNull() != result.IsNull() {
			t.Errorf("%s: %s\nwas %s", domain, read.ReceivedSPF(), result.ReceivedSPF())
		}
	}
	iprev := fcrdns.Checker{Resolver: zones, MaxNames: 1}.Check(t.Context(), netip.MustParseAddr("192.0.2.10"))
	rank := func(string) int { return 1 }
	was, is := fcrdns.Checker{Resolver: zones}.CheckSkipped(t.Context(), iprev, rank), fcrdns.Checker{Resolver: zones}.CheckSkipped(t.Context(), readBack(t, iprev), rank)
	if diff := differs(reflect.ValueOf(was), reflect.ValueOf(is)); diff != "" {
		t.Errorf("CheckSkipped: %s", diff)
	}
}

func readBack[T any](t *testing.T, v *T) *T {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	again := new(T)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	return again
}
