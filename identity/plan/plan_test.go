package plan_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

func parse(t testing.TB, text string) *org.Organisation {
	t.Helper()
	o, err := org.Parse("org.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestWant(t *testing.T) {
	for _, tt := range []struct {
		name     string
		mtas     string
		records  []string // with the rules that want them
		refusals []string
	}{
		{"two families", `- {addresses: [192.0.2.10, "2001:db8::10"], ptr: mta1.example.test, helo: post.example.test}`, []string{
			"mta1.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"mta1.example.test. 3600 IN AAAA 2001:db8::10 [ptr-confirmed ptr-one-name]",
			"post.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"post.example.test. 3600 IN AAAA 2001:db8::10 [helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
			"0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 3600 IN PTR mta1.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"one name for both", `- {addresses: [192.0.2.10], ptr: mail.example.test, helo: MAIL.example.test}`, []string{
			"mail.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mail.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"two MTAs behind one address", `
  - {addresses: [192.0.2.10], ptr: mta.example.test, helo: post1.example.test}
  - {addresses: [192.0.2.10], ptr: mta.example.test, helo: post2.example.test}`, []string{
			"mta.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"post1.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"post2.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mta.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"no PTR name decided", `- {addresses: [192.0.2.10], helo: post.example.test}`, []string{
			"post.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
		}, nil},
		{"receives only", `- {addresses: [192.0.2.10], ptr: mx.example.test, helo: mx.example.test, roles: [inbound]}`, []string{
			"mx.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mx.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"addresses that are not public", `- {addresses: [10.0.0.1, 100.64.0.1, "fe80::1", 192.0.2.10], ptr: mta.example.test, helo: post.example.test}`, []string{
			"mta.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"post.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mta.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, []string{
			"mta1 10.0.0.1 not a public address (private, RFC 1918)",
			"mta1 100.64.0.1 not a public address (shared with a provider (CGNAT), RFC 6598)",
			"mta1 fe80::1 not a public address (link-local, RFC 4291)",
		}},
		{"no public address at all", `- {addresses: [10.0.0.1], ptr: mta.example.test, helo: post.example.test}`, nil, []string{
			"mta1 10.0.0.1 not a public address (private, RFC 1918)",
		}},
		{"names that are none of a host", `
  - {addresses: [192.0.2.10], ptr: mta_1.example.test, helo: post_1.example.test}
  - {addresses: [192.0.2.11], helo: "[192.0.2.11]"}
  - {addresses: [192.0.2.12], helo: "what is this"}
  - {addresses: [192.0.2.13], helo: localhost}`, nil, []string{
			"mta1 mta_1.example.test. no host name of the public DNS",
			"mta1 post_1.example.test. no host name of the public DNS",
			"mta2 [192.0.2.11] the HELO is an address, not a name",
			"mta3 what is this the HELO is malformed",
			"mta4 localhost. no host name of the public DNS",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records, refusals := plan.Want(parse(t, "domain: example.test\nmtas:\n  "+tt.mtas))
			var got []string
			for _, r := range records {
				got = append(got, fmt.Sprintf("%s %v", r, r.Rules))
			}
			if diff := cmp.Diff(sorted(tt.records), sorted(got)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if len(refusals) != len(tt.refusals) {
				t.Fatalf("refusals: got %+v", refusals)
			}
			for i, r := range refusals {
				mta, rest, _ := strings.Cut(tt.refusals[i], " ")
				if r.MTA != mta || !strings.HasPrefix(rest, r.Value+" ") || !strings.HasPrefix(r.Reason, strings.TrimPrefix(rest, r.Value+" ")) {
					t.Errorf("refusal: got %+v, want %s", r, tt.refusals[i])
				}
			}
		})
	}
}

func sorted(lines []string) []string {
	out := slices.Clone(lines)
	slices.Sort(out)
	return out
}

// random returns a valid organisation: MTAs with addresses of both families, PTR
// and HELO names of its own.
func random(r *rand.Rand) *org.Organisation {
	o := &org.Organisation{Domain: "example.test"}
	used := 0
	for i := range 1 + r.IntN(4) {
		m := org.MTA{ID: fmt.Sprint("mx", i), PTR: fmt.Sprintf("mta%d.example.test", i), HELO: fmt.Sprintf("post%d.example.test", i), Dedicated: r.IntN(2) == 0}
		for range 1 + r.IntN(3) {
			used++
			if r.IntN(2) == 0 {
				m.Addresses = append(m.Addresses, netip.AddrFrom4([4]byte{192, 0, 2, byte(used)}))
			} else {
				m.Addresses = append(m.Addresses, netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", used)))
			}
		}
		switch r.IntN(4) {
		case 0:
			m.Roles = []org.Role{org.Inbound}
		case 1:
			m.Roles = []org.Role{org.Submission, org.Outbound}
		}
		o.MTAs = append(o.MTAs, m)
	}
	return o
}

// Zones that hold what is wanted and no more pass the audit, whoever the
// organisation; and what is wanted, and in which order, does not depend on the
// order of the description.
func TestWantPassesTheAudit(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range 200 {
		o := random(r)
		if err := o.Validate(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		records, refusals := plan.Want(o)
		if len(refusals) > 0 {
			t.Fatalf("seed %d: refused: %+v", seed, refusals)
		}
		text := "$TTL 300\n$ORIGIN 2.0.192.in-addr.arpa.\n$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa.\n$ORIGIN example.test.\n"
		for _, record := range records {
			text += record.String() + "\n"
			if slices.ContainsFunc(record.Rules, func(id rule.ID) bool { _, ok := rule.Lookup(id); return !ok }) ||
				!slices.IsSortedFunc(record.Rules, rule.Compare) || len(record.Rules) == 0 {
				t.Errorf("seed %d: %s: rules %v", seed, record, record.Rules)
			}
		}
		zones, err := resolver.ParseZones(text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		report, err := audit.Auditor{Resolver: zones, AllowDocumentation: true}.Audit(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			if f.Status == rule.Fail || f.Status == rule.Undecided {
				t.Errorf("seed %d, round %d: %s %s %s %s", seed, i, f.Rule, f.Subject, f.Status, f.Message)
			}
		}
		shuffled := *o
		shuffled.MTAs = slices.Clone(o.MTAs)
		r.Shuffle(len(shuffled.MTAs), func(i, j int) {
			shuffled.MTAs[i], shuffled.MTAs[j] = shuffled.MTAs[j], shuffled.MTAs[i]
		})
		again, _ := plan.Want(&shuffled)
		if diff := cmp.Diff(fmt.Sprint(records), fmt.Sprint(again)); diff != "" {
			t.Errorf("seed %d: another order wants something else:\n%s", seed, diff)
		}
	}
}

// What is wanted can be published: it survives the wire.
func TestWantPacks(t *testing.T) {
	seed := rand.Uint64()
	records, _ := plan.Want(random(rand.New(rand.NewPCG(seed, 0))))
	for _, record := range records {
		wire := make([]byte, 512)
		n, err := dns.PackRR(record.RR, wire, 0, nil, false)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, record, err)
		}
		back, _, err := dns.UnpackRR(wire[:n], 0)
		if err != nil || !dns.IsDuplicate(record.RR, back) || back.Header().Ttl != plan.TTL {
			t.Errorf("seed %d: %s came back as %v, %v", seed, record, back, err)
		}
	}
}
