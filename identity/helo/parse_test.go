package helo_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/resolver"
)

// long is a name of labels of 63 octets and a last one of letters: 253 octets,
// the most that the DNS can hold, when last is 61.
func long(last int) string {
	return strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", last)
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		helo, name, addr string
		faults           helo.Faults
	}{
		{"host.example.test", "host.example.test.", "", 0},
		{"HOST.Example.TEST", "host.example.test.", "", 0},
		{"r3---sn.xn--bcher-kva.test", "r3---sn.xn--bcher-kva.test.", "", 0},
		{"1.example.test", "1.example.test.", "", 0},
		{strings.Repeat("a", 63) + ".test", strings.Repeat("a", 63) + ".test.", "", 0},
		{long(61), long(61) + ".", "", 0},
		{"host", "host.", "", helo.SingleLabel},
		{"localhost", "localhost.", "", helo.SingleLabel},
		{"local.", "local.", "", helo.SingleLabel | helo.FinalDot},
		{"host.example.test.", "host.example.test.", "", helo.FinalDot},
		{long(61) + ".", long(61) + ".", "", helo.FinalDot},
		{"mail_1.example.test", "mail_1.example.test.", "", helo.Underscore},
		{"_.Example.test.", "_.example.test.", "", helo.Underscore | helo.FinalDot},
		{"Bücher.example.test", "xn--bcher-kva.example.test.", "", helo.NonASCII},
		{"straße.example", "xn--strae-oqa.example.", "", helo.NonASCII},
		{"mail_1.bücher.test", "mail_1.xn--bcher-kva.test.", "", helo.NonASCII | helo.Underscore},
		{"bücher", "xn--bcher-kva.", "", helo.NonASCII | helo.SingleLabel},
		// The dots of IDNA, which make labels.
		{"mail\u3002example\uff0etest", "mail.example.test.", "", helo.NonASCII},
		{"\uff11\uff19\uff12.0.2.1", "192.0.2.1.", "", helo.NonASCII | helo.Numeric},
		{"1234", "1234.", "", helo.Numeric | helo.SingleLabel},
		{"192.0.2", "192.0.2.", "", helo.Numeric},
		{"192.0.2.256", "192.0.2.256.", "", helo.Numeric},
		{"192.0.02.1", "192.0.02.1.", "", helo.Numeric},
		{"192.0.2.1.", "192.0.2.1.", "", helo.Numeric | helo.FinalDot},
		{"mail.local", "mail.local.", "", helo.Reserved},
		{"a.localhost", "a.localhost.", "", helo.Reserved},
		{"my_pc.invalid", "my_pc.invalid.", "", helo.Reserved | helo.Underscore},
		{"a.onion.", "a.onion.", "", helo.Reserved | helo.FinalDot},
		{"192.0.2.1", "", "192.0.2.1", helo.BareAddress},
		{"2001:db8::1", "", "2001:db8::1", helo.BareAddress},
		{"::ffff:192.0.2.1", "", "192.0.2.1", helo.BareAddress},
		{"[192.0.2.1]", "", "192.0.2.1", 0},
		{"[192.0.02.001]", "", "192.0.2.1", 0},
		{"[0.0.0.0]", "", "0.0.0.0", 0},
		{"[255.255.255.255]", "", "255.255.255.255", 0},
		{"[IPv6:2001:db8::1]", "", "2001:db8::1", 0},
		{"[ipV6:2001:DB8::1]", "", "2001:db8::1", 0},
		{"[IPv6:2001:0db8:0:0:0:0:0:0001]", "", "2001:db8::1", 0},
		{"[IPv6:::]", "", "::", 0},
		{"[IPv6:::1]", "", "::1", 0},
		{"[IPv6:2001:db8::]", "", "2001:db8::", 0},
		{"[IPv6:::ffff:192.0.2.1]", "", "192.0.2.1", 0},
		{"[IPv6:::FFFF:192.000.02.1]", "", "192.0.2.1", 0},
		{"[IPv6:::192.0.2.1]", "", "::192.0.2.1", 0},
		{"[IPv6:2001:db8::192.0.2.1]", "", "2001:db8::c000:201", 0},
		{"[IPv6:2001:db8:0:0:0:0:192.0.2.1]", "", "2001:db8::c000:201", 0},
		// "::" stands for two groups at least.
		{"[IPv6:1:2:3:4:5:6::]", "", "1:2:3:4:5:6::", 0},
		{"[IPv6:::3:4:5:6:7:8]", "", "::3:4:5:6:7:8", 0},
		{"[IPv6:1:2:3::6:7:8]", "", "1:2:3::6:7:8", 0},
		{"[IPv6:1:2::3:4:192.0.2.1]", "", "1:2:0:0:3:4:c000:201", 0},
	} {
		got, err := helo.Parse(test.helo)
		var addr netip.Addr
		if test.addr != "" {
			addr = netip.MustParseAddr(test.addr)
		}
		want := helo.Argument{Text: test.helo, Name: test.name, Addr: addr, Faults: test.faults}
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", test.helo, got, err, want)
		}
		public := test.name != "" && test.faults&(helo.SingleLabel|helo.Numeric|helo.Reserved) == 0
		if got.Resolvable() != public {
			t.Errorf("%q: Resolvable is %v", test.helo, got.Resolvable())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const (
		noV4     = "no IPv4 address in the brackets"
		noV6     = "no IPv6 address after the tag"
		untagged = "an IPv6 address needs the tag IPv6:"
		noTag    = "no such tag of an address literal"
		open     = "no closing bracket"
		empty    = "empty label"
		hyphen   = "hyphen at the edge of a label"
		over     = "label of over 63 octets"
		noName   = "no name that the DNS can hold"
	)
	for _, test := range []struct {
		helo   string
		offset int
		reason string
	}{
		{"", 0, empty}, {".", 0, empty}, {"a..b", 2, empty}, {".a", 0, empty}, {"a..", 2, empty}, {"bü..a", 4, empty},
		{"-a.b", 0, hyphen}, {"a-.b", 1, hyphen}, {"a.-", 2, hyphen}, {"a.b-", 3, hyphen}, {"bü.-a", 4, hyphen}, {"a-.", 1, hyphen},
		{strings.Repeat("a", 64) + ".test", 0, over}, {"mail." + strings.Repeat("a", 64) + ".test", 5, over},
		{long(62), 0, noName}, {long(62) + ".", 0, noName},
		{strings.Repeat("ü", 63) + ".test", 0, noName},
		{"host!.test", 4, `'!' is not in a host name`}, {"a/b", 1, `'/' is not in a host name`},
		{"a b", 1, `' ' is not in a host name`}, {" a", 0, `' ' is not in a host name`}, {"a\r\n", 1, `'\r' is not in a host name`},
		{"a.b\x00", 3, `'\x00' is not in a host name`}, {`a\.b`, 1, `'\\' is not in a host name`}, {"*.test", 0, `'*' is not in a host name`},
		{"a\xff.test", 0, noName}, {"_ü.test", 0, noName}, {"a\u3002\u3002b", 0, noName}, {"\u00ad", 0, noName}, {"a.\u200b", 0, noName},
		{"2001:db8::1%eth0", 4, `':' is not in a host name`}, {"fe80::1%eth0", 4, `':' is not in a host name`}, {"192.0.2.1]", 9, `']' is not in a host name`},
		{"[", 1, open}, {"[192.0.2.1", 10, open}, {"[192.0.2.1].", 12, open}, {"[IPv6:2001:db8::1", 17, open},
		{"[]", 1, noV4}, {"[192.0.2]", 1, noV4}, {"[192.0.2.256]", 1, noV4}, {"[192.0.2.1.]", 1, noV4}, {"[192.0.2.1.1]", 1, noV4},
		{"[192.0..1]", 1, noV4}, {"[192.0.2.+1]", 1, noV4}, {"[192.0.2.0001]", 1, noV4}, {"[192.0.2.1%eth0]", 1, noV4}, {"[ 192.0.2.1]", 1, noV4},
		{"[host.example.test]", 1, noV4}, {"[[192.0.2.1]]", 1, noV4}, {"[0300.0.2.1]", 1, noV4},
		{"[IPv4:192.0.2.1]", 1, noTag}, {"[x-tag:foo]", 1, noTag}, {"[:]", 1, noTag}, {"[IPv4:2001:db8::1]", 1, noTag}, {"[x-tag:a:b]", 1, noTag},
		{"[2001:db8::1]", 1, untagged}, {"[::1]", 1, untagged}, {"[::ffff:192.0.2.1]", 1, untagged},
		{"[IPv6:]", 6, noV6}, {"[IPv6:192.0.2.1]", 6, noV6}, {"[IPv6:2001:db8::1::2]", 6, noV6}, {"[IPv6:fe80::1%eth0]", 6, noV6},
		{"[IPv6:::ffff:192.0.2.1%eth0]", 6, noV6}, {"[IPv6:fe80::1%e.th:192.0.2.1]", 6, noV6}, {"[IPv6:::ffff:192.0.2.256]", 6, noV6},
		{"[IPv6:1:2:3:4:5:6:7]", 6, noV6}, {"[IPv6:1:2:3:4:5:6:7:8:9]", 6, noV6}, {"[IPv6:12345::]", 6, noV6}, {"[IPv6:00001::]", 6, noV6},
		{"[IPv6:[2001:db8::1]]", 6, noV6}, {"[IPv6: 2001:db8::1]", 6, noV6}, {"[IPv6:IPv6:::1]", 6, noV6},
		// "::" for one group, which netip takes.
		{"[IPv6:1:2:3:4:5:6:7::]", 6, noV6}, {"[IPv6:::2:3:4:5:6:7:8]", 6, noV6}, {"[IPv6:1:2:3::5:6:7:8]", 6, noV6},
		{"[IPv6:1:2::4:5:6:192.0.2.1]", 6, noV6}, {"[IPv6:::2:3:4:5:6:192.0.2.1]", 6, noV6},
	} {
		got, err := helo.Parse(test.helo)
		if want := (helo.Argument{Text: test.helo}); got != want {
			t.Errorf("%q: got %+v beside the error", test.helo, got)
		}
		e, ok := errors.AsType[*helo.Error](err)
		if !ok || *e != (helo.Error{Text: test.helo, Offset: test.offset, Reason: test.reason}) {
			t.Errorf("%q: got %+v, want %q at %d", test.helo, e, test.reason, test.offset)
		}
	}
	_, err := helo.Parse("a\r\nb")
	if got, want := err.Error(), `HELO "a\r\nb": '\r' is not in a host name at offset 1`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// every is each fault alone, with its keyword.
var every = []struct {
	fault helo.Faults
	text  string
}{
	{helo.Underscore, "underscore"}, {helo.FinalDot, "final-dot"}, {helo.SingleLabel, "single-label"},
	{helo.BareAddress, "bare-address"}, {helo.NonASCII, "non-ascii"}, {helo.Numeric, "numeric"}, {helo.Reserved, "reserved"},
}

func TestFaults(t *testing.T) {
	for i, test := range every {
		if test.fault != 1<<i || test.fault.String() != test.text {
			t.Errorf("fault %d is %d, %q, want %q", 1<<i, test.fault, test.fault, test.text)
		}
	}
	for set := range helo.Faults(1 << len(every)) {
		var words []string
		for _, one := range every {
			if set&one.fault != 0 {
				words = append(words, one.text)
			}
			if set.Has(one.fault) != (set&one.fault != 0) {
				t.Errorf("%v: Has(%v) is %v", set, one.fault, set.Has(one.fault))
			}
		}
		text, err := set.MarshalText()
		if want := strings.Join(words, ","); err != nil || string(text) != want || set.String() != want {
			t.Errorf("%d: got %q, %v, want %q", set, text, err, want)
		}
		back := ^helo.Faults(0)
		if err := back.UnmarshalText(text); err != nil || back != set {
			t.Errorf("%q: got %d, %v, want %d", text, back, err, set)
		}
	}
	both := helo.FinalDot | helo.Numeric
	if !both.Has(both) || !both.Has(0) || helo.FinalDot.Has(both) {
		t.Error("Has tells of any fault of a set, not of every one")
	}
	var reordered helo.Faults
	if err := reordered.UnmarshalText([]byte("numeric,final-dot,numeric")); err != nil || reordered != both {
		t.Errorf("got %v, %v, want %v", reordered, err, both)
	}
	for _, text := range []string{"slow", "numeric,", ",numeric", ",", "numeric, final-dot", "numeric,slow"} {
		kept := helo.Underscore
		if err := kept.UnmarshalText([]byte(text)); err == nil || kept != helo.Underscore {
			t.Errorf("%q: got %v, %v, want an error and no change", text, kept, err)
		}
	}
}

// FuzzParse: whatever a client says gives a name or an address in the one
// form that it has, or an error that points into the text.
func FuzzParse(f *testing.F) {
	for _, heloName := range []string{
		"", "host.example.test", "HOST.example.test.", "localhost", "mail_1.example.test", "bücher.example.test", "mail\u3002example.test",
		"a..b", "-a.b", "1234", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "[192.0.02.1]", "[]", "[", "[192.0.2.256]",
		"[IPv6:2001:db8::1]", "[ipv6:::ffff:192.0.2.1]", "[IPv6:1:2:3:4:5:6:7::]", "[IPv6:fe80::1%eth0]", "[2001:db8::1]", "[x-tag:foo]",
		"a\xff.test", "\u00ad", "a\r\nb", long(61), long(62),
	} {
		f.Add(heloName)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := helo.Parse(text)
		if h.Text != text {
			t.Errorf("%q: Text is %q", text, h.Text)
		}
		if err != nil {
			e, ok := errors.AsType[*helo.Error](err)
			if !ok || e.Text != text || e.Offset < 0 || e.Offset > len(text) || e.Reason == "" {
				t.Errorf("%q: got the error %+v", text, err)
			}
			if h != (helo.Argument{Text: text}) || h.Resolvable() {
				t.Errorf("%q: got %+v beside the error", text, h)
			}
			return
		}
		if (h.Name != "") == h.Addr.IsValid() {
			t.Fatalf("%q: got %+v, want one of Name and Addr", text, h)
		}
		literal := strings.HasPrefix(text, "[")
		if h.Addr.IsValid() {
			if bare := h.Faults == helo.BareAddress; bare == literal || !bare && h.Faults != 0 || h.Addr.Is4In6() || h.Addr.Zone() != "" {
				t.Errorf("%q: got %+v", text, h)
			}
			back := "[" + h.Addr.String() + "]"
			if h.Addr.Is6() {
				back = "[IPv6:" + h.Addr.String() + "]"
			}
			if again, err := helo.Parse(back); err != nil || again.Addr != h.Addr || again.Faults != 0 {
				t.Errorf("%q is %s, which gives %+v, %v", text, back, again, err)
			}
			return
		}
		if canonical, err := resolver.Canonical(h.Name); err != nil || canonical != h.Name || literal {
			t.Errorf("%q gives %q, whose canonical form is %q, %v", text, h.Name, canonical, err)
		}
		if strings.Trim(h.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			t.Errorf("%q gives %q, which is no host name", text, h.Name)
		}
		again, err := helo.Parse(h.Name)
		if want := h.Faults&^helo.NonASCII | helo.FinalDot; err != nil || again.Name != h.Name || again.Faults != want {
			t.Errorf("%q gives %q, and that %+v, %v, want the faults %v", text, h.Name, again, err, want)
		}
		if single := strings.Count(h.Name, ".") == 1; h.Faults.Has(helo.SingleLabel) != single {
			t.Errorf("%q gives %+v", text, h)
		}
	})
}
