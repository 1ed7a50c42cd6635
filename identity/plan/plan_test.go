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
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all" [mail-spf]`,
			`post.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all" [helo-spf helo-spf-strict]`,
			"mta1.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"mta1.example.test. 3600 IN AAAA 2001:db8::10 [ptr-confirmed ptr-one-name]",
			"post.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"post.example.test. 3600 IN AAAA 2001:db8::10 [helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
			"0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 3600 IN PTR mta1.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"one name for both", `- {addresses: [192.0.2.10], ptr: mail.example.test, helo: MAIL.example.test}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [mail-spf]`,
			`mail.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]`,
			"mail.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mail.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"two MTAs behind one address", `
  - {addresses: [192.0.2.10], ptr: mta.example.test, helo: post1.example.test}
  - {addresses: [192.0.2.10], ptr: mta.example.test, helo: post2.example.test}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [mail-spf]`,
			`post1.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]`,
			`post2.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]`,
			"mta.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"post1.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"post2.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mta.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"one HELO name, the PTR name of one", `
  - {addresses: [192.0.2.10], ptr: one.example.test, helo: two.example.test}
  - {addresses: [192.0.2.11], ptr: two.example.test, helo: Two.example.test.}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 -all" [mail-spf]`,
			`two.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 -all" [helo-spf helo-spf-strict]`,
			"one.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"two.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"two.example.test. 3600 IN A 192.0.2.11 [ptr-confirmed ptr-one-name helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR one.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
			"11.2.0.192.in-addr.arpa. 3600 IN PTR two.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"names with U-labels, to the letter when refused", `
  - {addresses: [192.0.2.10], ptr: MTA.Bücher.example.test, helo: Post.Bücher.example.test}
  - {addresses: [192.0.2.11], helo: Post_1.Bücher.example.test}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 -all" [mail-spf]`,
			`post.xn--bcher-kva.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]`,
			"mta.xn--bcher-kva.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"post.xn--bcher-kva.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mta.xn--bcher-kva.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, []string{"mta2 Post_1.Bücher.example.test no host name of the public DNS"}},
		{"receives only, whatever it says in HELO", `- {addresses: [192.0.2.10], helo: "what is this", roles: [inbound]}`, nil, nil},
		{"submission only", `- {addresses: [192.0.2.10], helo: post.example.test, roles: [submission]}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [mail-spf]`,
			`post.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]`,
			"post.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
		}, nil},
		{"no PTR name decided", `- {addresses: [192.0.2.10], helo: post.example.test}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [mail-spf]`,
			`post.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]`,
			"post.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
		}, nil},
		{"receives only", `- {addresses: [192.0.2.10], ptr: mx.example.test, helo: mx.example.test, roles: [inbound]}`, []string{
			"mx.example.test. 3600 IN A 192.0.2.10 [ptr-confirmed ptr-one-name]",
			"10.2.0.192.in-addr.arpa. 3600 IN PTR mx.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, nil},
		{"addresses that are not public", `- {addresses: [10.0.0.1, 100.64.0.1, "fe80::1", 192.0.2.10], ptr: mta.example.test, helo: post.example.test}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [mail-spf]`,
			`post.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 -all" [helo-spf helo-spf-strict]`,
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
		{"names of others", `
  - {addresses: [192.0.2.10], ptr: host.provider.test, helo: mail.provider.test}
  - {addresses: [192.0.2.11], ptr: mail.other.example.test, helo: test}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 -all" [mail-spf]`,
			"mail.other.example.test. 3600 IN A 192.0.2.11 [ptr-confirmed ptr-one-name]",
			"11.2.0.192.in-addr.arpa. 3600 IN PTR mail.other.example.test. [ptr-exists ptr-confirmed ptr-one-name]",
		}, []string{
			"mta1 host.provider.test. not a name of example.test.: its owner publishes its records",
			"mta1 mail.provider.test not a name of example.test.: its owner publishes its records",
			"mta2 test no host name of the public DNS",
		}},
		{"mail domains", `
  - {addresses: [192.0.2.10], helo: post.example.test}
  - {addresses: [192.0.2.11], helo: example.test}
  - {addresses: [192.0.2.12], roles: [inbound]}
mail:
  - {domain: Example.test, includes: [_spf.provider.test], networks: [198.51.100.0/28, 10.0.0.0/8]}
  - {domain: news.other.test, softfail: true}
  - {domain: post.example.test, networks: ["2001:db8::/64"]}
  - {domain: loop.test, includes: [Loop.test.]}
  - {domain: mail.local}`, []string{
			"example.test. 3600 IN A 192.0.2.11 [helo-resolves]",
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 ip4:198.51.100.0/28 include:_spf.provider.test -all" [helo-spf helo-spf-strict mail-spf]`,
			`news.other.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 ~all" [mail-spf]`,
			"post.example.test. 3600 IN A 192.0.2.10 [helo-resolves]",
			`post.example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 ip6:2001:db8::/64 -all" [helo-spf helo-spf-strict mail-spf]`,
		}, []string{
			" 10.0.0.0/8 not a public network (private, RFC 1918)",
			" mail.local. expected the name of a host or a domain",
			" loop.test. loop.test. includes itself",
		}},
		{"names that are none of a host", `
  - {addresses: [192.0.2.10], ptr: mta_1.example.test, helo: post_1.example.test}
  - {addresses: [192.0.2.11], helo: "[192.0.2.11]"}
  - {addresses: [192.0.2.12], helo: "what is this"}
  - {addresses: [192.0.2.13], helo: localhost}`, []string{
			`example.test. 3600 IN TXT "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 ip4:192.0.2.12 ip4:192.0.2.13 -all" [mail-spf]`,
		}, []string{
			"mta1 mta_1.example.test. no host name of the public DNS",
			"mta1 post_1.example.test no host name of the public DNS",
			"mta2 [192.0.2.11] the HELO is an address, not a name",
			"mta3 what is this the HELO is malformed",
			"mta4 localhost no host name of the public DNS",
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

// Records stand by name from the right, then by type and data.
func TestWantSorts(t *testing.T) {
	records, _ := plan.Want(parse(t, `
domain: example.test
mtas:
  - {addresses: ["2001:db8::1", 192.0.2.11, 192.0.2.10], ptr: b.example.test, helo: a.b.example.test}
  - {addresses: [198.51.100.1], ptr: c.example.test, helo: z.a.example.test}
`))
	var got []string
	for _, r := range records {
		name, _, _ := strings.Cut(r.String(), " ")
		got = append(got, name+" "+resolver.TypeString(r.RR.Header().Rrtype))
	}
	want := []string{
		"10.2.0.192.in-addr.arpa. PTR", "11.2.0.192.in-addr.arpa. PTR", "1.100.51.198.in-addr.arpa. PTR",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR", "example.test. TXT",
		"z.a.example.test. A", "z.a.example.test. TXT", "b.example.test. A", "b.example.test. A", "b.example.test. AAAA",
		"a.b.example.test. A", "a.b.example.test. A", "a.b.example.test. TXT", "a.b.example.test. AAAA", "c.example.test. A",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// random returns an organisation that nothing speaks against: MTAs with addresses
// of both families, of their own or behind one that another MTA has too, PTR
// names of their own, HELO names that some share and some are another's PTR name;
// mail domains that are none, its own, a HELO name, or another's.
func random(r *rand.Rand) *org.Organisation {
	domain := []string{"example.test", "a.Deep.Example.test", "xn--bcher-kva.example"}[r.IntN(3)]
	o := &org.Organisation{Domain: strings.Replace(domain, "xn--bcher-kva", "Bücher", r.IntN(2)) + "."}
	name := func(label string) string { return label + strings.Repeat(".deep", r.IntN(2)) + "." + domain }
	used := 0
	for i := range 1 + r.IntN(4) {
		m := org.MTA{
			ID: fmt.Sprint("mx", i), PTR: name(fmt.Sprint("mta", i)), HELO: name(fmt.Sprint("Post", r.IntN(3))), Dedicated: r.IntN(2) == 0,
			Roles: [][]org.Role{nil, nil, {org.Inbound}, {org.Submission, org.Outbound}}[r.IntN(4)],
		}
		for range 1 + r.IntN(3) {
			used++
			m.Addresses = append(m.Addresses, netip.MustParseAddr(fmt.Sprintf([]string{"192.0.2.%d", "::ffff:192.0.2.%d", "2001:db8::%d"}[r.IntN(3)], used)))
		}
		if i > 0 {
			switch other := o.MTAs[r.IntN(i)]; r.IntN(3) {
			case 0:
				m.PTR, m.Addresses = other.PTR, append(m.Addresses, other.Addresses[0])
			case 1:
				m.HELO = other.PTR
			}
		}
		o.MTAs = append(o.MTAs, m)
	}
	for i, d := range []string{domain, "Post0." + domain, "other.test"} {
		mail := org.MailDomain{Domain: d, SoftFail: r.IntN(2) == 0}
		if r.IntN(2) == 0 {
			mail.Includes = []string{"_spf.provider.test"}
			mail.Networks = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("198.51.%d.0/24", 100+i))}
		}
		if r.IntN(2) == 0 {
			o.Mail = append(o.Mail, mail)
		}
	}
	return o
}

// properties runs a test of random organisations. What it fails with follows the
// seed of the first that fails.
func properties(t *testing.T, n int, test func(t *testing.T, r *rand.Rand, o *org.Organisation)) {
	t.Helper()
	first := rand.Uint64()
	for seed := first; seed != first+uint64(n) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			o := random(r)
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
			test(t, r, o)
		})
	}
}

// What is wanted, and in which order, does not depend on the order of the
// description.
func TestWantInAnyOrder(t *testing.T) {
	properties(t, 200, func(t *testing.T, r *rand.Rand, o *org.Organisation) {
		before, _ := plan.Want(o)
		for _, m := range o.MTAs {
			r.Shuffle(len(m.Addresses), func(i, j int) { m.Addresses[i], m.Addresses[j] = m.Addresses[j], m.Addresses[i] })
		}
		r.Shuffle(len(o.MTAs), func(i, j int) { o.MTAs[i], o.MTAs[j] = o.MTAs[j], o.MTAs[i] })
		after, _ := plan.Want(o)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("another order wants something else:\n%s", diff)
		}
	})
}

// What is wanted can be published: each record once, over the wire and as zone
// text, by rules of the catalogue.
func TestWantCanBePublished(t *testing.T) {
	properties(t, 200, func(t *testing.T, _ *rand.Rand, o *org.Organisation) {
		records, refusals := plan.Want(o)
		if len(refusals) > 0 {
			t.Errorf("refused: %+v", refusals)
		}
		var written, read []string
		for _, record := range records {
			written = append(written, record.String())
			wire := make([]byte, 512)
			n, err := dns.PackRR(record.RR, wire, 0, nil, false)
			if err != nil {
				t.Fatalf("%s: %v", record, err)
			}
			back, _, err := dns.UnpackRR(wire[:n], 0)
			if err != nil || !dns.IsDuplicate(record.RR, back) || back.Header().Ttl != plan.TTL {
				t.Errorf("%s came back as %v, %v", record, back, err)
			}
			if slices.ContainsFunc(record.Rules, func(id rule.ID) bool { _, ok := rule.Lookup(id); return !ok }) ||
				!slices.IsSortedFunc(record.Rules, rule.Compare) || len(record.Rules) == 0 ||
				len(slices.Compact(slices.Clone(record.Rules))) != len(record.Rules) {
				t.Errorf("%s: rules %v", record, record.Rules)
			}
		}
		for rr := range zones(t, written).Records() {
			if rr.Header().Name != "." { // the SOA and NS that the root is given
				read = append(read, strings.ReplaceAll(rr.String(), "\t", " "))
			}
		}
		if diff := cmp.Diff(sorted(written), sorted(read)); diff != "" {
			t.Errorf("zone text (-written +read):\n%s", diff)
		}
	})
}

// zones reads records with absolute names. Whatever is not there does not exist.
func zones(t *testing.T, lines []string) *resolver.Zones {
	t.Helper()
	z, err := resolver.ParseZones("$ORIGIN .\n@ 300 SOA ns hostmaster 1 1 1 1 60\n" + strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// Zones that hold what is wanted and no more pass the audit, whoever the
// organisation. Without any one record, a rule that wants it fails.
func TestWantPassesTheAudit(t *testing.T) {
	properties(t, 25, func(t *testing.T, _ *rand.Rand, o *org.Organisation) {
		domain, err := resolver.Canonical(o.Domain)
		if err != nil {
			t.Fatal(err)
		}
		records, _ := plan.Want(o)
		published := []string{domain + " 300 IN SOA ns." + domain + " hostmaster." + domain + " 1 1 1 1 60", `_spf.provider.test. TXT "v=spf1 ip4:203.0.113.1 -all"`}
		for _, record := range records {
			published = append(published, record.String())
		}
		if failed := failures(t, o, published); len(failed) > 0 {
			t.Errorf("with all that is wanted: %s", failed)
		}
		for i, record := range records {
			failed := failures(t, o, slices.Delete(slices.Clone(published), i+2, i+3))
			if !slices.ContainsFunc(record.Rules, func(id rule.ID) bool { return failed[id] == rule.Fail }) {
				t.Errorf("without %s %s: %s", record, record.Rules, failed)
			}
		}
	})
}

// failures audits zones of the lines given, and returns the rules that fail or
// are undecided.
func failures(t *testing.T, o *org.Organisation, lines []string) map[rule.ID]rule.Status {
	t.Helper()
	report, err := audit.Auditor{Resolver: zones(t, lines), AllowDocumentation: true}.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[rule.ID]rule.Status)
	for _, f := range report.Findings {
		if f.Status == rule.Fail || f.Status == rule.Undecided {
			out[f.Rule] = f.Status
		}
	}
	return out
}
