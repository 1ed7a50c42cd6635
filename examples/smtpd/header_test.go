package main

import (
	"bytes"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity"
)

const ours = "Return-Path: <>\r\nReceived: from unknown\r\n"

func TestCopyMessage(t *testing.T) {
	const forged = "Authentication-Results: mx.quay.example; spf=pass\r\n"
	for _, tt := range []struct{ message, want string }{
		{"Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbody\r\n"},
		{"\r\nbody\r\n", "\r\nbody\r\n"},
		{"", ""},
		{"Subject: x\r\n", "Subject: x\r\n"},
		{"Subject: x\r\n y\r\n\tz\r\n\r\n", "Subject: x\r\n y\r\n\tz\r\n\r\n"},
		// What is not a field ends the header.
		{" by mx.quay.example\r\nSubject: x\r\n\r\nbody\r\n", "\r\n by mx.quay.example\r\nSubject: x\r\n\r\nbody\r\n"},
		{"\tx\r\n", "\r\n\tx\r\n"},
		{" \r\n", "\r\n \r\n"},
		{"Hello\r\n\r\nbody\r\n", "\r\nHello\r\n\r\nbody\r\n"},
		{": x\r\nbody\r\n", "\r\n: x\r\nbody\r\n"},
		{" : x\r\n", "\r\n : x\r\n"},
		{"From a@b.example Mon Jan  1 12:00:00 2026\r\nSubject: x\r\n\r\n", "\r\nFrom a@b.example Mon Jan  1 12:00:00 2026\r\nSubject: x\r\n\r\n"},
		{"a b: x\r\n", "\r\na b: x\r\n"},
		{"ü: x\r\n", "\r\nü: x\r\n"},
		{"A: 1\r\nHello\r\n" + forged + "\r\n", "A: 1\r\n\r\nHello\r\n" + forged + "\r\n"},
		// Forged fields.
		{forged + "A: 1\r\n\r\n" + forged, "A: 1\r\n\r\n" + forged},
		{forged + " x\r\n" + forged, ""},
		{forged + "\r\n", "\r\n"},
		{strings.ToUpper(forged), ""},
		{"Authentication-Results \t: mx.quay.example; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results:\r\n mx.quay.example; none\r\nA: 1\r\n", "A: 1\r\n"},
		{"Authentication-Results: mx.quay.example; none\nA: 1\n\nb\n", "A: 1\n\nb\n"},
		{"Authentication-Results: mx.other.example; none\r\n", "Authentication-Results: mx.other.example; none\r\n"},
		{"X-Authentication-Results: mx.quay.example; none\r\n", "X-Authentication-Results: mx.quay.example; none\r\n"},
		// Control characters.
		{"A: 1\rB: 2\r\n\r\n", "550"}, {"A: 1\r\r\n\r\n", "550"}, {"A: \x001\r\n", "550"}, {"\x00", "550"}, {"A: 1\r\n\r\nbody\r\x00\r\n", "A: 1\r\n\r\nbody\r\x00\r\n"},
		{"A: " + strings.Repeat("x", 5000) + "\r\n", "552"}, {strings.Repeat("A: 1\r\n", 50000), "552"},
	} {
		var out bytes.Buffer
		_, err := copyMessage(&out, strings.NewReader(tt.message), "mx.quay.example")
		if err != nil && (len(tt.want) != 3 || !strings.Contains(err.Error(), tt.want)) || err == nil && out.String() != tt.want {
			t.Errorf("%.200q: got %.200q, %v, want %.200q", tt.message, &out, err, tt.want)
		}
	}
}

var fieldLine = regexp.MustCompile(`^[!-9;-~]+[ \t]*:`)

// FuzzCopyMessage: below fields of ours, a message is a header of its own fields, of which
// none claims to be ours, and a body that was not changed.
func FuzzCopyMessage(f *testing.F) {
	for _, text := range []string{"", " x\r\n", "A: 1\r\n b\r\n\r\nc", "Hello\r\n", "Authentication-Results: mx.quay.example; none\r\nA: 1\r\n", "A: 1\r", "\n", ":\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, message string) {
		var out bytes.Buffer
		out.WriteString(ours)
		if _, err := copyMessage(&out, strings.NewReader(message), "mx.quay.example"); err != nil {
			return
		}
		rest, lines := out.String(), 0
		var field string
		end := func() {
			name, value, _ := strings.Cut(field, ":")
			if strings.EqualFold(strings.TrimRight(name, " \t"), "Authentication-Results") && identity.ForgedResults(value, "mx.quay.example") {
				t.Errorf("%q: forged: %q", message, field)
			}
		}
		for rest != "" {
			line, after, _ := strings.Cut(rest, "\n")
			text := strings.TrimSuffix(line, "\r")
			if text == "" {
				break
			}
			rest = after
			switch lines++; {
			case lines > 3 && (text[0] == ' ' || text[0] == '\t'):
				field += text
			case fieldLine.MatchString(text):
				end()
				field = text
			default:
				t.Errorf("%q: line %d is not a field: %q", message, lines, text)
			}
			if strings.ContainsAny(text, "\r\x00") {
				t.Errorf("%q: control character: %q", message, text)
			}
		}
		end()
		body := strings.TrimPrefix(strings.TrimPrefix(rest, "\r"), "\n")
		if !strings.HasPrefix(out.String(), ours) || !strings.HasSuffix(message, body) {
			t.Errorf("%q: %q, body %q", message, &out, body)
		}
	})
}

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
		converse(t, c, `MAIL FROM:<"a> (x"@harbour.example> => 250`, "RCPT TO:<postmaster@quay.example> => 250", "DATA => 354", " continued\r\n\tagain\r\nX-A: 1\r\n. => 250", "QUIT => 221")
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
		if m.Header.Get("Return-Path") != `<"a> (x"@harbour.example>` || m.Header.Get("X-A") != "" || body != " continued\r\n\tagain\r\nX-A: 1\r\n" ||
			strings.ContainsFunc(strings.NewReplacer("\r\n\t", "", "\r\n", "").Replace(head), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("delivered %q", text)
		}
	}
}
