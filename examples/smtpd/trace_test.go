package main

import (
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity"
)

func TestTrace(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.10")
	for _, tt := range []struct{ from, ptr, want string }{
		{"", "", "Return-Path: <>\r\nAuthentication-Results: mx.quay.example;\r\n\tnone\r\nReceived: from unknown (unknown [192.0.2.10])\r\n\tby mx.quay.example with ESMTP; "},
		{"a@b.example", "mta1.b.example.", "Return-Path: <a@b.example>\r\nAuthentication-Results: mx.quay.example;\r\n\tnone\r\nReceived: from unknown (mta1.b.example [192.0.2.10])\r\n"},
		{"a@b.example", "a) (b.example.", "(unknown [192.0.2.10])"},
		{"john..doe@b.example", "", "Return-Path: <\"john..doe\"@b.example>\r\n"},
		{"a> b: <@b.example", "", "Return-Path: <\"a> b: <\"@b.example>\r\n"},
		{`a"\@b.example`, "", `Return-Path: <"a\"\\"@b.example>` + "\r\n"},
		{"ü@bücher.example", "", "Return-Path: <ü@bücher.example>\r\n"},
		{"a@[IPv6:2001:db8::1]", "", "Return-Path: <a@[IPv6:2001:db8::1]>\r\n"},
		{`a@b"(c.example`, "", "Return-Path: <a@b??c.example>\r\n"},
	} {
		v := &identity.Verdict{Step: identity.AtMailFrom, Client: client, Level: identity.NotApplicable, PTRName: tt.ptr}
		got, err := trace(v, tt.from, "mx.quay.example")
		if err != nil || !strings.Contains(got, tt.want) || strings.Count(got, "\r\n") != 5 {
			t.Errorf("%q: %q, %v", tt.from, got, err)
		}
	}
	if _, err := trace(&identity.Verdict{}, "", "a b"); err == nil {
		t.Error("an authserv-id with a space")
	}
}

// FuzzReturnPath: an address in the field is read as the one that was given.
func FuzzReturnPath(f *testing.F) {
	f.Add("a", "b.example")
	f.Add(`"a b"\`, "b.example")
	f.Fuzz(func(t *testing.T, local, domain string) {
		from := local + "@" + domain
		if !printable(from) || local == "" || strings.Contains(domain, "@") {
			return
		}
		got := returnPath(from)
		at := strings.LastIndexByte(got, '@')
		gotLocal, gotDomain := got[:at], got[at+1:]
		if quoted, ok := strings.CutPrefix(gotLocal, `"`); ok {
			gotLocal = regexp.MustCompile(`\\(.)`).ReplaceAllString(strings.TrimSuffix(quoted, `"`), "$1")
		}
		if gotLocal != local || len(gotDomain) > len(domain) || !printable(got) || strings.ContainsAny(gotDomain, ` <>()",;\`) {
			t.Errorf("%q: %q", from, got)
		}
		if domain == "b.example" && strings.IndexFunc(local, func(r rune) bool { return r > '~' }) < 0 {
			if address, err := mail.ParseAddress("<" + got + ">"); err != nil || address.Address != from && address.Address != got {
				t.Errorf("%q: %q: %v, %v", from, got, address, err)
			}
		}
	})
}

// No client writes control characters, or more than its field, into the fields of this
// server: neither one that is judged, nor one that is not.
func TestHostileFields(t *testing.T) {
	d := serve(t, func(o *options) { o.Verifier.Trusted = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} })
	for _, from := range []string{"192.0.2.10", "198.51.100.1", "10.0.0.1"} {
		c := dial(t, d, from)
		converse(t, c, " => 220", "EHLO post.harbour.example(\x01\r\x1b) => 250")
		for _, sender := range []string{"<\"a\rX-A: 1\"@harbour.example>", "<\"a\x00\"@harbour.example>", "<a\x1b@harbour.example>", "<a@harbour\r.example>", "<a@\x7f>", "<a\u0085@harbour.example>"} {
			converse(t, c, "MAIL FROM:"+sender+" => 501")
		}
		converse(t, c, `MAIL FROM:<"a> (x"@harbour.example> => 250`, "RCPT TO:<postmaster@quay.example> => 250", "DATA => 354", " continued:\r\n\tagain\r\nX-A: 1\r\n\r\nbody\r\n. => 250", "QUIT => 221")
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	messages := d.messages(t)
	if len(messages) != 3 {
		t.Fatalf("%d messages", len(messages))
	}
	for _, text := range messages {
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(text, "\r\n\r\n")
		if m.Header.Get("Return-Path") != `<"a> (x"@harbour.example>` || m.Header.Get("X-A") != "1" || body != "body\r\n" || !strings.Contains(m.Header.Get("Received"), ";") || strings.Contains(m.Header.Get("Received"), "continued") ||
			strings.ContainsFunc(strings.NewReplacer("\r\n\t", "", "\r\n", "").Replace(head), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("delivered %q", text)
		}
	}
}
