package draft_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/draft"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/spf"
)

// A world has an organization's zones and those of others, as real ones are: aliases, a
// wildcard, several names at one address, a load balancer, a web server at the apex, providers.
type world struct {
	text   string // all zones
	zones  *resolver.Zones
	given  []string // the apexes of the whole zones that are given
	addrs  []netip.Addr
	others []string // domains that are given, too
}

// randomWorld draws a world. Names of mail servers are in many forms; records of others stay.
func randomWorld(t *rapid.T) *world {
	w := &world{}
	maybe := func(n int, lines string) string {
		if rapid.IntRange(1, n).Draw(t, "maybe") > 1 {
			return ""
		}
		return lines
	}
	one := func(lines ...string) string { return rapid.SampledFrom(lines).Draw(t, "one of") }
	policy := func(name string) string {
		if rapid.IntRange(0, 5).Draw(t, "no SPF") == 0 {
			return ""
		}
		return fmt.Sprintf("%s TXT %q\n", name, randomSPF(t))
	}
	var b strings.Builder
	b.WriteString("$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\n@ NS ns.provider.example.\n")
	b.WriteString(one("@ MX 10 mail\n", "@ MX 10 mail\n@ MX 20 mx2\n", "@ MX 20 mx2\n@ MX 20 mail\n@ MX 10 backup.provider.example.\n", "@ MX 10 mx.sub\n", "@ A 192.0.2.10\n", "@ MX 10 gone\n@ MX 10 mail\n"))
	b.WriteString(one("mail A 192.0.2.10\n", "mail A 192.0.2.10\nmail AAAA 2001:db8::10\n", "mail CNAME host1\n", "mail A 203.0.113.200\nmail A 203.0.113.201\n", "", "mail CNAME lb.provider.example.\n", "mail A 10.0.0.1\nmail A 192.0.2.10\n"))
	b.WriteString("host1 A 192.0.2.10\nmx2 A 192.0.2.11\nmx.sub A 192.0.2.10\nmx.sub TXT \"v=spf1 a -all\"\n")
	b.WriteString(maybe(3, "* A 192.0.2.10\n") + maybe(3, "* A 192.0.2.80\n") + maybe(2, "@ A 192.0.2.80\n") + maybe(3, "old DNAME new\nhost.new A 192.0.2.82\n"))
	b.WriteString("www A 192.0.2.80\nftp A 192.0.2.10\nshop CNAME www\ndc A 192.0.2.81\nout A 192.0.2.12\nsecure A 192.0.2.83\nsigned A 192.0.2.84\nquiet A 192.0.2.85\n")
	b.WriteString(maybe(2, "_sip._tcp SRV 1 1 5060 dc\n") + maybe(2, "_25._tcp.secure TLSA 3 1 1 aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899\n"))
	b.WriteString(maybe(2, "_mta-sts.secure TXT \"v=STSv1; id=1\"\n") + maybe(2, "_smtp._tls.secure TXT \"v=TLSRPTv1; rua=mailto:x@example.test\"\n"))
	b.WriteString(maybe(2, "k1._domainkey.signed TXT \"v=DKIM1; p=abc\"\n") + maybe(2, "k1._domainkey.quiet TXT \"v=DKIM1; p=\"\n") + maybe(2, "_dmarc.quiet TXT \"v=DMARC1; p="+one("none", "reject")+"\"\n"))
	b.WriteString(maybe(3, "_client._smtp.mail SRV 1 2 1 mail\n") + maybe(4, "sub NS ns.provider.example.\n") + maybe(3, "host1 TXT \"v=spf1 -all\"\n"))
	b.WriteString(policy("@") + maybe(2, "news MX 10 feedback.esp.example.\n"+policy("news")) + maybe(2, policy("rp")) + maybe(2, "lists A 192.0.2.13\n"+policy("lists")) + maybe(3, policy("mx2")))
	b.WriteString(maybe(2, "bounce CNAME bounces.esp.example.\n") + maybe(3, "_dmarc.sub TXT \"v=DMARC1; p=none\"\nsub TXT \"v=spf1 include:esp.example -all\"\n"))
	b.WriteString("$ORIGIN two.test.\n@ SOA ns hostmaster 1 1 1 1 60\n@ MX 10 " + one("mail.example.test.", "mail.two.test.", "mx.provider.example.") + "\nmail A 192.0.2.11\n" + policy("@"))
	b.WriteString("$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns.provider.example. h.provider.example. 1 1 1 1 60\n@ NS ns.provider.example.\n")
	b.WriteString(one("10 PTR host1.example.test.\n", "10 PTR host1.example.test.\n10 PTR ftp.example.test.\n", "10 PTR mail.example.test.\n", "10 PTR example.test.\n", "10 PTR host-10.provider.example.\n", "", "10 CNAME 10.sub\n10.sub PTR host1.example.test.\n"))
	b.WriteString(one("11 PTR mx2.example.test.\n", "", "11 PTR mail.two.test.\n") + one("12 PTR out.example.test.\n", "") + maybe(2, "80 PTR www.example.test.\n"))
	b.WriteString("$ORIGIN .\n@ SOA a b 1 1 1 1 60\nns.provider.example. A 203.0.113.53\nbackup.provider.example. A 203.0.113.25\nlb.provider.example. A 203.0.113.202\nmx.provider.example. A 203.0.113.26\nmx.provider.example. MX 10 backup.provider.example.\n" +
		"_spf.provider.example. TXT \"v=spf1 ip4:203.0.113.64/27 ?all\"\nhard.provider.example. TXT \"v=spf1 a:lb.provider.example -all\"\nesp.example. TXT \"v=spf1 ip4:198.51.100.0/26 -all\"\nbounces.esp.example. TXT \"v=spf1 include:esp.example -all\"\nfeedback.esp.example. A 198.51.100.1\nx.example. TXT \"v=spf1 include:gone.example ip4:198.51.100.99 -all\"\n")
	w.text = b.String()
	var err error
	if w.zones, err = resolver.ParseZones(w.text); err != nil {
		t.Fatal(err, w.text)
	}
	if rapid.Bool().Draw(t, "whole zones") {
		w.given = []string{"example.test."}
		for _, apex := range []string{"2.0.192.in-addr.arpa.", "two.test."} {
			if rapid.Bool().Draw(t, apex) {
				w.given = append(w.given, apex)
			}
		}
	}
	if rapid.Bool().Draw(t, "other domains") {
		w.others = []string{"two.test", "news.example.test", "quiet.example.test", "bounce.example.test"}
	}
	w.addrs = []netip.Addr{netip.MustParseAddr("192.0.2.10")}
	return w
}

// randomSPF draws an SPF record.
func randomSPF(t *rapid.T) string {
	text := "v=spf1"
	for range rapid.IntRange(0, 5).Draw(t, "terms") {
		text += " " + rapid.SampledFrom([]string{"", "", "", "", "", "", "+", "?", "~", "-"}).Draw(t, "qualifier") + rapid.SampledFrom([]string{
			"a", "mx", "mx", "a/28", "mx/29//120", "a:www.example.test", "a:out.example.test", "a:lb.provider.example", "mx:mx.provider.example", "a:mail.example.test", "mx:two.test",
			"a:gone.example", "ip4:192.0.2.10", "ip4:192.0.2.11", "ip4:192.0.2.12", "ip4:203.0.113.7", "ip4:198.51.100.128/25", "ip4:192.0.2.0/24", "ip6:2001:db8::10", "ip6:2001:db8:1::/48", "ip4:10.0.0.0/8", "ip4:0.0.0.0/0", "ip4:224.0.0.1",
			"include:_spf.provider.example", "include:hard.provider.example", "include:esp.example", "include:gone.example", "include:x.example", "include:example.test", "include:%{d}.example",
			"exists:%{ir}.example.test", "exists:www.example.test", "ptr", "ptr:example.test", "a:%{o}", "all",
		}).Draw(t, "term")
	}
	return text + rapid.SampledFrom([]string{" -all", " -all", " -all", " ~all", " ?all", " +all", "", " redirect=_spf.provider.example", " redirect=hard.provider.example", " redirect=example.test", " redirect=gone.example", " exp=x.example -all"}).Draw(t, "end")
}

// records returns the records of the zones that are given, in an order by a seed.
func (w *world) records(seed uint64) []dns.RR {
	var out []dns.RR
	for rr := range w.zones.Records() {
		name := dnsname.CanonicalOrEmpty(rr.Header().Name)
		if slices.ContainsFunc(w.given, func(apex string) bool { return dnsname.Under(name, apex) }) {
			out = append(out, rr)
		}
	}
	r := rand.New(rand.NewPCG(seed, 1))
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// draft returns the description of a world with its text.
func (w *world) draft(t *rapid.T, r resolver.Resolver, seed uint64) (o *org.Organization, comments []org.Comment, text string) {
	o, comments, err := draft.FromDNS(t.Context(), r, "example.test", w.addrs, resolver.SeqOf(w.records(seed)...), w.others...)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.text)
	}
	var out strings.Builder
	if err := o.WriteYAML(&out, comments...); err != nil {
		t.Fatalf("%v\n%s", err, w.text)
	}
	return o, comments, out.String()
}

// Nothing depends on the order of records, in answers and in zones.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		_, _, want := w.draft(t, w.zones, 1)
		for seed := range uint64(4) {
			if _, _, got := w.draft(t, dnsfake.Shuffle(w.zones, seed), seed+2); got != want {
				t.Fatalf("in another order (-want +got):\n%s\n%s", cmp.Diff(want, got), w.text)
			}
		}
	})
}

// said reports whether a comment has a text.
func said(comments []org.Comment, text string) bool {
	return slices.ContainsFunc(comments, func(c org.Comment) bool { return strings.Contains(c.Text, text) })
}

// What the SPF record of a name authorizes today is authorized by the record planned from the
// draft, or a comment names the term.
func TestNobodyIsShutOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		o, comments, text := w.draft(t, w.zones, 1)
		wanted, _ := plan.Want(o)
		for _, r := range wanted {
			record, ok := r.RR.(*dns.TXT)
			if !ok || !spf.IsRecord(txt.Join(record.Txt)) {
				continue
			}
			name := dnsname.CanonicalOrEmpty(record.Hdr.Name)
			planned := resolver.Func(func(ctx context.Context, q string, qtype uint16) (resolver.Answer, error) {
				if qtype == dns.TypeTXT && q == name {
					return resolver.Answer{Records: []dns.RR{record}}, nil
				}
				return w.zones.Lookup(ctx, q, qtype)
			})
			for _, addr := range w.samples(o) {
				now := check(t, w.zones, addr, name)
				if now.Status != spf.Pass || check(t, planned, addr, name).Status == spf.Pass {
					continue
				}
				term := now.Term.Text
				if len(now.Term.Path) > 0 {
					term = now.Term.Path[0].Text
				}
				if !said(comments, term) && !isLocked(o, name, record) {
					t.Fatalf("%s: %s may send for %s by %q, and not by %q\n%s\n%s", name, addr, name, term, record.Txt, text, w.text)
				}
			}
		}
	})
}

// isLocked reports whether a record declares that a PTR name sends no mail, as the advice
// wants it.
func isLocked(o *org.Organization, name string, record *dns.TXT) bool {
	return slices.Contains(plan.Lockable(o), name) && spf.IsNull(txt.Join(record.Txt))
}

func check(t *rapid.T, r resolver.Resolver, addr netip.Addr, name string) *spf.Result {
	return spf.Checker{Resolver: r, Speculate: spf.SpeculateNone, NoExplanation: true}.CheckMailFrom(t.Context(), addr, "host."+name, "postmaster@"+name)
}

// samples returns addresses of the world, and others that random records authorize.
func (w *world) samples(o *org.Organization) []netip.Addr {
	seen := map[netip.Addr]bool{}
	for _, text := range []string{"203.0.113.7", "203.0.113.65", "198.51.100.5", "198.51.100.200", "198.51.100.99", "192.0.2.200", "2001:db8:1::5", "10.1.1.1", "233.252.0.1", "192.0.2.9", "192.0.2.12"} {
		seen[netip.MustParseAddr(text)] = true
	}
	for rr := range w.zones.Records() {
		switch rr := rr.(type) {
		case *dns.A:
			addr, _ := netip.AddrFromSlice(rr.A.To4())
			seen[addr] = true
		case *dns.AAAA:
			addr, _ := netip.AddrFromSlice(rr.AAAA)
			seen[addr] = true
		}
	}
	var out []netip.Addr
	for addr := range seen {
		out = append(out, addr)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// A draft is read back as it was, and the plan of it refuses nothing but what a comment
// names.
func TestPlanOfDraft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		o, comments, text := w.draft(t, w.zones, 1)
		back, err := org.Parse("org.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(o, back, sameAddr, samePrefix); diff != "" {
			t.Fatalf("read back (-draft +parsed):\n%s", diff)
		}
		pub, err := plan.FromZones(resolver.SeqOf(w.records(1)...))
		if err != nil {
			t.Fatal(err)
		}
		if pub, err = pub.WithAnswers(t.Context(), w.zones, o); err != nil {
			t.Skip(err) // a delegation to where nobody answers
		}
		p, err := plan.New(o, pub, plan.Options{Adopt: rapid.Bool().Draw(t, "adopt")})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Refused {
			name, _, _ := strings.Cut(strings.TrimPrefix(r.Value, "_client._smtp."), " ")
			cause, _, _ := strings.Cut(r.Reason, " ") // a name that a comment is about
			if !said(comments, name) && !said(comments, strings.TrimSuffix(name, ".")) && !slices.ContainsFunc(comments, func(c org.Comment) bool { return strings.HasPrefix(c.Text, cause+" ") }) {
				t.Fatalf("refused: %+v\n%s\n%s", r, text, w.text)
			}
		}
	})
}

// A name that is listed as one without mail has no sign of mail, or a comment of its own.
func TestNamesHaveNoMail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		o, comments, text := w.draft(t, w.zones, 1)
		servers := make(map[netip.Addr]bool)
		for _, m := range o.MTAs {
			for _, addr := range m.Addresses {
				servers[addr] = true
			}
		}
		for i, name := range o.Names {
			doubt := slices.ContainsFunc(comments, func(c org.Comment) bool { return c.Path == fmt.Sprintf("names[%d]", i) })
			if sign := w.signOfMail(t, name, servers); sign != "" {
				t.Fatalf("%s: %s\n%s\n%s", name, sign, text, w.text)
			}
			if (strings.HasPrefix(name, "*.") || name == "two.test." || name == "www.example.test.") && !doubt {
				t.Fatalf("%s has no comment\n%s\n%s", name, text, w.text)
			}
		}
	})
}

// signOfMail returns what shows that a name has mail, by looking at each record of the zones.
func (w *world) signOfMail(t *rapid.T, name string, servers map[netip.Addr]bool) string {
	addrs, err := resolver.LookupAddrs(t.Context(), w.zones, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if servers[addr] {
			return "it has the address of an MTA"
		}
	}
	for rr := range w.zones.Records() {
		owner, text := dnsname.CanonicalOrEmpty(rr.Header().Name), rr.String()
		switch rr := rr.(type) {
		case *dns.MX:
			if owner == name || rr.Mx == name {
				return text
			}
		case *dns.SRV:
			if rr.Target == name {
				return text
			}
		case *dns.TLSA:
			if owner == "_25._tcp."+name {
				return text
			}
		case *dns.CNAME:
			if owner == "mail.example.test." && rr.Target == name {
				return text
			}
		case *dns.TXT:
			value := txt.Join(rr.Txt)
			switch {
			case owner == name && spf.IsRecord(value) && !spf.IsNull(value),
				owner == "_mta-sts."+name, owner == "_smtp._tls."+name,
				strings.HasSuffix(owner, "._domainkey."+name) && value != "v=DKIM1; p=",
				owner == "_dmarc."+name && value != "v=DMARC1; p=reject":
				return text
			}
		}
	}
	return ""
}
