package ptrname_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
)

// Names as they are found: of access lines, of rented machines, of mail servers.
func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		addr, name string
		want       ptrname.Kind
		codes      string // that must be among the reasons
	}{
		// The address, in every notation.
		{"203.0.113.7", "203-0-113-7.dsl.isp.example", ptrname.Generic, "address-whole access-word"},
		{"203.0.113.7", "7.113.0.203.rev.isp.example", ptrname.Generic, "address-whole assign-word"},
		{"203.0.113.7", "h7.113-0.203.isp.example", ptrname.Generic, "address-whole"},
		{"203.0.113.7", "ip203000113007.isp.example", ptrname.Generic, "address-whole plain-word"},
		{"203.0.113.7", "x20301137.isp.example", ptrname.Generic, "address-whole"},
		{"203.0.113.7", "pcb007107.isp.example", ptrname.Generic, "address-whole"},
		{"203.0.113.7", "pcb-00-71-07.isp.example", ptrname.Generic, "address-whole"},
		{"203.0.113.7", "host-3405803783.isp.example", ptrname.Generic, "address-whole"},
		{"203.0.113.7", "host.isp-203-0-113-7.example", ptrname.Generic, "address-whole"},
		{"198.51.100.42", "c51-100-42.isp.example", ptrname.Generic, "address-most"},
		{"198.51.100.42", "cust-100-42.isp.example", ptrname.Generic, "address-low assign-word"},
		{"198.51.100.42", "dhcp42.isp.example", ptrname.Generic, "address-last access-word"},
		{"198.51.100.42", "42-100.w198-51.isp.example", ptrname.Generic, "address-whole"},
		{"198.51.100.42", "100-42.w198-51.isp.example", ptrname.Generic, "address-whole"},
		// Words and shapes, whatever the address.
		{"198.51.100.42", "adsl-pool-17.isp.example", ptrname.Generic, "access-word access-words"},
		{"198.51.100.42", "vmi1674562.hoster.example", ptrname.Generic, "assign-word long-number"},
		{"198.51.100.42", "customer.hoster.example", ptrname.Generic, "assign-word placeholder-only"},
		{"198.51.100.42", "no-rdns.hoster.example", ptrname.Generic, "placeholder-only"},
		// Chosen names. The advice page's own among them.
		{"203.0.113.7", "mail.example.org", ptrname.Deliberate, "role-left no-digits"},
		{"203.0.113.7", "mx7.example.org", ptrname.Deliberate, "role-left"},
		{"203.0.113.7", "smtp.example.org", ptrname.Deliberate, "role-left"},
		{"203.0.113.7", "mta-out-3.example.org", ptrname.Deliberate, "role-left word-number"},
		{"203.0.113.7", "head-office.example.org", ptrname.Deliberate, "no-digits"},
		{"203.0.113.7", "clients.mail.example.org", ptrname.Deliberate, "role-inner"},
		{"203.0.113.7", "cityname.example.org", ptrname.Deliberate, "no-digits"},
		{"203.0.113.7", "www.example.org", ptrname.Deliberate, "service-left"},
		{"203.0.113.7", "zeus2.example.co.uk", ptrname.Deliberate, "word-number"},
		{"203.0.113.7", "example.org", ptrname.Deliberate, "apex"},
		{"203.0.113.7", "out113-7.sendgrid.net", ptrname.Deliberate, "mail-family"},
		// IPv6.
		{"2001:db8:1:2:3:4:5:6", "6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:1:2:3:4:5:6", "20010db8000100020003000400050006.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:1:2:3:4:5:6", "p20010db8000100020003000400050006.dip0.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:1:2:3:4:5:6", "2001-db8-1-2-3-4-5-6.rev.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:1:2:3:4:5:6", "2001-0db8-0001-0002-0003-0004-0005-0006.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:1:2:3:4:5:6", "2001.db8.1.2.3.4.5.6.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:85a3::8a2e:370:7334", "2001-db8-85a3-0-0-8a2e-370-7334.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:85a3::8a2e:370:7334", "2001-db8-85a3--8a2e-370-7334.isp.example", ptrname.Generic, "address-whole"},
		{"2001:db8:85a3:8:9:8a2e:370:7334", "8-9-8a2e-370.dyn.isp.example", ptrname.Generic, "address-most"},
		{"2001:db8:85a3:8:9:8a2e:370:7334", "dyn-000908a2e0370733.isp.example", ptrname.Generic, "access-word"},
		{"2001:db8:85a3:8:9:8a2e:370:7334", "cust-00098a2e03707334.isp.example", ptrname.Generic, "address-most"},
		{"2001:db8:85a3:8:9:8a2e:370:7334", "20010db885a30008.isp.example", ptrname.Generic, "address-most"},
		{"2001:db8::25", "mx2.v6.example.org", ptrname.Deliberate, "role-left"},
		{"2001:db8::25", "mail.example.org", ptrname.Deliberate, "role-left"},
		// What is no address of this name's, and what is no name.
		{"::ffff:203.0.113.7", "203-0-113-7.isp.example", ptrname.Generic, "address-whole"},
		{"", "203-0-113-7.dsl.isp.example", ptrname.Generic, "access-word many-numbers"},
		{"203.0.113.7", "", ptrname.Unclear, ""},
		{"203.0.113.7", ".", ptrname.Unclear, ""},
		{"203.0.113.7", "a..b", ptrname.Unclear, ""},
	} {
		addr, _ := netip.ParseAddr(tt.addr)
		a := ptrname.Classify(addr, tt.name)
		if a.Kind != tt.want {
			t.Errorf("%s %s: %s %.1f %v, expected %s", tt.addr, tt.name, a.Kind, a.Score, a.Reasons, tt.want)
		}
		for code := range strings.FieldsSeq(tt.codes) {
			if !strings.Contains(codes(a), code+" ") {
				t.Errorf("%s %s: without %s: %v", tt.addr, tt.name, code, a.Reasons)
			}
		}
		holds(t, addr, tt.name, a)
	}
}

func codes(a ptrname.Assessment) string {
	var b strings.Builder
	for _, r := range a.Reasons {
		fmt.Fprintf(&b, "%s ", r.Code)
	}
	return b.String()
}

// A Score is bias and the weights of the reasons; within unclearBand of 0 it leaves the
// Kind Unclear.
const (
	bias        = -1.1
	unclearBand = 0.5
)

// holds is what is true of every Assessment.
func holds(t *testing.T, addr netip.Addr, name string, a ptrname.Assessment) {
	t.Helper()
	want := ptrname.Unclear
	if a.Score > unclearBand {
		want = ptrname.Generic
	} else if a.Score < -unclearBand {
		want = ptrname.Deliberate
	}
	if a.Kind != want {
		t.Errorf("%s %q: %s at %.2f", addr, name, a.Kind, a.Score)
	}
	seen := make(map[ptrname.Code]bool)
	sum := a.Score
	for _, r := range a.Reasons {
		sum -= r.Weight
		if seen[r.Code] || r.Code.Text() == "" || r.Weight == 0 || strings.ContainsAny(r.String(), "\n\r\x00") {
			t.Errorf("%s %q: %v", addr, name, r)
		}
		seen[r.Code] = true
	}
	if math.Abs(sum-bias) > 1e-9 && name != "" && a.Score != 0 {
		t.Errorf("%s %q: %.2f is left of the score, want %.2f", addr, name, sum, bias)
	}
}

// Case and final dot make no difference.
func TestClassifyForms(t *testing.T) {
	addr := netip.MustParseAddr("203.0.113.7")
	a, b := ptrname.Classify(addr, "Out113-7.SendGrid.NET."), ptrname.Classify(addr, "out113-7.sendgrid.net")
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%v and %v", a, b)
	}
}

func TestClassifyEnums(t *testing.T) {
	for v := ptrname.Deliberate; v <= ptrname.Generic; v++ {
		text, err := v.MarshalText()
		var back ptrname.Kind
		if err != nil || back.UnmarshalText(text) != nil || back != v {
			t.Errorf("%v: %q, %v", v, text, err)
		}
	}
	for c := ptrname.AddressWhole; c <= ptrname.MailFamily; c++ {
		text, err := c.MarshalText()
		var back ptrname.Code
		if err != nil || back.UnmarshalText(text) != nil || back != c || c.Text() == "" {
			t.Errorf("%v: %q, %v", c, text, err)
		}
	}
	if ptrname.Code(0).Text() != "" || ptrname.Code(99).Text() != "" || ptrname.Kind(0).String() != "ptrname.Kind(0)" {
		t.Error("an invalid value has a text")
	}
	r := ptrname.Reason{Code: ptrname.AddressWhole, Weight: 3.7, Part: "203-0-113-7"}
	if got, want := r.String(), "+3.7 the address stands in it: 203-0-113-7"; got != want {
		t.Errorf("%q, expected %q", got, want)
	}
}

// FuzzClassify: no name panics, and what is true of every Assessment holds.
func FuzzClassify(f *testing.F) {
	for _, name := range []string{"203-0-113-7.dsl.isp.example", "mail.example.org", "2001-db8-0-0.isp.example", `a\.b.example`, strings.Repeat("1.", 120)} {
		f.Add([]byte{203, 0, 113, 7}, name)
		f.Add([]byte("0123456789abcdef"), name)
	}
	f.Fuzz(func(t *testing.T, octets []byte, name string) {
		addr, _ := netip.AddrFromSlice(octets)
		holds(t, addr, name, ptrname.Classify(addr, name))
	})
}

func BenchmarkClassify(b *testing.B) {
	for _, bb := range []struct{ name, addr string }{
		{"203-0-113-7.dsl.isp.example", "203.0.113.7"},
		{"cpc5-koln42-6-4-cust12.wien1.cable.isp.example", "198.51.100.42"},
		{"mail.example.org", "203.0.113.7"},
		{"2001-db8-85a3-0-0-8a2e-370-7334.v6.dynamic.isp.example", "2001:db8:85a3::8a2e:370:7334"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			addr := netip.MustParseAddr(bb.addr)
			b.ReportAllocs()
			for b.Loop() {
				ptrname.Classify(addr, bb.name)
			}
		})
	}
}
