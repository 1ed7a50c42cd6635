package spf_test

import (
	"encoding"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/spf"
)

// What the other side says stays within its value, on one line.
func TestReceivedSPF(t *testing.T) {
	hostile := "a\r\nSubject: b \"c\\ (d) \u202e\u00e9" + strings.Repeat("x", 10000)
	r := spf.Result{Status: spf.PermError, Identity: spf.MailFrom, Addr: netip.MustParseAddr("2001:db8::1"), Receiver: "mx (new)", Helo: hostile,
		Sender: hostile, Domain: "example.test.", Err: errors.New(hostile)}
	lines := strings.Split(r.ReceivedSPF(), "\r\n")
	want := []string{
		`Received-SPF: permerror (mx \(new\): the policy of example.test cannot be interpreted)`,
		"\t" + `client-ip="2001:db8::1";`,
		"\t" + `receiver="mx (new)";`,
		"\t" + "identity=mailfrom;",
		"\t" + `problem="a\\x0d\\nSubject: b \"c\\ (d) \\u202e?xxx`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) || len(line) > 400 || strings.Count(line, `"`)-strings.Count(line, `\"`) > 2 {
			t.Errorf("line %d: %q, expected %q", i, line, want[i])
		}
	}
}

// A sender, HELO name or domain is whole or left out: a part of it may be that of another.
func TestReceivedSPFSender(t *testing.T) {
	for _, n := range []int{0, 100, 229, 230, 231, 242, 243, 244, 900} {
		for _, fill := range []string{"a", `"`, "\u202e"} {
			sender := strings.Repeat(fill, n) + "@bank.test@evil.test"
			r := spf.Result{Status: spf.Pass, Identity: spf.MailFrom, Addr: netip.MustParseAddr("192.0.2.1"), Sender: sender, Domain: "evil.test."}
			_, after, ok := strings.Cut(r.ReceivedSPF(), "envelope-from=")
			value, _, _ := strings.Cut(after, "\r\n")
			if whole := strings.HasSuffix(value, `@evil.test";`); ok != whole || ok != (n*len(untrusted.Line(fill)) <= 235) {
				t.Errorf("%d of %q: %q", n, fill, value)
			}
		}
	}
	for n := range 300 {
		name := strings.Repeat("a", n) + ".bank.test.evil.test"
		field := (&spf.Result{Status: spf.Pass, Identity: spf.Helo, Addr: netip.MustParseAddr("192.0.2.1"), Receiver: "mx.here.test", Helo: name, Domain: name + "."}).ReceivedSPF()
		if strings.Count(field, ".bank.test") != strings.Count(field, ".bank.test.evil.test") || !strings.Contains(field, name+" authorizes") {
			t.Errorf("%d: %s", n, field)
		}
	}
}

func TestReceivedSPFOfEachStatus(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	for status, want := range map[spf.Status]string{
		spf.None:      "none (unknown: example.test has no policy)",
		spf.Neutral:   "neutral (unknown: example.test says nothing of 192.0.2.1)",
		spf.Pass:      "pass (unknown: example.test authorizes 192.0.2.1)",
		spf.Fail:      "fail (unknown: example.test does not authorize 192.0.2.1)",
		spf.SoftFail:  "softfail (unknown: example.test probably does not authorize 192.0.2.1)",
		spf.TempError: "temperror (unknown: DNS did not tell the policy of example.test)",
	} {
		r := spf.Result{Status: status, Identity: spf.Helo, Addr: addr, Helo: "example.test", Domain: "example.test."}
		got := r.ReceivedSPF()
		if !strings.HasPrefix(got, "Received-SPF: "+want+"\r\n\tclient-ip=192.0.2.1;\r\n\thelo=example.test;\r\n\treceiver=unknown;\r\n\tidentity=helo;") {
			t.Errorf("%s: %q", status, got)
		}
		if none := status == spf.None; none == strings.Contains(got, "mechanism=default") {
			t.Errorf("%s: %q", status, got)
		}
	}
}

// Every enumeration prints and reads its keywords.
func TestText(t *testing.T) {
	for want, value := range map[string]interface {
		encoding.TextMarshaler
		String() string
	}{
		"softfail": spf.SoftFail, "mailfrom": spf.MailFrom, "ip6": spf.IP6, "txt": spf.SpeculateTXT, "warning": spf.Warning,
	} {
		text, err := value.MarshalText()
		if err != nil || string(text) != want || value.String() != want {
			t.Errorf("%s: %q, %v, %s", want, text, err, value)
		}
	}
	for want, value := range map[string]encoding.TextUnmarshaler{
		"permerror": new(spf.Status), "helo": new(spf.Identity), "redirect": new(spf.Kind), "all": new(spf.Speculation), "note": new(spf.Severity),
	} {
		if err := value.UnmarshalText([]byte(strings.ToUpper(want))); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if err := value.UnmarshalText([]byte("no")); err == nil {
			t.Errorf("%T reads no", value)
		}
	}
}
