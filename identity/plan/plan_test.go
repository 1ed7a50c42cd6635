package plan_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

func parse(t testing.TB, text string) *org.Organization {
	t.Helper()
	o, err := org.Parse("org.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var update = flag.Bool("update", false, "rewrite the records and refusals in testdata")

// Each archive has an organization, and what is wanted of it: a record a line with the
// rules that want it, then what is refused.
func TestWant(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil || len(archive.Files) != 2 || archive.Files[0].Name != "org" || archive.Files[1].Name != "want" {
				t.Fatal("expected the files org and want", err)
			}
			var got strings.Builder
			records, refusals := plan.Want(parse(t, string(archive.Files[0].Data)))
			for _, r := range records {
				fmt.Fprintf(&got, "%s %v\n", r, r.Rules)
			}
			for _, r := range refusals {
				fmt.Fprintf(&got, "refused: %s\n", strings.TrimSpace(strings.Join([]string{r.MTA, r.Value, r.Reason}, " ")))
			}
			if *update {
				archive.Files[1].Data = []byte(got.String())
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got.String()); diff != "" {
				t.Errorf("-update rewrites what is wanted (-want +got):\n%s", diff)
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
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR", "example.test. MX", "example.test. MX", "example.test. TXT", "_client._smtp.example.test. SRV",
		"z.a.example.test. A", "z.a.example.test. TXT", "_client._smtp.z.a.example.test. SRV",
		"b.example.test. A", "b.example.test. A", "b.example.test. MX", "b.example.test. TXT", "b.example.test. AAAA", "_client._smtp.b.example.test. SRV",
		"a.b.example.test. A", "a.b.example.test. A", "a.b.example.test. TXT", "a.b.example.test. AAAA", "_client._smtp.a.b.example.test. SRV",
		"c.example.test. A", "c.example.test. MX", "c.example.test. TXT", "_client._smtp.c.example.test. SRV",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// dice are what random things are made with: a *rand.Rand, or what rapid draws.
type dice interface{ IntN(n int) int }

// random returns an organization that nothing speaks against: MTAs with addresses
// of both families, of their own or behind one that another MTA has too, PTR
// names of their own, HELO names that some share and some are another's PTR name;
// mail domains that are none, its own, a HELO name, or another's; names without mail
// and every contact.
func random(r dice) *org.Organization {
	domain := []string{"example.test", "a.Deep.Example.test", "xn--bcher-kva.example"}[r.IntN(3)]
	o := &org.Organization{Domain: strings.Replace(domain, "xn--bcher-kva", "Bücher", r.IntN(2)) + "."}
	name := func(label string) string { return label + strings.Repeat(".deep", r.IntN(2)) + "." + domain }
	used := 0
	for i := range 1 + r.IntN(4) {
		m := org.MTA{
			ID: fmt.Sprint("mx", i), PTR: name(fmt.Sprint("mta", i)), Helo: name(fmt.Sprint("Post", r.IntN(3))), Dedicated: r.IntN(2) == 0,
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
				m.Helo = other.PTR
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
	for i := range r.IntN(3) {
		o.Names = append(o.Names, fmt.Sprintf("www%d.%s", i, domain))
	}
	for _, contact := range []**org.Contact{&o.Contacts.MTA, &o.Contacts.Admin, &o.Contacts.Abuse} {
		if *contact = (&org.Contact{Name: "John Smith", Email: "postmaster"}); r.IntN(3) == 0 {
			(*contact).Mailbox = "j.smith@" + domain
		}
	}
	return o
}

// properties runs a test of n random organizations; -rapid.checks=1000 makes it ten times as
// many. What it fails with follows the seed of the first that fails.
func properties(t *testing.T, n int, test func(t *testing.T, r *rand.Rand, o *org.Organization)) {
	t.Helper()
	if checks, ok := flag.Lookup("rapid.checks").Value.(flag.Getter).Get().(int); ok {
		n = max(1, n*checks/100)
	}
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
	properties(t, 200, func(t *testing.T, r *rand.Rand, o *org.Organization) {
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
	properties(t, 200, func(t *testing.T, _ *rand.Rand, o *org.Organization) {
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
			if err != nil || !dns.IsDuplicate(record.RR, back) || back.Header().Ttl != rule.TTL {
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
// organization. Without any one record, a rule that wants it fails; without all, of MX
// records.
func TestWantPassesTheAudit(t *testing.T) {
	properties(t, 12, func(t *testing.T, _ *rand.Rand, o *org.Organization) {
		domain, err := resolver.Canonical(o.Domain)
		if err != nil {
			t.Fatal(err)
		}
		records, _ := plan.Want(o)
		published := []string{domain + " 300 IN SOA ns." + domain + " hostmaster." + domain + " 1 1 1 1 60", `_spf.provider.test. TXT "v=spf1 ip4:203.0.113.1 -all"`}
		for _, name := range o.Names {
			published = append(published, strings.TrimSuffix(name, ".")+". 300 A 192.0.2.80")
		}
		if !slices.ContainsFunc(o.MTAs, org.MTA.Receives) { // somebody else takes the mail
			names := make(map[string]bool)
			for _, d := range o.MailDomains() {
				names[dnsname.CanonicalOrEmpty(d.Domain)] = true
			}
			for _, m := range o.MTAs {
				names[dnsname.CanonicalOrEmpty(m.Helo)] = m.Sends() || names[dnsname.CanonicalOrEmpty(m.Helo)]
			}
			for name, mailed := range names {
				if mailed && name != "" {
					published = append(published, name+" 300 MX 10 mx.provider.test.")
				}
			}
			published = append(published, "mx.provider.test. 300 A 203.0.113.25")
		}
		first := len(published)
		for _, record := range records {
			published = append(published, record.String())
		}
		if failed := failures(t, o, published); len(failed) > 0 {
			t.Errorf("with all that is wanted: %s", failed)
		}
		for i, record := range records {
			without := slices.Delete(slices.Clone(published), first+i, first+i+1)
			if mx, ok := record.RR.(*dns.MX); ok && mx.Mx != "." { // one of several is as good
				without = slices.DeleteFunc(without, func(line string) bool { return strings.HasPrefix(line, mx.Hdr.Name+" 3600 IN MX ") })
			}
			if srv, ok := record.RR.(*dns.SRV); ok && csa.Denies(srv) {
				continue // the policy of the domain denies the name, too
			}
			failed := failures(t, o, without)
			if !slices.ContainsFunc(record.Rules, func(id rule.ID) bool { return failed[id] == rule.Fail }) {
				t.Errorf("without %s %s: %s", record, record.Rules, failed)
			}
		}
	})
}

// failures audits zones of the lines given, and returns the rules that fail or
// are undecided.
func failures(t *testing.T, o *org.Organization, lines []string) map[rule.ID]rule.Status {
	t.Helper()
	report, err := audit.Auditor{Resolver: zones(t, lines), AllowDocumentation: true}.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[rule.ID]rule.Status)
	for _, f := range report.Findings {
		if f.Status == rule.Fail || f.Status == rule.Undecided && f.Code != rule.CodeUnproven { // DNS has no proof of a static address
			out[f.Rule] = f.Status
		}
	}
	return out
}
