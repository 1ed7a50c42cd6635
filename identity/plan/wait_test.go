package plan_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// No answer from before a step is in a cache after its wait, and the gate before the
// silencing lists every name that is silenced.
func TestStepsWaitAndGate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(drawn{rt}, true)
		p := w.plan(rt)
		var gate, silenced []string
		for _, step := range p.Steps {
			zones := w.zones(rt)
			for _, c := range step.Changes {
				answer := resolver.Ask(rt.Context(), zones, c.Name, c.Type)
				if answer.Err == nil && answer.TTL > step.Wait() {
					rt.Fatalf("%s: %s is cached for %v, and the step waits %v: %v\n%v", step.Stage, resolver.Question{Name: c.Name, Type: c.Type}, answer.TTL, step.Wait(), answer.Answer, w)
				}
				if step.Stage == plan.Lock || step.Stage == plan.NoMail {
					silenced = append(silenced, silences(c)...)
				}
			}
			gate = append(gate, step.Names...)
			w = w.after(step.Changes)
		}
		for _, name := range silenced {
			if !slices.Contains(gate, name) {
				rt.Fatalf("%s is silenced, and the gate lists %v\n%v", name, gate, w)
			}
		}
	})
}

// silences returns the name that a change declares to have no mail, or none.
func silences(c plan.Change) []string {
	for _, rr := range c.Added() {
		switch rr := rr.(type) {
		case *dns.TXT:
			if spf.IsNull(strings.Join(rr.Txt, "")) {
				return []string{c.Name}
			}
		case *dns.MX:
			if nullmx.IsNull(rr) {
				return []string{c.Name}
			}
		case *dns.SRV:
			if name, ok := csa.NameOf(c.Name); ok && csa.Denies(rr) {
				return []string{name}
			}
		}
	}
	return nil
}

// The wait is the TTL of what is replaced, or of the answer that there was nothing.
func TestWait(t *testing.T) {
	const soa = "@ 600 SOA ns hostmaster 1 1 1 1 900\n"
	for _, test := range []struct {
		name, zone string
		asked      bool
		want       time.Duration // of the SPF record of the HELO name
	}{
		{"no record: the TTL of the SOA record, which is shorter than its minimum", soa, false, 10 * time.Minute},
		{"no record: the minimum", "@ 7200 SOA ns hostmaster 1 1 1 1 900\n", false, 15 * time.Minute},
		{"negative answers are not cached", "@ 7200 SOA ns hostmaster 1 1 1 1 0\n", false, 0},
		{"replaced", soa + "post 86400 TXT \"v=spf1 a ~all\"\n", false, 24 * time.Hour},
		{"a TTL of 0", soa + "post 0 TXT \"v=spf1 a ~all\"\n", false, 0},
		{"a TTL that is none", soa + "post 4294967295 TXT \"v=spf1 a ~all\"\n", false, 0},
		{"added beside another text", soa + "post 60 TXT other\n", false, time.Minute},
		{"a wildcard answered", soa + "* 3600 TXT \"v=spf1 -all\"\n", false, time.Hour},
		{"a wildcard answered for another type", soa + "* 3600 A 192.0.2.80\n", false, time.Hour},
		{"asked", soa, true, 15 * time.Minute},
	} {
		s := scenario{org: parse(t, "domain: example.test\nmtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]"), options: plan.Options{Adopt: true}}
		if zones := parseZones(t, "$ORIGIN example.test.\n"+test.zone+"$ORIGIN .\n@ 60 SOA a. b. 1 1 1 1 60\n"); test.asked {
			s.asked = zones
		} else {
			s.zones = collected(parseZones(t, "$ORIGIN example.test.\n"+test.zone))
		}
		for _, c := range s.plan(t).Changes {
			if c.Name == "post.example.test." && c.Type == dns.TypeTXT && c.Wait != test.want {
				t.Errorf("%s: wait %v, want %v", test.name, c.Wait, test.want)
			}
		}
	}
}

// How long to wait, and what to sign again, is in everything that is written of a step.
func TestWaitIsWritten(t *testing.T) {
	p := scenario{
		org: parse(t, "domain: example.test\nzones: [example.test]\nmtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]"),
		zones: collected(parseZones(t, `
$TTL 5400
$ORIGIN example.test.
@ SOA ns hostmaster 1 1 1 1 5400
@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
$ORIGIN 2.0.192.in-addr.arpa.
@ SOA ns hostmaster 1 1 1 1 90
`)),
	}.plan(t)
	first, reverse := p.Steps[0].Changes, p.Steps[2].Changes
	for _, test := range []struct {
		name  string
		write func(*strings.Builder) error
		want  []string
	}{
		{"text", func(b *strings.Builder) error { return p.WriteText(b) }, []string{"   Then sign again, unless the server does that: example.test.\n   Then wait 1h30m before the next step: until then, resolvers may have the old answers.\n\n2."}},
		{"zone", func(b *strings.Builder) error { return plan.WriteZone(b, first) }, []string{"; then sign example.test. again, unless the server does that\n; then wait 1h30m before the next step"}},
		{"nsupdate", func(b *strings.Builder) error { return plan.WriteUpdate(b, first) }, []string{"; then sign example.test. again, unless the server does that\n; then wait 1h30m before the next step"}},
		{"letter", func(b *strings.Builder) error { return plan.WriteLetter(b, reverse) }, []string{"old answers for 1m30s after that"}},
		{"JSON", func(b *strings.Builder) error { return p.WriteJSON(b) }, []string{`"wait": "1h30m0s"`, `"signed": true`}},
	} {
		var b strings.Builder
		if err := test.write(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: want %q in\n%s", test.name, want, &b)
			}
		}
	}
}

// Whatever name the plan refuses, nobody is told to configure it.
func TestSetHeloWithoutRefused(t *testing.T) {
	for _, test := range []struct{ helo, refused string }{
		{"post.example.test", ""},
		{"srv01.firma.local", "no host name of the public DNS: expected letters, digits and hyphens, and at least two labels"},
		{"post.provider.test", "not a name of example.test.: its owner publishes its records"},
		{"alias.example.test", "it is an alias of host.provider.test.: give it addresses of its own instead"},
		{"inside.example.test", ""},
		{"post.sub.example.test", "sub.example.test. is delegated to another zone: plan with that zone, too"},
	} {
		p := scenario{
			org:   parse(t, "domain: example.test\nmtas: [{addresses: [192.0.2.10, '2001:db8::10'], ptr: mta1.example.test, helo: "+test.helo+"}]"),
			zones: collected(parseZones(t, "$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\nalias CNAME host.provider.test.\ninside CNAME host\nhost A 192.0.2.10\nhost AAAA 2001:db8::10\nsub NS ns.sub\nns.sub A 192.0.2.53\n")),
		}.plan(t)
		var text strings.Builder
		if err := p.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Stage == plan.SetHelo })
		if diff := cmp.Diff(test.refused, p.Steps[i].Hosts[0].Refused); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.helo, diff)
		}
		for _, setting := range []string{
			"postmaster@%s and abuse@%[1]s", "smtp_helo_name = %s; add %[1]s to mydestination", "helo_data = %s", "`confDOMAIN_NAME', `%s'", "relay helo %s", "-Fqdn %s",
		} {
			if setting = fmt.Sprintf(setting, test.helo); strings.Contains(text.String(), setting) != (test.refused == "") {
				t.Errorf("%s, refused %q: %q in\n%s", test.helo, test.refused, setting, &text)
			}
		}
	}
}

// A plan of many hosted domains can be read, and JSON has all of them.
func TestTextOfManyDomains(t *testing.T) {
	const n = 60
	list := func(format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const mta = "domain: example.test\nmtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: post.example.test}]\n"
	const zone = "$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\n"
	const key = "@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n"
	mail := "mail: [" + list("{domain: d%d.test}, ") + "]\n"
	apexes := list("$ORIGIN d%d.test.\n@ SOA ns hostmaster 1 1 1 1 60\n")
	for name, s := range map[string]struct{ org, zones string }{
		"kept":     {mta + mail, zone + list("$ORIGIN d%d.test.\n@ SOA ns hostmaster 1 1 1 1 60\n@ TXT \"v=spf1 ip4:192.0.2.10 ip4:198.51.100.1 -all\"\n@ MX 10 post.example.test.\n")},
		"refused":  {mta + mail, zone},
		"changed":  {mta + mail, zone + apexes},
		"replaced": {mta + mail, zone + strings.ReplaceAll(apexes, "60\n", "60\n@ TXT \"v=spf1 mx ~all\"\n")},
		"signed":   {mta + mail, zone + strings.ReplaceAll(apexes, "60\n", "60\n"+key)},
		"silenced": {mta + "names: [" + list("h%d.example.test, ") + "]\n", zone + list("h%d A 192.0.2.80\n")},
		"denied":   {mta + "names: [" + list("h%d.example.test, ") + "]\n", zone + list("h%d A 192.0.2.80\n")},
		"wildcard": {mta + "names: [" + list("h%d.example.test, ") + "]\n", zone + "* A 192.0.2.80\n* AAAA 2001:db8::80\n"},
		"named":    {mta + "names: [" + list("h%d.sub.example.test, ") + "]\n", zone + "*.sub CAA 0 issue ca.test\nsub TXT x\n"},
	} {
		for _, adopt := range []bool{false, true} {
			planned := scenario{org: parse(t, s.org), zones: collected(parseZones(t, s.zones)), options: plan.Options{Adopt: adopt, DenyNames: name == "denied"}}.plan(t)
			var text, doc strings.Builder
			if err := planned.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if err := planned.WriteJSON(&doc); err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(text.String(), "\n"); lines > 85 {
				t.Errorf("%s, adopt %t: %d lines\n%s", name, adopt, lines, &text)
			}
			for line := range strings.Lines(text.String()) {
				if len(line) > 300 {
					t.Errorf("%s: a line of %d octets: %s", name, len(line), line)
				}
			}
			if each := "_client._smtp.NAME. 3600 IN SRV 1 1 0 NAME."; strings.Contains(text.String(), each) != (name == "denied") {
				t.Errorf("%s: want %q in\n%s", name, each, &text)
			}
			label := map[bool]string{true: "h", false: "d"}[strings.Contains(s.org, "names:")]
			if missing := fmt.Sprintf("%s%d.", label, n-1); !json.Valid([]byte(doc.String())) || !strings.Contains(doc.String(), missing) {
				t.Errorf("%s: JSON lacks %s", name, missing)
			}
		}
	}
}
