package identity_test

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/spf"
)

// clientZones has a good organization and several others.
const clientZones = `$TTL 300
$ORIGIN example.test.
@         TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/64 -all"
@         MX  10 smtp
mta1      A    192.0.2.10
mta1      AAAA 2001:db8::10
smtp      A    192.0.2.10
smtp      AAAA 2001:db8::10
smtp      TXT  "v=spf1 a -all"
_client._smtp.smtp SRV 1 2 1 smtp
; known, and says nothing of itself
plain     A    192.0.2.10
; by CSA alone
csa       A    192.0.2.10
_client._smtp.csa SRV 1 2 1 csa
denied    A    192.0.2.10
_client._smtp.denied SRV 1 1 0 denied
elsewhere A    192.0.2.99
neutral   A    192.0.2.10
neutral   TXT  "v=spf1 ?all"
broken    A    192.0.2.10
broken    TXT  "v=spf1 nonsense"
null      TXT  "v=spf1 -all"
null      MX   0 .
nomail    MX   0 .
nomail    A    192.0.2.80
; of clients whose PTR names do not help
eased     A    192.0.2.22
eased     TXT  "v=spf1 a -all"
nameless  A    192.0.2.24
nameless  TXT  "v=spf1 a -all"
liar      A    192.0.2.30
liar      TXT  "v=spf1 a -all"
away      A    192.0.2.99
away      TXT  "v=spf1 ip4:192.0.2.24 -all"
soft      TXT  "v=spf1 ~all"
why       TXT  "v=spf1 ip4:203.0.113.1 -all exp=text.example.test"
text      TXT  "see http://www.example.test/why?%{i}"
$ORIGIN other.test.
mail      A    192.0.2.10
mail      TXT  "v=spf1 a -all"
$ORIGIN isp.test.
192-0-2-20.dsl A 192.0.2.20
fixed.dsl      A 192.0.2.20
mail           A 192.0.2.21
192-0-2-22.dsl A 192.0.2.22
192-0-2-23.dsl A 192.0.2.23
_client._smtp.192-0-2-23.dsl SRV 1 2 1 192-0-2-23.dsl
$ORIGIN 2.0.192.in-addr.arpa.
10 PTR mta1.example.test.
11 PTR mta1.example.test.
20 PTR 192-0-2-20.dsl.isp.test.
22 PTR 192-0-2-22.dsl.isp.test.
23 PTR 192-0-2-23.dsl.isp.test.
$GENERATE 30-31 $ PTR nowhere.example.test.
$ORIGIN 0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.
0.1.0.0.0.0.0.0.0.0.0.0 PTR mta1.example.test.
$ORIGIN .
`

// clients has what the verdict is on each. An empty step is not taken: "-" stands for
// the null sender.
var clients = []struct {
	client, helo, sender string
	level                identity.Level
	advice               string // action, and the beginning of the reply
	reasons              string
}{
	// Levels.
	{"192.0.2.10", "smtp.example.test", "a@example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"192.0.2.10", "SMTP.example.test", "-", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"::ffff:192.0.2.10", "smtp.example.test", "a@example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"2001:db8::10", "smtp.example.test", "a@example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"192.0.2.10", "csa.example.test", "a@example.test", identity.Explicit, "accept", "csa-pass mail-from-pass"},
	{"192.0.2.10", "plain.example.test", "a@example.test", identity.Distinct, "accept", "mail-from-pass"},
	{"192.0.2.10", "neutral.example.test", "a@example.test", identity.Distinct, "accept", "mail-from-pass"},
	{"192.0.2.10", "broken.example.test", "a@example.test", identity.Distinct, "accept", "mail-from-pass"},
	{"192.0.2.10", "mta1.example.test", "a@example.test", identity.Traceable, "accept", "helo-is-ptr mail-from-pass"},
	{"192.0.2.10", "elsewhere.example.test", "a@example.test", identity.Traceable, "score", "helo-unresolved mail-from-pass"},
	{"192.0.2.10", "nowhere.example.test", "a@example.test", identity.Traceable, "score", "helo-unresolved mail-from-pass"},
	{"192.0.2.20", "fixed.dsl.isp.test", "a@isp.test", identity.Traceable, "score", "generic-name"},
	{"192.0.2.20", "192-0-2-20.dsl.isp.test", "a@isp.test", identity.Anonymous, "score", "generic-name helo-is-ptr"},
	// Authorized by the owner of the HELO name, whatever the PTR name is.
	{"192.0.2.10", "mail.other.test", "a@example.test", identity.Traceable, "score", "helo-unrelated helo-spf-pass mail-from-pass"},
	{"192.0.2.22", "eased.example.test", "a@example.test", identity.Traceable, "score", "generic-name helo-unrelated helo-spf-pass mail-from-pass"},
	{"192.0.2.23", "192-0-2-23.dsl.isp.test", "a@isp.test", identity.Traceable, "score", "generic-name helo-is-ptr csa-pass"},
	{"192.0.2.24", "nameless.example.test", "a@example.test", identity.Traceable, "score", "no-ptr helo-alone helo-spf-pass mail-from-pass"},
	{"192.0.2.30", "liar.example.test", "a@example.test", identity.Traceable, "score", "unconfirmed helo-alone helo-spf-pass mail-from-pass"},
	// Authorized, but not the client's.
	{"192.0.2.24", "away.example.test", "a@example.test", identity.Anonymous, "score", "no-ptr helo-unresolved helo-spf-pass mail-from-pass"},
	// A generic PTR name proves nothing about names that do not resolve to the client.
	{"192.0.2.20", "no-such-name.isp.test", "a@isp.test", identity.Anonymous, "score", "generic-name helo-unresolved"},
	{"192.0.2.20", "mail.isp.test", "a@isp.test", identity.Anonymous, "score", "generic-name helo-unresolved"},
	{"192.0.2.11", "elsewhere.example.test", "a@example.test", identity.Anonymous, "score", "unconfirmed helo-unresolved mail-from-pass"},
	{"192.0.2.21", "mail.isp.test", "a@isp.test", identity.Anonymous, "score", "no-ptr helo-alone"},
	{"192.0.2.30", "mta1.example.test", "a@example.test", identity.Anonymous, "score", "unconfirmed helo-unresolved mail-from-pass"},
	{"192.0.2.10", "[192.0.2.10]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "192.0.2.10", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"2001:db8::10", "[IPv6:2001:db8::10]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[127.0.0.1]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[192.168.1.5]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "192.168.1.5", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[100.64.0.5]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[IPv6:fe80::1]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[IPv6:fd00::1]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[IPv6:64:ff9b::10.0.0.1]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[10.0.0.9]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"}, // an inner address of ours
	// By translation: the same client as without.
	{"64:ff9b::192.0.2.10", "smtp.example.test", "a@example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"64:ff9b::192.0.2.10", "[192.0.2.10]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"64:ff9b::192.0.2.10", "[IPv6:64:ff9b::c000:20a]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "[IPv6:64:ff9b::192.0.2.10]", "a@example.test", identity.Anonymous, "score", "address-literal mail-from-pass"},
	{"192.0.2.10", "localhost", "a@example.test", identity.Anonymous, "score", "unqualified-helo mail-from-pass"},
	{"192.0.2.10", "pc.local", "a@example.test", identity.Anonymous, "score", "unqualified-helo mail-from-pass"},
	{"192.0.2.10", "a b", "a@example.test", identity.Anonymous, "score", "malformed-helo mail-from-pass"},
	{"192.0.2.10", "", "a@example.test", identity.Anonymous, "score", "no-helo mail-from-pass"},
	// Forged.
	{"192.0.2.99", "smtp.example.test", "", identity.Forged, "reject 550 5.7.23 SPF: \"smtp.example.test\" does not allow 192.0.2.99 to use its name in HELO", "helo-spf-fail csa-denied no-ptr helo-unresolved"},
	{"192.0.2.10", "null.example.test", "", identity.Forged, "reject 550 5.7.23", "helo-spf-fail helo-unresolved"},
	{"192.0.2.10", "denied.example.test", "", identity.Forged, "reject 550 5.7.1 CSA", "csa-denied"},
	{"192.0.2.10", "mx.here.test", "", identity.Forged, "score", "own-name"},
	{"192.0.2.10", "[198.51.100.1]", "", identity.Forged, "score", "own-name"},
	{"192.0.2.10", "[192.0.2.11]", "", identity.Forged, "score", "other-address"},
	{"192.0.2.10", "[IPv6:64:ff9b::192.0.2.11]", "", identity.Forged, "score", "other-address"},
	{"192.0.2.10", "[IPv6:64:ff9b::198.51.100.1]", "", identity.Forged, "score", "own-name"},
	{"64:ff9b::192.0.2.10", "[192.0.2.11]", "", identity.Forged, "score", "other-address"},
	// Senders.
	{"192.0.2.10", "smtp.example.test", "a@null.example.test", identity.Explicit, "reject 550 5.7.27", "helo-spf-pass csa-pass null-mx-sender null-spf-sender"},
	{"192.0.2.10", "smtp.example.test", "a@nomail.example.test", identity.Explicit, "reject 550 5.7.27", "helo-spf-pass csa-pass null-mx-sender"},
	{"192.0.2.10", "smtp.example.test", "a@why.example.test", identity.Explicit, "score", "helo-spf-pass csa-pass mail-from-fail"},
	{"192.0.2.10", "smtp.example.test", "a@soft.example.test", identity.Explicit, "score", "helo-spf-pass csa-pass mail-from-softfail"},
	{"192.0.2.10", "smtp.example.test", "a@broken.example.test", identity.Explicit, "score", "helo-spf-pass csa-pass mail-from-permerror"},
	{"192.0.2.10", "smtp.example.test", "a@neutral.example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass"},
	{"192.0.2.10", "smtp.example.test", "a@[192.0.2.10]", identity.Explicit, "accept", "helo-spf-pass csa-pass"},
	{"192.0.2.10", "smtp.example.test", "ünser@bücher.test", identity.Explicit, "accept", "helo-spf-pass csa-pass"},
	{"192.0.2.10", "smtp.example.test", "@relay.test:a@example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"192.0.2.10", "smtp.example.test", "a b@example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"192.0.2.10", "smtp.example.test", "john..doe@example.test", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"192.0.2.10", "smtp.example.test", "<@example.test> SIZE=1", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"192.0.2.10", "smtp.example.test", "<>", identity.Explicit, "accept", "helo-spf-pass csa-pass mail-from-pass"},
	{"192.0.2.10", "smtp.example.test", "<a@null.example.test>", identity.Explicit, "reject 550 5.7.27", "helo-spf-pass csa-pass null-mx-sender null-spf-sender"},
	{"192.0.2.10", "smtp.example.test", "a@b c.test", identity.Explicit, "reject 501 5.1.7", "helo-spf-pass csa-pass malformed-sender"},
	{"192.0.2.10", "smtp.example.test", "a\nb@example.test", identity.Explicit, "reject 501 5.1.7", "helo-spf-pass csa-pass malformed-sender"},
	{"192.0.2.10", "null.example.test", "-", identity.Forged, "reject 550 5.7.23", "helo-spf-fail helo-unresolved null-spf-sender"},
	// Not judged.
	{"198.51.100.7", "whatever", "a@null.example.test", identity.NotApplicable, "accept", "trusted-client"},
	{"64:ff9b::198.51.100.7", "whatever", "a@null.example.test", identity.NotApplicable, "accept", "trusted-client"},
	{"64:ff9b::10.0.0.5", "whatever", "-", identity.NotApplicable, "accept", "private-client"},
	{"64:ff9b::100.64.0.5", "whatever", "-", identity.NotApplicable, "accept", "private-client"},
	{"10.1.2.3", "smtp.example.test", "a b", identity.NotApplicable, "accept", "private-client"},
	{"100.64.0.5", "smtp.example.test", "-", identity.NotApplicable, "accept", "private-client"},
	{"198.18.0.1", "smtp.example.test", "-", identity.NotApplicable, "accept", "private-client"},
	{"192.0.0.170", "smtp.example.test", "-", identity.NotApplicable, "accept", "private-client"},
	{"127.0.0.1", "smtp.example.test", "-", identity.NotApplicable, "accept", "private-client"},
	{"fe80::1%eth0", "smtp.example.test", "-", identity.NotApplicable, "accept", "private-client"},
	// Ourselves.
	{"198.51.100.1", "mx.here.test", "", identity.Anonymous, "score", "no-ptr helo-unresolved"},
}

var parsedClients = sync.OnceValues(func() (*resolver.Zones, error) { return resolver.ParseZones(clientZones) })

func fakeClients(t testing.TB) *dnsfake.Fake {
	t.Helper()
	zones, err := parsedClients()
	if err != nil {
		t.Fatal(err)
	}
	return dnsfake.FromZones(zones)
}

func verifier(fake *dnsfake.Fake) identity.Verifier {
	return identity.Verifier{
		Resolver: fake, Names: []string{"MX.here.test."},
		Addrs:   []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("10.0.0.9")},
		Trusted: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32"), netip.MustParsePrefix("10.0.0.0/24")},
	}
}

// run takes the steps of a client and returns the last verdict.
func run(t testing.TB, v identity.Verifier, client, heloName, sender string) *identity.Verdict {
	t.Helper()
	s := v.Session(t.Context(), netip.MustParseAddr(client))
	defer s.Close()
	verdict := s.Connect(t.Context())
	if heloName != "" {
		verdict = s.Helo(t.Context(), heloName)
	}
	if sender != "" {
		verdict = s.MailFrom(t.Context(), strings.TrimPrefix(sender, "-"))
	}
	return verdict
}

func keywords(reasons []identity.Reason) string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.String())
	}
	return strings.Join(out, " ")
}

func TestVerifier(t *testing.T) {
	for _, tt := range clients {
		fake := fakeClients(t)
		v := run(t, verifier(fake), tt.client, tt.helo, tt.sender)
		advice := v.Advice.String()
		if v.Advice.Reply.Code != 0 {
			advice = v.Advice.Action.String() + " " + advice
		}
		if v.Level != tt.level || !strings.HasPrefix(advice, tt.advice) || keywords(v.Reasons) != tt.reasons {
			t.Errorf("%s %q %q:\n got %s, %s, %s\nwant %s, %s, %s", tt.client, tt.helo, tt.sender, v.Level, advice, keywords(v.Reasons), tt.level, tt.advice, tt.reasons)
		}
		if v.Level == identity.NotApplicable && (v.Questions > 0 || len(fake.Questions()) > 0) {
			t.Errorf("%s: asked %v", tt.client, fake.Questions())
		}
		asked := make(map[resolver.Question]bool)
		for _, q := range fake.Questions() {
			if asked[q] {
				t.Errorf("%s %s %s: asked twice: %v", tt.client, tt.helo, tt.sender, q)
			}
			asked[q] = true
		}
		if len(asked) > v.Questions { // those that nobody waits for may be on their way
			t.Errorf("%s %s %s: %d questions, asked %d", tt.client, tt.helo, tt.sender, v.Questions, len(asked))
		}
		holdsVerdict(t, v)
	}
}

// A reporter is a testing.TB or a *rapid.T.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// holdsVerdict is what is true of every verdict.
func holdsVerdict(t reporter, v *identity.Verdict) {
	t.Helper()
	if !slices.IsSorted(v.Reasons) {
		t.Errorf("reasons out of order: %s", keywords(v.Reasons))
	}
	holdsLevelReason(t, v)
	a := v.Advice
	switch a.Action {
	case identity.Accept, identity.Score:
		if a.Reply != (envelope.Reply{}) || a.Reason != 0 && a.Withheld < identity.Defer {
			t.Errorf("a reply to %s: %+v", a.Action, a)
		}
	case identity.Defer, identity.Reject:
		if !v.Has(a.Reason) && a.Reason != v.LevelReason || a.Reply.Code/100 != map[identity.Action]int{identity.Defer: 4, identity.Reject: 5}[a.Action] || a.Reply.Enhanced[0] != a.Reply.Code/100 {
			t.Errorf("%+v for %s", a, keywords(v.Reasons))
		}
	default:
		t.Errorf("action %v", a.Action)
	}
	if a.Reason.Temporary() && max(a.Action, a.Withheld) > identity.Defer || a.Withheld != 0 && a.Withheld <= a.Action || a.Excepted != 0 && a.Excepted <= max(a.Action, a.Withheld) {
		t.Errorf("%+v", a)
	}
	if len(a.Reply.Text) >= 450 || strings.ContainsFunc(a.Reply.Text, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("text %q", a.Reply.Text)
	}
	for _, r := range v.Reasons {
		if r.Text() == "" {
			t.Errorf("%s says nothing", r)
		}
	}
}

// holdsLevelReason fails for a LevelReason that cannot have decided the level.
func holdsLevelReason(t reporter, v *identity.Verdict) {
	t.Helper()
	r := v.LevelReason
	open := v.Has(identity.ReverseUnknown) || v.Has(identity.OtherPTRUnknown)
	switch {
	case r == 0 && v.Level == identity.Distinct:
	case r == 0 && open && (v.Level == identity.Anonymous || v.Level == identity.Traceable):
	case r == 0 || !v.Has(r) || r.Temporary() != (v.Level == identity.Undetermined) || v.Level == identity.Distinct:
		t.Errorf("level %s by %s, of %s", v.Level, r, keywords(v.Reasons))
	}
}

// Whom Trusted holds, in whatever form prefix and client come.
func TestTrusted(t *testing.T) {
	for _, tt := range []struct {
		prefix, client string
		want           bool
	}{
		{"198.51.100.0/24", "198.51.100.7", true}, {"198.51.100.0/24", "::ffff:198.51.100.7", true}, {"198.51.100.0/24", "192.0.2.10", false},
		{"::ffff:198.51.100.0/120", "198.51.100.7", true}, {"::ffff:198.51.100.0/120", "::ffff:198.51.100.7", true}, {"::ffff:198.51.100.0/120", "192.0.2.10", false},
		{"::ffff:0:0/96", "192.0.2.10", true}, {"::ffff:0:0/90", "192.0.2.10", true}, {"::ffff:0:0/96", "2001:db8::10", false},
		{"::/0", "2001:db8::10", true}, {"::/0", "192.0.2.10", false}, {"::/80", "192.0.2.10", false}, {"0.0.0.0/0", "2001:db8::10", false},
		{"64:ff9b::198.51.100.0/120", "64:ff9b::198.51.100.7", true}, {"198.51.100.0/24", "64:ff9b::198.51.100.7", true}, {"10.0.0.0/8", "64:ff9b::10.0.0.1", false},
		{"2001:db8::/32", "2001:db8::10%eth0", true}, {"10.0.0.0/8", "10.1.2.3", true},
	} {
		v := identity.Verifier{Resolver: fakeClients(t), Trusted: []netip.Prefix{netip.MustParsePrefix(tt.prefix)}}
		if got := run(t, v, tt.client, "", "").Has(identity.TrustedClient); got != tt.want {
			t.Errorf("%s in %s: %v", tt.client, tt.prefix, got)
		}
	}
	v := identity.Verifier{Resolver: fakeClients(t), Trusted: []netip.Prefix{{}}}
	if run(t, v, "192.0.2.10", "", "").Has(identity.TrustedClient) {
		t.Error("the zero Prefix holds a client")
	}
}

// In a network whose clients are judged, its own addresses are ours, and those of others
// are nobody's in public.
func TestAllowPrivate(t *testing.T) {
	for _, tt := range []struct {
		client, helo string
		level        identity.Level
		reason       identity.Reason
	}{
		{"10.0.1.5", "[10.0.0.9]", identity.Forged, identity.OwnName},
		{"fd00::5", "[10.0.0.9]", identity.Forged, identity.OwnName},
		{"10.0.1.5", "[198.51.100.1]", identity.Forged, identity.OwnName},
		{"10.0.1.5", "[10.0.1.6]", identity.Anonymous, identity.AddressLiteral},
		{"10.0.1.5", "[10.0.1.5]", identity.Anonymous, identity.AddressLiteral},
		{"192.0.2.10", "[10.0.0.9]", identity.Anonymous, identity.AddressLiteral},
	} {
		v := verifier(fakeClients(t))
		v.AllowPrivate = true
		if got := run(t, v, tt.client, tt.helo, ""); got.Level != tt.level || !got.Has(tt.reason) {
			t.Errorf("%s %s: %s, %s", tt.client, tt.helo, got.Level, keywords(got.Reasons))
		}
	}
}

// The session and package spf judge the same domain, whatever text MAIL FROM has.
func TestSenders(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "@", "<", ">", " ", "\"", "\\", ":", ",", ".", "..", "example.test", "null.example.test", "[192.0.2.10]", "[IPv6:2001:db8::10]", "SIZE=1",
		"bücher.test", "\x00", "\xff", "postmaster", "@relay.test:", "local\r\n", "xn--", "com", "192.0.2.10", strings.Repeat("a", 500)})
	text := rapid.OneOf(rapid.Map(rapid.SliceOfN(piece, 0, 8), func(pieces []string) string { return strings.Join(pieces, "") }), rapid.String())
	judged := 0
	rapid.Check(t, func(rt *rapid.T) {
		sender := text.Draw(rt, "sender")
		fake := fakeClients(t)
		v := run(t, verifier(fake), "192.0.2.10", "smtp.example.test", "-"+sender)
		alone := spf.Checker{Resolver: fakeClients(t)}.CheckMailFrom(t.Context(), client, "smtp.example.test", sender)
		path, err := envelope.ParsePath(sender)
		switch {
		case v.Has(identity.MalformedSender):
			if err == nil || alone.Status != spf.None || len(alone.Responses) > 0 || v.Sender != sender {
				rt.Fatalf("malformed, and alone %s: %s", alone.Domain, alone.Status)
			}
		case err != nil || v.MailFromSPF.Domain != alone.Domain || v.MailFromSPF.Sender != alone.Sender || v.MailFromSPF.Status != alone.Status || v.Sender != path.Address:
			rt.Fatalf("%+v, alone %+v", v.MailFromSPF, alone)
		case path.Domain != "":
			if alone.Status != spf.None && alone.Domain != path.Domain || v.NullMX.Domain != path.Domain {
				rt.Fatalf("%+v, SPF judges %s, MX are those of %s", path, alone.Domain, v.NullMX.Domain)
			}
			judged++
		}
	})
	t.Logf("%d judged", judged)
}
