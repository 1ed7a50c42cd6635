package floors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/draft"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/harden"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

// evils are texts that would steer a terminal, or continue on a line of their own, and what
// is written around them to be taken by one parser or another.
var evils = []string{
	"\x1b[31m", "\nFORGED", "\r\nFORGED", "\u009b31m", "\x9b", "\u202e", "\u2028FORGED", "\u200b", "\x00", "\x7f", "\t", "\u00a0", "\xff\xfe", "\\", "\"", "\\027", "\\010FORGED",
}

// printable checks text that people read: one line, or more if several errors make a list,
// none of which begins with what the other side said.
func printable(t *testing.T, where, text string) {
	t.Helper()
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) || strings.Contains("\n"+text, "\nFORGED") {
		t.Errorf("%s: %q", where, text)
	}
}

// shown checks all that a value of this module shows of itself, and of its parts: errors,
// log values, and what String returns. Its text fields are the other side's, to the letter.
func shown(t *testing.T, where string, v any) { t.Helper(); walkValue(t, where, reflect.ValueOf(v), 0) }

func walkValue(t *testing.T, where string, v reflect.Value, depth int) {
	t.Helper()
	if !v.IsValid() || depth > 12 || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
		return
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case dns.RR:
			return // zone text is written by package txt
		case error:
			printable(t, where+" error", x.Error())
			return
		case slog.LogValuer:
			printableLog(t, where, x.LogValue())
		}
		if s, ok := v.Interface().(fmt.Stringer); ok && v.Kind() != reflect.Interface {
			printable(t, where+" String of "+v.Type().String(), s.String())
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		walkValue(t, where, v.Elem(), depth+1)
	case reflect.Struct:
		if !strings.HasPrefix(v.Type().PkgPath(), module) {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if at := v.Type().String() + "." + f.Name; composed[f.Name] && !verbatim[at] {
				walkStrings(t, where+" "+at, v.Field(i))
			}
			if f.IsExported() {
				walkValue(t, where+"."+f.Name, v.Field(i), depth+1)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range min(v.Len(), 8) {
			walkValue(t, where, v.Index(i), depth+1)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			walkValue(t, where, v.MapIndex(key), depth+1)
		}
	}
}

// composed are fields that the library writes for people.
var composed = map[string]bool{"Text": true, "Message": true, "Reason": true, "Reasons": true, "Remedy": true, "Explanation": true, "Degraded": true, "Comment": true}

// verbatim are those of these names that hold what the other side said.
var verbatim = map[string]bool{"resolver.ExtendedError.Text": true, "spf.TermAt.Text": true, "spf.TreeNode.Text": true, "spf.Term.Text": true, "helo.Argument.Text": true, "rp.Contact.Text": true, "rp.Person.Text": true, "envelope.Reply.Text": true}

// walkStrings checks a text, or each of a list.
func walkStrings(t *testing.T, where string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Kind() == reflect.String:
		printable(t, where, v.String())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		for i := range v.Len() {
			printable(t, where, v.Index(i).String())
		}
	}
}

func printableLog(t *testing.T, where string, v slog.Value) {
	t.Helper()
	if v = v.Resolve(); v.Kind() != slog.KindGroup {
		if text := v.String(); strings.Contains(text, "\n") {
			t.Errorf("%s logs %q", where, text)
		} else {
			printable(t, where+" log", text)
		}
		return
	}
	for _, attr := range v.Group() {
		printableLog(t, where+"/"+attr.Key, attr.Value)
	}
}

// evilDNS answers every question with evil: in its errors, in names, in texts. Some
// answers are errors.
func evilDNS(evil string) resolver.Resolver {
	var asked atomic.Int32
	return resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		n := asked.Add(1)
		if n%7 == 0 {
			return resolver.Answer{}, &resolver.Error{Name: name + evil, Type: qtype, Server: evil, Extended: []resolver.ExtendedError{{Code: 1, Text: evil}}, Err: errors.New("evil " + evil)}
		}
		if n%11 == 0 {
			return resolver.Answer{}, fmt.Errorf("evil %s", evil)
		}
		header := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 60}
		host := "a" + evil + ".evil.test."
		a := resolver.Answer{TTL: 1, Server: evil}
		switch qtype {
		case dns.TypeA:
			a.Records = []dns.RR{&dns.A{Hdr: header, A: []byte{192, 0, 2, 10}}}
		case dns.TypePTR:
			a.Records = []dns.RR{&dns.PTR{Hdr: header, Ptr: host}, &dns.PTR{Hdr: header, Ptr: "b." + host}}
		case dns.TypeMX:
			a.Records = []dns.RR{&dns.MX{Hdr: header, Mx: host, Preference: 1}, &dns.MX{Hdr: header, Mx: "."}}
		case dns.TypeSRV:
			a.Records = []dns.RR{&dns.SRV{Hdr: header, Target: host, Priority: 1, Weight: 2, Port: 7}, &dns.SRV{Hdr: header, Target: ".", Priority: 1, Weight: 1}}
		case dns.TypeRP:
			a.Records = []dns.RR{&dns.RP{Hdr: header, Mbox: host, Txt: "txt." + host}}
		case dns.TypeCNAME:
			a.Records = []dns.RR{&dns.CNAME{Hdr: header, Target: host}}
		case dns.TypeTXT:
			for _, text := range []string{"v=spf1 include:" + evil + ".test a:%{h}" + evil + " exp=" + evil + ".test " + evil + " -all", "v=spf1 mx" + evil + ":x.test ?include:ok.test exists:%{l}.x.test exp=why.test -all", "v=spf1 " + evil + "=x -all", "spf1 " + evil, evil}[n%5 : n%5+1] {
				a.Records = append(a.Records, &dns.TXT{Hdr: header, Txt: []string{text}})
			}
		}
		if n%5 == 0 {
			a.Chain = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: host}}
		}
		return a, nil
	})
}

// spellings are what a client, or a file, says with evil in it.
func spellings(evil string) []string {
	return []string{evil, "a" + evil, evil + ".test", "a" + evil + "b.example.test.", "v=spf1 " + evil, "v=spf1 a:" + evil + " -all", "v=spf1 " + evil + "=x", "v=spf1 ip4:" + evil, "v=spf1 -all" + evil, "a@" + evil, evil + "@x.test", "<" + evil + ">", "[" + evil + "]", "[IPv6:" + evil, "*@" + evil, `"` + evil + `"@x.test`}
}

// What other people wrote is printable wherever this library shows it: in errors, in logs,
// in notes, lints and reports (package untrusted).
func TestUntrustedTextIsPrintable(t *testing.T) {
	for _, evil := range evils {
		for _, text := range spellings(evil) {
			parsers(t, text)
			checkers(t, evil, text)
		}
		files(t, evil)
		organizations(t, evil)
	}
}

// errorOf drops the value of a parser.
func errorOf[T any](v T, err error) []any { return []any{v, err} }

// parsers are functions of a text without DNS.
func parsers(t *testing.T, text string) {
	t.Helper()
	addr := netip.MustParseAddr("192.0.2.10")
	for where, got := range map[string][]any{
		"resolver.Canonical":          errorOf("", second(resolver.Canonical(text))),
		"resolver.FromReverseName":    errorOf(resolver.FromReverseName(text)),
		"resolver.ParseServer":        errorOf(resolver.ParseServer(text)),
		"resolver.Question":           {resolver.Question{Name: text, Type: dns.TypeA}},
		"resolver.ReadResolvConf":     errorOf("", second(resolver.ReadResolvConf(text, strings.NewReader("nameserver "+text+"\noptions timeout:"+text+"\n")))),
		"ptrname.Classify":            {ptrname.Classify(addr, text)},
		"fcrdns.Mapping":              {second(fcrdns.Mapping{Addrs: []netip.Addr{addr}, Name: text}.RRs()), second(fcrdns.Mapping{Addrs: []netip.Addr{addr}, Name: text}.PTRs())},
		"spf.Parse":                   errorOf(spf.Parse(text)),
		"spf.Select":                  errorOf("", second(spf.Select([]string{text, "v=spf1 -all", "v=spf1 " + text}))),
		"spf.NearMiss":                {errors.New(spf.NearMiss(text))},
		"spf.Builder":                 {second(spf.Builder{Name: text}.RR()), second(spf.Builder{Name: "x.test", Includes: []string{text}}.Record())},
		"csa.Authorize":               {second(csa.Authorize(text, 1)), second(csa.Deny(text, 1)), second(csa.DenyUnlisted(text, 1))},
		"csa.LintRecords":             {csa.LintRecords([]*dns.SRV{{Hdr: dns.RR_Header{Name: text}, Target: text, Port: 7}, {Hdr: dns.RR_Header{Name: text}, Target: "."}}, true)},
		"nullmx.Record":               {second(nullmx.Record(text, 1))},
		"nullmx.LintRecords":          {nullmx.LintRecords([]*dns.MX{{Hdr: dns.RR_Header{Name: text}, Mx: text}, {Hdr: dns.RR_Header{Name: text}, Mx: ".", Preference: 7}})},
		"rp.Entry":                    {second(rp.Entry{Name: text, Mailbox: text}.RR()), second(rp.Entry{Name: "x.test", Mailbox: "a@x.test", Text: text}.RR())},
		"rp.Contact":                  {second(rp.Contact{Name: text}.RR("x.test", 1)), second(rp.ParseContact(text).RR(text, 1))},
		"envelope":                    errorOf(envelope.ParsePath(text)),
		"envelope.Reply":              {envelope.Reply{Code: 550, Text: text}},
		"helo.Parse":                  errorOf(helo.Parse(text)),
		"helo.OrganizationalDomain":   errorOf("", second(helo.OrganizationalDomain(text))),
		"resolver.Error":              {&resolver.Error{Name: text, Server: text, Err: errors.New(text)}},
		"flow.Note":                   {errors.New(flow.Note{Name: text, Text: text}.String())},
		"resolver.Zones.Replace":      errorOf("", second(new(resolver.Zones).Replace("", resolver.Question{Name: text}))),
		"dnsfake.New":                 errorOf("", second(dnsfake.New("$ORIGIN x.test.\n@ A "+text+"\n"+text))),
		"identity.AuthenticationR...": errorOf("", second(new(identity.Verdict).AuthenticationResults(text))),
	} {
		for _, v := range got {
			shown(t, fmt.Sprintf("%s(%q)", where, text), v)
		}
	}
	for _, unmarshal := range []interface{ UnmarshalText([]byte) error }{
		new(identity.Action), new(spf.Status), new(csa.Status), new(nullmx.Status), new(fcrdns.Status), new(helo.Faults), new(plan.Stage), new(plan.Owner), new(roleaddr.Status), new(dnsfake.Kind), new(ptrname.Kind),
	} {
		shown(t, fmt.Sprintf("%T(%q)", unmarshal, text), unmarshal.UnmarshalText([]byte(text)))
	}
}

func second[T any](_ T, err error) error { return err }

// checkers ask evil DNS about what a client says.
func checkers(t *testing.T, evil, text string) {
	t.Helper()
	ctx, addr, where := t.Context(), netip.MustParseAddr("192.0.2.10"), fmt.Sprintf("(%q)", text)
	r := evilDNS(evil)
	for range 2 {
		shown(t, "resolver.Ask"+where, resolver.Ask(ctx, r, text, dns.TypeTXT))
		shown(t, "resolver.Zones"+where, second(zonesOf(t, "$ORIGIN x.test.\n$TTL 60\n@ SOA a b 1 1 1 1 1\n@ NS a\n").Lookup(ctx, text, dns.TypeA)))
		shown(t, "resolver.AsNet"+where, second(resolver.AsNet{Resolver: r}.LookupTXT(ctx, text)))
		shown(t, "resolver.AsNet"+where, second(resolver.AsNet{Resolver: r}.LookupAddr(ctx, text)))
		shown(t, "resolver.AsNet"+where, second(resolver.AsNet{Resolver: r}.LookupHost(ctx, text)))
		shown(t, "resolver.AsNet"+where, second(resolver.AsNet{Resolver: r}.LookupNetIP(ctx, text, text)))
		shown(t, "resolver.AsNet"+where, second(resolver.AsNet{Resolver: r}.LookupCNAME(ctx, text)))
		shown(t, "resolver.FromNet"+where, second(resolver.FromNet{Resolver: resolver.AsNet{Resolver: r}}.Lookup(ctx, text, dns.TypeMX)))
		shown(t, "resolver.Client"+where, second((&resolver.Client{Exchange: func(context.Context, netip.AddrPort, []byte) ([]byte, error) { return nil, errors.New(text) }}).Lookup(ctx, "x.test", dns.TypeMX)))
		shown(t, "resolver.LookupMX"+where, second(resolver.LookupMX(ctx, r, text)))
		shown(t, "fcrdns"+where, fcrdns.Checker{Resolver: r}.Check(ctx, addr))
		result := spf.Checker{Resolver: r}.CheckMailFrom(ctx, addr, text, text)
		shown(t, "spf"+where, result)
		printable(t, "ReceivedSPF"+where, strings.ReplaceAll(result.ReceivedSPF(), "\r\n\t", " "))
		shown(t, "spf helo"+where, spf.Checker{Resolver: r}.CheckHelo(ctx, addr, text))
		analysis := spf.Analyze(ctx, r, text)
		shown(t, "spf.Analyze"+where, analysis)
		shown(t, "spf.Flatten"+where, second(analysis.Flatten(ctx, r, 60)))
		shown(t, "csa"+where, csa.Checker{Resolver: r}.Check(ctx, addr, text))
		shown(t, "nullmx"+where, nullmx.Checker{Resolver: r}.Check(ctx, text))
		persons, err := rp.Lookup(ctx, r, text)
		shown(t, "rp"+where, persons)
		shown(t, "rp"+where, err)
		shown(t, "helo"+where, helo.Checker{Resolver: r}.Check(ctx, text, addr))
		shown(t, "blitiri"+where, blitiri.Checker{Resolver: r}.Check(ctx, addr, text, text))
		shown(t, "roleaddr"+where, roleaddr.Checker{Resolver: r, Helo: text}.Check(ctx, text))
		s := identity.Verifier{Resolver: r, Names: []string{text}, Policy: identity.Policy{Explain: true}}.Session(ctx, addr)
		shown(t, "identity connect"+where, s.Connect(ctx))
		shown(t, "identity helo"+where, s.Helo(ctx, text))
		shown(t, "identity mail"+where, s.MailFrom(ctx, text))
		s.Close()
	}
	fake, err := dnsfake.New("$ORIGIN x.test.\n$TTL 60\n@ A 192.0.2.1\n")
	if err != nil {
		t.Fatal(err)
	}
	fake.Fail("x.test", dns.TypeA, dnsfake.Refused).Extended(1, evil).Must()
	shown(t, "dnsfake"+where, second(fake.Lookup(ctx, "x.test.", dns.TypeA)))
	shown(t, "dnsfake"+where, second(fake.Lookup(ctx, text, dns.TypeA)))
	shown(t, "dnsfake.Outside"+where, fake.Outside())
	shown(t, "dnsfake.Unasked"+where, fake.Unasked())
}

func zonesOf(t *testing.T, text string) *resolver.Zones {
	t.Helper()
	zones, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	return zones
}

// files are read with evil in their names and lines.
func files(t *testing.T, evil string) {
	t.Helper()
	for _, line := range []string{
		evil, "x A " + evil, "x TXT " + evil, evil + " A 192.0.2.1", "x " + evil + " A 192.0.2.1", "x " + evil, "$INCLUDE " + evil, "$ORIGIN " + evil, "$TTL " + evil, "$GENERATE " + evil, "$GENERATE 1-2 " + evil + "$ A 192.0.2.1",
		"$" + evil, "x MX " + evil, "x TYPE65280 \\# " + evil, "x SRV 1 1 1 " + evil, "x CNAME a" + evil + "\nx A 192.0.2.1", "x CNAME y\n" + "x CNAME z" + evil, "( " + evil, "\"" + evil, "x MX 10 192.0.2.25" + evil, "x TXT \"v=spf1 " + evil + "\"", "x TXT v=spf1 " + evil + " -all", "x CH A " + evil, "x" + evil + ".other. A 192.0.2.1",
	} {
		text := "$ORIGIN x.test.\n$TTL 60\n@ SOA ns hostmaster 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.1\n" + line + "\n"
		for _, file := range []string{"x.zone", evil} {
			zones, err := resolver.ReadZone("x.test.", file, strings.NewReader(text))
			shown(t, fmt.Sprintf("resolver.ReadZone(%q)", line), err)
			if err == nil {
				shown(t, fmt.Sprintf("Warnings(%q)", line), zones.Warnings())
				_, err = zones.With(line)
				shown(t, fmt.Sprintf("With(%q)", line), err)
			}
			_, err = resolver.ReadZone(evil, file, strings.NewReader(text))
			shown(t, fmt.Sprintf("resolver.ReadZone(%q, %q)", evil, line), err)
			_, err = org.Parse(file, []byte("domain: example.test\n"+line+": x\nmtas: [{addresses: ["+evil+"], helo: \""+evil+"\"}]\n"))
			shown(t, fmt.Sprintf("org.Parse(%q)", line), err)
			for o, err := range flow.Observations(strings.NewReader("2026-01-02 03:04:05 H=(" + evil + ") [192.0.2.1] ) [192.0.2.2] " + line + "\n")) {
				shown(t, "flow.Observations", o)
				shown(t, "flow.Observations", err)
			}
		}
	}
	for _, text := range []string{evil, `{"organization": "` + evil + `"}`, `{"` + evil + `": 1}`, `{"findings": [{"rule": "` + evil + `", "status": "` + evil + `"}]}`} {
		shown(t, fmt.Sprintf("report.ReadReport(%q)", text), second(report.ReadReport(strings.NewReader(text))))
	}
	for _, line := range []string{evil, "? " + evil, "? x.test. A\nserver " + evil, "? x.test. A\nstatus " + evil, "? x.test. A\nttl " + evil, "? x.test. A\nad " + evil, "? x.test. A\nrecord " + evil, "? x.test. A\nalias " + evil, "? x.test. A\nfault " + evil, "? x.test. A\nfault SERVFAIL\nextended " + evil, "? x.test. A\nfault SERVFAIL\ncause " + evil, "? x.test. " + evil, "question x.test. A\nrecord " + evil, evil + " x.test. A"} {
		player, err := dnsfake.Replay(evil, strings.NewReader(line+"\n"))
		shown(t, fmt.Sprintf("dnsfake.Replay(%q)", line), err)
		if err == nil {
			shown(t, fmt.Sprintf("Player(%q)", line), second(player.Lookup(t.Context(), evil, dns.TypeA)))
			shown(t, fmt.Sprintf("Missing(%q)", line), player.Missing())
		}
	}
}

// organizations are described, audited, planned and hardened with evil in what their zones
// and descriptions say.
func organizations(t *testing.T, evil string) {
	t.Helper()
	ctx := t.Context()
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(evil)
	var zone strings.Builder
	for _, r := range []byte(escaped) {
		if r < ' ' || r > '~' {
			fmt.Fprintf(&zone, `\%03d`, r)
		} else {
			zone.WriteByte(r)
		}
	}
	in := zone.String()
	text := "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns hostmaster 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.1\n@ MX 10 \"a" + in + "\"\n@ TXT \"v=spf1 include:" + in + ".test " + in + " -all\"\n@ TXT \"v=spf1" + in + "\"\n" +
		"post A 192.0.2.10\npost TXT \"spf1 " + in + "\"\nmta1 A 192.0.2.10\n_client._smtp.post SRV 1 2 1 post\npost RP a" + strings.ReplaceAll(in, `\"`, "") + " txt\ntxt TXT \"" + in + "\"\nb" + strings.NewReplacer(`\"`, "", `\\`, "").Replace(in) + " A 192.0.2.10\n10.2.0.192.in-addr.arpa. PTR mta1\n"
	zones, err := resolver.ParseZones(text)
	shown(t, "zone", err)
	if err != nil {
		zones = zonesOf(t, "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns hostmaster 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.1\npost TXT \""+in+"\"\n@ TXT \"v=spf1 "+in+" -all\"\nx TXT \"spf1 "+in+"\"\n")
	}
	o := &org.Organization{
		Domain:     "example.test",
		MTAs:       []org.MTA{{ID: "mx1" + evil, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, PTR: "mta1.example.test", Helo: "post.example.test"}},
		Exceptions: []org.Exception{{Rule: evil, Subject: evil, Reason: evil, Until: evil}},
	}
	shown(t, "org.Validate", o.Validate())
	shown(t, "org.WriteYAML", o.WriteYAML(io.Discard, org.Comment{Text: evil}))
	o.MTAs[0].ID, o.Exceptions = "mx1", nil
	live := resolver.Resolver(zones)
	for _, r := range []resolver.Resolver{live, evilDNS(evil)} {
		found, err := audit.Auditor{Resolver: r}.Audit(ctx, o)
		shown(t, "audit", err)
		var out bytes.Buffer
		if err == nil {
			if err := errors.Join(found.WriteText(&out), found.WriteMarkdown(&out)); err != nil {
				t.Fatal(err)
			}
			shown(t, "report", found)
			if err := found.Diff(&report.Report{Organization: evil}).WriteText(&out); err != nil {
				t.Fatal(err)
			}
			printable(t, "report", out.String())
		}
		drafted, comments, err := draft.FromDNS(ctx, r, "example.test", []netip.Addr{netip.MustParseAddr("192.0.2.10")}, nil)
		shown(t, "draft", err)
		shown(t, "draft", comments)
		if err == nil {
			out.Reset()
			if err := drafted.WriteYAML(&out, comments...); err != nil {
				t.Fatal(err)
			}
			printable(t, "draft", out.String())
		}
	}
	if pub, err := plan.FromZones(zones.Records()); err != nil {
		shown(t, "plan.FromZones", err)
	} else if p, err := plan.New(o, pub, plan.Options{Observed: map[netip.Addr]string{netip.MustParseAddr("192.0.2.10"): evil}}); err != nil {
		shown(t, "plan.New", err)
	} else {
		var out bytes.Buffer
		if err := errors.Join(p.WriteText(&out), plan.WriteZone(&out, p.Changes), plan.WriteUpdate(&out, p.Changes), plan.WriteLetter(&out, p.Changes)); err != nil {
			t.Fatal(err)
		}
		printable(t, "plan", out.String())
		shown(t, "plan", p)
		for _, step := range p.Steps {
			for _, waiting := range step.Waiting(ctx, identity.Verifier{Resolver: evilDNS(evil)}) {
				printable(t, "plan.Waiting", waiting)
			}
		}
	}
	hardened, err := harden.Zones(zones.Records(), o)
	shown(t, "harden", err)
	shown(t, "harden", hardened)
	if err == nil {
		var out bytes.Buffer
		if err := hardened.WriteZone(&out); err != nil {
			t.Fatal(err)
		}
		printable(t, "harden", out.String())
	}
}
