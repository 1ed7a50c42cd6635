package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // audits leave much garbage and keep little: a third of the time was collecting it
	goleak.VerifyTestMain(m)
}

func oneMTA() *org.Organization {
	return &org.Organization{Domain: "example.test", MTAs: []org.MTA{{
		ID: "mx1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, PTR: "mta1.example.test", Helo: "post.example.test",
	}}}
}

func TestWhatCannotBeAudited(t *testing.T) {
	if _, err := (audit.Auditor{}).Audit(t.Context(), oneMTA()); !errors.Is(err, resolver.ErrNoResolver) {
		t.Errorf("without a Resolver: %v", err)
	}
	none := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		t.Error("an invalid description was asked about")
		return resolver.Answer{}, nil
	})
	rep, err := audit.Auditor{Resolver: none}.Audit(t.Context(), &org.Organization{Domain: "example.test"})
	if _, ok := errors.AsType[*org.Error](err); !ok || rep != nil {
		t.Errorf("an invalid description: %v, %v", rep, err)
	}
	if rep, err := (audit.Auditor{Resolver: none}).Audit(t.Context(), nil); err == nil || rep != nil {
		t.Errorf("no description: %v, %v", rep, err)
	}
	for _, e := range []org.Exception{
		{Rule: "ptr-differs", Subject: "mx1"},
		{Rule: "helo-differs", Subject: "mx2"},
		{Rule: "helo-differs", Subject: "mx1/192.0.2.10"},
		{Rule: "ptr-exists", Subject: "mx"},
		{Rule: "ptr-exists", Subject: "/"},
	} {
		o := oneMTA()
		e.Reason = "r"
		o.Exceptions = []org.Exception{e}
		rep, err = audit.Auditor{Resolver: none}.Audit(t.Context(), o)
		if err == nil || rep != nil || !strings.Contains(err.Error(), "exception of") || !strings.Contains(err.Error(), e.Rule) {
			t.Errorf("exception of %s for %s: %v, %v", e.Rule, e.Subject, rep, err)
		}
	}
}

// The failures for which the description makes an exception, of an MTA and of the whole.
func TestExceptions(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN .\n$TTL 1\n@ SOA a b 1 1 1 1 1")
	if err != nil {
		t.Fatal(err)
	}
	o := oneMTA()
	o.Exceptions = []org.Exception{{Rule: "helo-csa", Subject: "mx1", Reason: "nobody asks"}, {Rule: "domain-csa", Subject: "organization", Reason: "nor here"}}
	rep, err := audit.Auditor{Resolver: zones, AllowDocumentation: true}.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	waived := make(map[rule.ID]string)
	for _, f := range rep.Findings {
		if f.Status == rule.Waived {
			waived[f.Rule] = f.Remedy
		}
	}
	if diff := cmp.Diff(map[rule.ID]string{"helo-csa": "nobody asks", "domain-csa": "nor here"}, waived); diff != "" {
		t.Error(diff)
	}
}

// A context that ends decides nothing: no Fail, and no Pass of what DNS was to say.
func TestCanceled(t *testing.T) {
	fake, err := dnsfake.New("$ORIGIN .\n$TTL 300")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rep, err := audit.Auditor{Resolver: fake, AllowDocumentation: true}.Audit(ctx, oneMTA())
	if err != nil {
		t.Fatal(err)
	}
	asks := []rule.ID{rule.OrgDomain, rule.PTRExists, rule.PTRConfirmed, rule.PTRSyntax, rule.PTROneName, rule.PTRNotGeneric, rule.PTRStatic, rule.HeloRole, rule.HeloResolves, rule.HeloSameOrg, rule.HeloDiffers,
		rule.SPFValid, rule.SPFAgreed, rule.HeloSPF, rule.HeloSPFStrict, rule.MailSPF,
		rule.HeloCSA, rule.HeloRP, rule.PTRLocked, rule.DomainCSA, rule.DomainRP,
		rule.PostfixReverseClient, rule.PostfixClient, rule.EximReverse, rule.OpenSMTPDFCrDNS, rule.RspamdHostname, rule.SelectiveRejection, rule.GmailFCrDNS, rule.YahooFCrDNS, rule.OutlookPTR,
		rule.PostfixHeloHostname, rule.EximHelo, rule.EximCSA, rule.RspamdHelo, rule.HeloEqualsPTR,
		rule.PTRRole, rule.MailRoute, rule.MXHosts, rule.Wildcards, rule.TTLs}
	for _, f := range rep.Findings {
		if (f.Status == rule.Undecided) != slices.Contains(asks, f.Rule) || f.Status == rule.Fail {
			t.Errorf("%s is %s", f.Rule, f.Status)
		}
	}
	if !rep.Undecided(rule.Must) || rep.Failed(rule.Advice) {
		t.Error("the report is decided")
	}
}

// A server that never answers costs the time of the slowest question of each
// round, not of their sum.
func TestQuestionsRunTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const roundTrip = time.Second
		r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
			time.Sleep(roundTrip)
			if qtype == dns.TypePTR {
				return resolver.Answer{Records: []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}, Ptr: "mta1.example.test."}}}, nil
			}
			return resolver.Answer{}, nil
		})
		start := time.Now()
		if _, err := (audit.Auditor{Resolver: r, AllowDocumentation: true}).Audit(t.Context(), oneMTA()); err != nil {
			t.Fatal(err)
		}
		if rounds := time.Since(start) / roundTrip; rounds != 4 { // MX records, then addresses, for as many as there are slots; then the rest; then for the fixes
			t.Errorf("%d round trips", rounds)
		}
	})
}

// The number of questions is at most the one that the package comment states,
// whatever the zones say.
func TestWorkIsBounded(t *testing.T) {
	var mu sync.Mutex
	asked := make(map[string]int)
	running, most := 0, 0
	record := func(name string) *dns.TXT {
		text := "v=spf1"
		for i := range 9 {
			text += fmt.Sprintf(" mx:n%d.%s", i, name)
		}
		return &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{text, " redirect=m." + name}}
	}
	hostile := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		mu.Lock()
		running++
		most = max(most, running)
		asked[resolver.TypeString(qtype)]++
		mu.Unlock()
		defer func() { mu.Lock(); running--; mu.Unlock() }()
		var records []dns.RR
		for i := range 500 {
			hdr := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}
			switch qtype {
			case dns.TypePTR:
				records = append(records, &dns.PTR{Hdr: hdr, Ptr: fmt.Sprintf("n%d.example.test.", i)})
			case dns.TypeMX:
				records = append(records, &dns.MX{Hdr: hdr, Mx: fmt.Sprintf("n%d.%s", i%20, name)})
			case dns.TypeA:
				if i >= 20 {
					continue
				}
				records = append(records, &dns.A{Hdr: hdr, A: net.IPv4(203, 0, 113, byte(i))})
			}
		}
		if qtype == dns.TypeTXT {
			records = append(records, record(name))
		}
		return resolver.Answer{Records: records}, nil
	})
	o := &org.Organization{Domain: "example.test"}
	const mtas, addresses = 3, 4
	for i := range mtas {
		m := org.MTA{ID: fmt.Sprintf("mx%d", i), Helo: fmt.Sprintf("post%d.example.test", i)}
		for j := range addresses {
			m.Addresses = append(m.Addresses, netip.AddrFrom4([4]byte{192, 0, 2, byte(10*i + j)}))
		}
		o.MTAs = append(o.MTAs, m)
	}
	if _, err := (audit.Auditor{Resolver: hostile, AllowDocumentation: true}).Audit(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range asked {
		total += n
	}
	// Each address sends under its HELO name and the mail domain.
	if stated := 28 + mtas*18 + mtas*addresses*28 + (mtas+1)*(2700+137) + mtas*addresses*2*260; total > stated {
		t.Errorf("%d questions: %v, %d are stated", total, asked, stated)
	}
	t.Logf("%d questions: %v", total, asked)
	if most > 160 { // sixteen checks, ten names each
		t.Errorf("%d questions at once", most)
	}
}

// Property 5 of the design: the order of records in answers changes no finding, nor what
// it says, which Diff would take for a change.
func TestOrderDoesNotMatter(t *testing.T) {
	seed := rand.Uint64()
	for _, s := range scenarios(t) {
		rep := s.audit(t)
		s.auditor.Resolver = dnsfake.Shuffle(s.auditor.Resolver, seed)
		for range 5 {
			shuffled := s.audit(t)
			if diff := cmp.Diff(s.findings, lines(shuffled)); diff != "" {
				t.Fatalf("%s, seed %d (-want +got):\n%s", s.file, seed, diff)
			}
			for _, c := range shuffled.Diff(rep).Changes {
				t.Errorf("%s, seed %d: %s %s", s.file, seed, c.Kind, c)
			}
		}
	}
}

// Whatever a hostile zone puts into its answers, the text stays text, one line
// for each record, and the JSON is valid with every key.
func TestHostileText(t *testing.T) {
	evil := "\x1b[2J\r\n  pass  forged\u202e\xff"
	r := resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		answer := resolver.Answer{Server: evil}
		if qtype == dns.TypePTR {
			answer.Records = []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}, Ptr: `mta1\027\010.example.test.`}}
		}
		if qtype == dns.TypeSOA {
			return answer, errors.New(evil)
		}
		return answer, nil
	})
	rep, err := audit.Auditor{Resolver: r, AllowDocumentation: true}.Audit(t.Context(), oneMTA())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := rep.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for i, c := range text.String() {
		if c != '\n' && !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			t.Fatalf("%q at %d", c, i)
		}
	}
	if strings.Contains(text.String(), "\n  pass  forged") {
		t.Error("a line was forged")
	}
	var doc bytes.Buffer
	if err := rep.WriteJSON(&doc); err != nil {
		t.Fatal(err)
	}
	var again report.Report
	decoder := json.NewDecoder(&doc)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(rep), lines(&again)); diff != "" {
		t.Errorf("JSON does not come back (-want +got):\n%s", diff)
	}
}

// What a cache remembers is the same evidence, and gets no number of its own.
func TestCachedEvidence(t *testing.T) {
	s := readScenario(t, "testdata/good.txtar")
	var plain, cached bytes.Buffer
	if err := s.audit(t).WriteText(&plain); err != nil {
		t.Fatal(err)
	}
	s.auditor.Resolver = &resolver.Cache{Resolver: s.auditor.Resolver}
	for range 2 { // the second time all of it is from memory
		cached.Reset()
		if err := s.audit(t).WriteText(&cached); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain.String(), strings.ReplaceAll(cached.String(), "[cache of ", "[")); diff != "" {
			t.Errorf("the text differs (-without a cache +with one):\n%s", diff)
		}
	}
	if !strings.Contains(cached.String(), "[cache of ") {
		t.Error("nothing is from memory")
	}
}
