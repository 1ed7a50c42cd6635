package identity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/authres"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

func TestAuthenticationResults(t *testing.T) {
	for _, tt := range []struct{ client, helo, sender, want string }{
		{"192.0.2.10", "smtp.example.test", "a@example.test", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test; spf=pass smtp.mailfrom=a@example.test"},
		{"2001:db8::10", "smtp.example.test", "a@example.test", `iprev=pass policy.iprev="2001:db8::10"; spf=pass smtp.helo=smtp.example.test; spf=pass smtp.mailfrom=a@example.test`},
		{"192.0.2.10", "SMTP.Example.test.", "-", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test; spf=pass smtp.mailfrom=postmaster@smtp.example.test"},
		{"192.0.2.11", "smtp.example.test", "a@why.example.test", "iprev=fail reason=unconfirmed policy.iprev=192.0.2.11; spf=fail smtp.helo=smtp.example.test; spf=fail smtp.mailfrom=a@why.example.test"},
		{"192.0.2.21", "[192.0.2.21]", "a@soft.example.test", "iprev=permerror reason=no-ptr policy.iprev=192.0.2.21; spf=softfail smtp.mailfrom=a@soft.example.test"},
		{"192.0.2.20", "fixed.dsl.isp.test", `"a b;c"@isp.test`, "iprev=pass reason=generic-name policy.iprev=192.0.2.20; spf=none smtp.helo=fixed.dsl.isp.test; spf=none smtp.mailfrom=isp.test"},
		{"192.0.2.10", "smtp.example.test", "srs0=x=y=a@example.test", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test; spf=pass smtp.mailfrom=example.test"},
		{"192.0.2.10", "smtp.example.test", "ünser@bücher.test", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test; spf=none smtp.mailfrom=xn--bcher-kva.test"},
		{"192.0.2.10", "smtp.example.test", strings.Repeat("a", 501) + "@example.test", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test; spf=pass smtp.mailfrom=example.test"},
		{"192.0.2.10", "smtp.example.test", "a b@example.test", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test; spf=pass smtp.mailfrom=example.test"},
		{"192.0.2.10", "smtp.example.test", "a@b c.test", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test"},
		{"192.0.2.10", "smtp.example.test", "a@[192.0.2.10]", "iprev=pass policy.iprev=192.0.2.10; spf=pass smtp.helo=smtp.example.test"},
		{"192.0.2.10", "a b", "-", "iprev=pass policy.iprev=192.0.2.10"},
		{"192.0.2.10", "localhost", "-", "iprev=pass policy.iprev=192.0.2.10"},
		{"192.0.2.10", "", "-", "iprev=pass policy.iprev=192.0.2.10"},
		{"10.1.2.3", "smtp.example.test", "a@example.test", "none"},
	} {
		v := run(t, verifier(fakeClients(t)), tt.client, tt.helo, tt.sender)
		got, err := v.AuthenticationResults("mx.here.test")
		if want := "Authentication-Results: mx.here.test; " + tt.want; err != nil || strings.ReplaceAll(got, "\r\n\t", " ") != want {
			t.Errorf("%s %s %s, %v:\n got %s\nwant %s", tt.client, tt.helo, tt.sender, err, got, want)
		}
		if line, err := v.AuthenticationResultsLine("mx.here.test"); err != nil || line != strings.ReplaceAll(got, "\r\n\t", " ") {
			t.Errorf("%s %s %s: on one line %s, %v", tt.client, tt.helo, tt.sender, line, err)
		}
	}
}

// Both forms of the field say the same, and no line has more than 998 octets: where one line
// would, it has the domain of the sender alone.
func TestAuthenticationResultsLine(t *testing.T) {
	domain := strings.Repeat(strings.Repeat("a", 60)+".", 4)[:239] + ".example.test"
	shortened, longest := 0, 0
	for _, id := range []string{"mx.here.test", strings.Repeat("m", 253)} {
		for _, client := range []string{"192.0.2.10", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"} {
			for _, name := range []string{"smtp.example.test", domain[13:], domain} {
				for _, local := range []string{"a", strings.Repeat("a", 64), strings.Repeat("a", 300), strings.Repeat("a", 500), strings.Repeat("a", 501), "a b"} {
					sender := local + "@" + name
					v := run(t, verifier(fakeClients(t)), client, name, sender)
					folded, err1 := v.AuthenticationResults(id)
					line, err2 := v.AuthenticationResultsLine(id)
					if err1 != nil || err2 != nil || len(line) > 998 || strings.ContainsAny(line, "\r\n") {
						t.Fatalf("%q: %d octets, %v, %v", sender, len(line), err1, err2)
					}
					longest = max(longest, len(line))
					for _, part := range strings.Split(folded, "\r\n") {
						if len(part) > 998 {
							t.Errorf("%q: a line of %d octets", sender, len(part))
						}
					}
					want := parsed(t, id, strings.ReplaceAll(folded, "\r\n\t", " "))
					if len(strings.ReplaceAll(folded, "\r\n\t", " ")) > 998 {
						shortened++
						want[len(want)-1].(*authres.SPFResult).From = name
					}
					if diff := cmp.Diff(want, parsed(t, id, line)); diff != "" {
						t.Errorf("%q: (-folded +line)\n%s", sender, diff)
					}
				}
			}
		}
	}
	if shortened == 0 {
		t.Error("none was too long")
	}
	t.Logf("%d of 72 fields without local part, the longest line has %d octets", shortened, longest)
}

// parsed reads an Authentication-Results field.
func parsed(t *testing.T, id, field string) []authres.Result {
	t.Helper()
	got, results, err := authres.Parse(strings.TrimPrefix(field, "Authentication-Results: "))
	if err != nil || got != id {
		t.Errorf("%q: %q, %v", field, got, err)
	}
	return results
}

// Whatever the client and its DNS say, the field is one field, of printable ASCII, that
// is read back as it was meant.
func TestAuthenticationResultsHostile(t *testing.T) {
	evil := []string{"\r\nX-Evil: yes", "\n", "a\x00b", "x; dkim=pass header.d=bank.test", `"quoted"`, "(comment", `back\slash`, "caf\xe9", "\u202e", "=", "a=b c=d", strings.Repeat("x", 300)}
	hostile := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		header := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 1}
		switch qtype {
		case dns.TypePTR:
			return resolver.Answer{Records: []dns.RR{
				&dns.PTR{Hdr: header, Ptr: `evil\013\010X-Evil:\032yes.test.`}, &dns.PTR{Hdr: header, Ptr: "a\r\nb.test."}, &dns.PTR{Hdr: header, Ptr: `x\;dkim=pass.test.`},
			}}, nil
		case dns.TypeTXT:
			return resolver.Answer{Records: []dns.RR{&dns.TXT{Hdr: header, Txt: []string{"v=spf1 -all exp=why.test"}}}}, nil
		case dns.TypeA:
			return resolver.Answer{Records: []dns.RR{&dns.A{Hdr: header, A: []byte{192, 0, 2, 10}}}}, nil
		}
		return resolver.Answer{}, &resolver.Error{Name: name, Type: qtype, Err: errors.New("text\r\nX-Evil: yes")}
	})
	n := 0
	for _, heloName := range append(evil, "mail.test") {
		for _, e := range append(evil, "plain") {
			for _, sender := range []string{e, e + "@example.test", "a@" + e, "a@" + e + ".test", `"` + e + `"@example.test`} {
				s := identity.Verifier{Resolver: hostile, Policy: identity.Policy{Explain: true}}.Session(t.Context(), client)
				s.Helo(t.Context(), heloName)
				v := s.MailFrom(t.Context(), sender)
				s.Close()
				holdsVerdict(t, v)
				field, err := v.AuthenticationResults("mx.here.test")
				if err != nil {
					t.Fatal(err)
				}
				unfolded := strings.ReplaceAll(field, "\r\n\t", " ")
				if strings.ContainsFunc(unfolded, func(r rune) bool { return r < ' ' || r > '~' }) || strings.Contains(strings.ToLower(unfolded), "evil") || len(unfolded) > 900 {
					t.Errorf("%q %q: %q", heloName, sender, field)
				}
				if line, err := v.AuthenticationResultsLine("mx.here.test"); err != nil || line != unfolded {
					t.Errorf("%q %q: on one line %q, %v", heloName, sender, line, err)
				}
				id, results, err := authres.Parse(strings.TrimPrefix(unfolded, "Authentication-Results: "))
				var methods []string
				for _, r := range results {
					methods = append(methods, fmt.Sprintf("%T", r))
				}
				want := []string{"*authres.IPRevResult"}
				for _, r := range []*spf.Result{v.HeloSPF, v.MailFromSPF} {
					if r != nil && r.Status != spf.None { // of every name there is a policy
						want = append(want, "*authres.SPFResult")
					}
				}
				if diff := cmp.Diff(want, methods); err != nil || id != "mx.here.test" || diff != "" {
					t.Errorf("%q %q: %s, %v: %s", heloName, sender, id, err, diff)
				}
				printable(t, v.LogValue())
				printable(t, v.LogDetails())
				n++
			}
		}
	}
	t.Logf("%d fields", n)
}

// printable fails for a value of a log line that could steer a terminal.
func printable(t *testing.T, v slog.Value) {
	t.Helper()
	v = v.Resolve()
	if v.Kind() != slog.KindGroup {
		if text := v.String(); text != untrusted.Line(text) {
			t.Errorf("logs %q", text)
		}
		return
	}
	for _, attr := range v.Group() {
		printable(t, attr.Value)
	}
}

func TestAuthenticationResultsID(t *testing.T) {
	v := run(t, verifier(fakeClients(t)), "192.0.2.10", "smtp.example.test", "-")
	for _, id := range []string{"", "a b", "a;b", "a\r\nb", "ü.test", `"x"`, strings.Repeat("x", 254)} {
		if field, err := v.AuthenticationResults(id); err == nil || field != "" {
			t.Errorf("%q: %s", id, field)
		}
		if field, err := v.AuthenticationResultsLine(id); err == nil || field != "" {
			t.Errorf("%q: %s", id, field)
		}
	}
	if field, err := (&identity.Verdict{Client: netip.Addr{}}).AuthenticationResults("mx.here.test"); err != nil || field != "Authentication-Results: mx.here.test;\r\n\tnone" {
		t.Errorf("zero verdict: %q, %v", field, err)
	}
}
