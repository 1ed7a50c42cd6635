package identity_test

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

func network(text string) identity.Exception {
	return identity.Exception{Network: netip.MustParsePrefix(text)}
}

// everything refuses mail for every reason that can be refused for.
func everything() identity.Policy {
	p := identity.Policy{Reasons: make(map[identity.Reason]identity.Action), Levels: map[identity.Level]identity.Action{
		identity.Distinct: identity.Reject, identity.Traceable: identity.Reject, identity.Anonymous: identity.Reject, identity.Forged: identity.Reject, identity.Undetermined: identity.Defer,
	}}
	for _, r := range identity.Reasons() {
		for _, action := range []identity.Action{identity.Reject, identity.Defer} {
			if with(r, action).Validate() == nil {
				p.Reasons[r] = action
				break
			}
		}
	}
	return p
}

// Which clients an exception is for.
func TestExceptionCovers(t *testing.T) {
	for _, tt := range []struct {
		client, helo string
		exception    identity.Exception
		want         bool
	}{
		{"192.0.2.21", "mail.isp.test", network("192.0.2.20/30"), true},
		{"192.0.2.21", "mail.isp.test", network("192.0.2.24/30"), false},
		{"::ffff:192.0.2.21", "mail.isp.test", network("192.0.2.21/32"), true},
		{"64:ff9b::192.0.2.21", "mail.isp.test", network("192.0.2.21/32"), true},
		{"192.0.2.21", "mail.isp.test", network("::ffff:192.0.2.0/120"), true},
		{"64:ff9b::192.0.2.21", "mail.isp.test", network("64:ff9b::192.0.2.0/120"), true},
		{"192.0.2.21", "mail.isp.test", network("64:ff9b::/96"), false}, // Validate refuses it
		{"192.0.2.21", "mail.isp.test", network("::/0"), false},
		{"2001:db8::10", "mta1.example.test", network("2001:db8::/32"), true},
		{"192.0.2.21", "mail.isp.test", identity.Exception{}, false},
		{"192.0.2.21", "mail.isp.test", identity.Exception{Network: netip.MustParsePrefix("192.0.2.0/24"), Name: "isp.test"}, false}, // Validate refuses it
		// A HELO name that resolves to the client, and names above it.
		{"192.0.2.21", "mail.isp.test", identity.Exception{Name: "mail.isp.test"}, true},
		{"192.0.2.21", "MAIL.isp.test", identity.Exception{Name: "Isp.TEST."}, true},
		{"192.0.2.21", "mail.isp.test", identity.Exception{Name: "sp.test"}, false},
		{"192.0.2.21", "mail.isp.test", identity.Exception{Name: "smtp.mail.isp.test"}, false},
		{"192.0.2.21", "mail.isp.test", identity.Exception{Name: "test"}, false}, // Validate refuses it
		{"192.0.2.10", "mail.isp.test", identity.Exception{Name: "isp.test"}, false},
		{"192.0.2.21", "", identity.Exception{Name: "isp.test"}, false},
		// A confirmed PTR name, whatever the HELO is.
		{"192.0.2.10", "elsewhere.example.test", identity.Exception{Name: "mta1.example.test"}, true},
		{"192.0.2.10", "a b", identity.Exception{Name: "example.test"}, true},
		{"192.0.2.11", "a b", identity.Exception{Name: "example.test"}, false},
		{"192.0.2.11", "smtp.example.test", identity.Exception{Name: "example.test"}, false},
	} {
		v := verifier(fakeClients(t))
		v.Policy = everything()
		plain := run(t, v, tt.client, tt.helo, "a@soft.example.test")
		v.Policy.Exceptions = []identity.Exception{{Name: "nobody.test"}, tt.exception}
		got := run(t, v, tt.client, tt.helo, "a@soft.example.test")
		want := plain.Advice
		if tt.want {
			want = identity.Advice{Action: identity.Accept, Excepted: want.Action}
		}
		if got.Advice != want || keywords(got.Reasons) != keywords(plain.Reasons) || plain.Advice.Action != identity.Reject {
			t.Errorf("%s %q, %+v:\n got %+v\nwant %+v", tt.client, tt.helo, tt.exception, got.Advice, want)
		}
		holdsVerdict(t, got)
	}
}

// An exception holds through its last day, by the time of the verdict.
func TestExceptionUntil(t *testing.T) {
	v := run(t, verifier(fakeClients(t)), "192.0.2.21", "mail.isp.test", "")
	if age := time.Since(v.Time); age < 0 || age > time.Minute {
		t.Errorf("drawn %v ago", age)
	}
	p := identity.Policy{Reasons: unconfirmed.Reasons, Exceptions: []identity.Exception{{Name: "isp.test", Until: "2027-01-31"}}}
	for at, want := range map[string]identity.Action{"2027-01-31T23:59:59Z": identity.Accept, "2027-02-01T00:00:00Z": identity.Reject, "2027-01-31T23:59:59-01:00": identity.Reject} {
		var err error
		if v.Time, err = time.Parse(time.RFC3339, at); err != nil {
			t.Fatal(err)
		}
		if got := v.Advise(p); got.Action != want {
			t.Errorf("at %s: %+v", at, got)
		}
	}
	p.Exceptions[0].Until = "2027-02-31" // which Validate refuses
	if got := v.Advise(p); got.Action != identity.Reject {
		t.Errorf("until %s: %+v", p.Exceptions[0].Until, got)
	}
}

// An exception for some reasons does what a policy would that accepts them, and no more; what
// it holds back is told. One that Validate refuses does nothing.
func TestExceptionFor(t *testing.T) {
	reasons := rapid.Map(rapid.IntRange(0, len(identity.Reasons())+2), func(n int) identity.Reason { return identity.Reason(n) })
	applied := 0
	rapid.Check(t, func(t *rapid.T) {
		v, p := anyVerdict(t), anyPolicy(t)
		p.ReportOnly = false
		e := network("192.0.2.0/24")
		if e.For = rapid.SliceOfN(reasons, 0, 4).Draw(t, "for"); rapid.Bool().Draw(t, "for these reasons") {
			e.For = append(e.For[:0:0], v.Reasons...)
		}
		without := v.Advise(p)
		same := identity.Policy{Reasons: maps.Clone(p.Reasons), Levels: maps.Clone(p.Levels), Explain: p.Explain}
		covered := e.For
		if len(covered) == 0 {
			covered = append(v.Reasons, v.LevelReason)
		}
		for _, r := range covered {
			if r == v.LevelReason {
				delete(same.Levels, v.Level)
			}
			if settable(r) && r != 0 {
				same.Reasons[r] = identity.Accept
			}
		}
		want := v.Advise(same)
		if (identity.Policy{Exceptions: []identity.Exception{e}}).Validate() != nil {
			want = without
		}
		if without.Action > want.Action {
			applied++
			want.Excepted = without.Action
		}
		p.Exceptions = []identity.Exception{e}
		got := v.Advise(p)
		if got != want {
			t.Fatalf("%+v for %s, %s by %s, %v:\n got %+v\nwant %+v\nwithout %+v", p, keywords(v.Reasons), v.Level, v.LevelReason, e.For, got, want, without)
		}
		v.Advice = got
		holdsVerdict(t, &v)
		// With ReportOnly, what the policy and its exceptions would do is what is told.
		p.ReportOnly = true
		report := v.Advise(p)
		want = got
		if got.Action >= identity.Defer {
			want = identity.Advice{Action: identity.Score, Reason: got.Reason, Withheld: got.Action, Excepted: got.Excepted}
		}
		if report != want && !v.Has(identity.SessionExhausted) {
			t.Fatalf("report only %+v, else %+v", report, got)
		}
		v.Advice = report
		holdsVerdict(t, &v)
	})
	t.Logf("%d applied", applied)
}

// A client reaches no exception by what it says in HELO and MAIL FROM, nor by what it writes
// in the zones of its own, the reverse zone included.
func TestExceptionsAreNotClaimed(t *testing.T) {
	const partner = "$TTL 300\n$ORIGIN partner.test.\n@ A 192.0.2.80\n@ MX 0 mail\n@ TXT \"v=spf1 a:mail.partner.test ?all\"\nmail A 192.0.2.80\n*.wild A 192.0.2.80\nalias CNAME mail\n$ORIGIN .\n80.2.0.192.in-addr.arpa. PTR mail.partner.test.\n"
	names := rapid.SampledFrom([]string{"partner.test", "mail.partner.test", "MAIL.PARTNER.TEST", "x.wild.partner.test", "alias.partner.test", "nothing.partner.test", "partner.test.evil.test", "mail.partner.test.evil.test",
		"evilpartner.test", `mail.partner\.test`, `evil\.partner.test`, "[192.0.2.80]", "192.0.2.80", "evil.test", "mail.evil.test", "partner.test\x00.evil.test", "ｍail.partner.test", "mail。partner.test"})
	exceptions := []identity.Exception{{Name: "partner.test"}, {Name: "mail.partner.test", For: []identity.Reason{identity.NoPTR, identity.Unconfirmed, identity.GenericName}}, network("192.0.2.80/32")}
	p := everything()
	without := everything()
	p.Exceptions = exceptions
	rapid.Check(t, func(t *rapid.T) {
		var zones strings.Builder
		zones.WriteString(partner + "$ORIGIN .\n")
		for _, name := range rapid.SliceOfN(names, 0, 4).Draw(t, "PTR names") {
			if strings.ContainsAny(name, "[\x00ｍ。") {
				continue
			}
			zones.WriteString("66.2.0.192.in-addr.arpa. PTR " + name + ".\n")
		}
		for _, record := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			"evil.test. A 192.0.2.66", "mail.evil.test. CNAME mail.partner.test.", "mail.partner.test.evil.test. A 192.0.2.66", "partner.test.evil.test. A 192.0.2.80",
			"evil.test. TXT \"v=spf1 +all\"", "evilpartner.test. A 192.0.2.66", "evilpartner.test. TXT \"v=spf1 a -all\"", `mail.partner\.test. A 192.0.2.66`, `evil\.partner.test. A 192.0.2.66`,
		}), 0, 6, rapid.ID).Draw(t, "records of its own") {
			zones.WriteString(record + "\n")
		}
		z, err := resolver.ParseZones(zones.String())
		if err != nil {
			t.Fatal(err)
		}
		for addr, covered := range map[string]bool{"192.0.2.66": false, "192.0.2.80": true} {
			s := identity.Verifier{Resolver: z, Policy: p}.Session(t.Context(), netip.MustParseAddr(addr))
			s.Helo(t.Context(), names.Draw(t, "HELO"))
			v := s.MailFrom(t.Context(), "a@"+names.Draw(t, "sender"))
			s.Close()
			if plain := v.Advise(without); covered != (v.Advice != plain) && plain.Action > identity.Accept {
				t.Fatalf("%s, %s %q: %+v, without exceptions %+v", addr, v.Level, v.HeloText, v.Advice, plain)
			}
		}
	})
}

func TestExceptionValidate(t *testing.T) {
	p := identity.Policy{Exceptions: []identity.Exception{
		{},
		{Network: netip.MustParsePrefix("192.0.2.0/28"), For: []identity.Reason{identity.NoPTR}, Why: "a partner", Until: "2027-01-31"},
		{Network: netip.MustParsePrefix("192.0.2.0/28"), Name: "example.test"},
		{Network: netip.PrefixFrom(netip.MustParseAddr("192.0.2.0"), 99)},
		network("64:ff9b::/96"),
		{Name: "example.test"}, {Name: "bücher.test"}, {Name: "_x.example.test."},
		{Name: "."}, {Name: "test"}, {Name: "co.uk"}, {Name: "github.io"}, {Name: "a..b"}, {Name: "*.example.test"}, {Name: "192.0.2.1"}, {Name: "mail.local"}, {Name: "a\nb.test"},
		{Name: "example.test", For: []identity.Reason{identity.NoPTR, identity.SessionExhausted}},
		{Name: "example.test", For: []identity.Reason{0}},
		{Name: "example.test", Until: "tomorrow"},
		{For: []identity.Reason{identity.CSAPass, identity.TrustedClient}, Until: "2027-02-30"},
	}}
	const want = `exceptions[0].network: expected a network or a name
exceptions[2].name: expected a network or a name, not both
exceptions[3].network: invalid Prefix: expected the network of some clients, as 192.0.2.0/28
exceptions[4].network: 64:ff9b::/96: expected the network of some clients, as 192.0.2.0/28
exceptions[8].name: ".": expected a name of the public DNS, as example.org
exceptions[9].name: "test": expected a name of the public DNS, as example.org
exceptions[10].name: "co.uk": anybody can have a name below: expected the name of an organization, as example.org
exceptions[11].name: "github.io": anybody can have a name below: expected the name of an organization, as example.org
exceptions[12].name: "a..b": expected a name of the public DNS, as example.org
exceptions[13].name: "*.example.test": expected a name of the public DNS, as example.org
exceptions[14].name: "192.0.2.1": expected a name of the public DNS, as example.org
exceptions[15].name: "mail.local": expected a name of the public DNS, as example.org
exceptions[16].name: "a\nb.test": expected a name of the public DNS, as example.org
exceptions[17].for[1]: session-exhausted: not a reason against a client that a policy can change: expected no entry
exceptions[18].for[0]: identity.Reason(0): not a reason against a client that a policy can change: expected no entry
exceptions[19].until: "tomorrow": expected the last day of the exception, as 2027-01-31
exceptions[20].network: expected a network or a name
exceptions[20].for[0]: csa-pass: not a reason against a client that a policy can change: expected no entry
exceptions[20].for[1]: trusted-client: not a reason against a client that a policy can change: expected no entry
exceptions[20].until: "2027-02-30": expected the last day of the exception, as 2027-01-31`
	if got := p.Validate(); got == nil || got.Error() != want {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got.Error()))
	}
}
