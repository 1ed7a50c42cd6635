package txt_test

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
)

// Records have the same key exactly if they are duplicates, names and TTLs aside.
func TestKey(t *testing.T) {
	var records []dns.RR
	for _, text := range []string{
		"a.test. A 192.0.2.1", "A.test. 9 A 192.0.2.1", "b.test. A 192.0.2.2", "a.test. AAAA 2001:db8::1", "a.test. AAAA ::ffff:192.0.2.1",
		"a.test. MX 10 m.test.", "a.test. MX 10 M.TEST.", "a.test. MX 20 m.test.", "a.test. MX 0 .", `a.test. MX 10 m\.n.test.`,
		"a.test. PTR M.test.", "a.test. PTR m.test.", "a.test. CNAME m.test.", "a.test. DNAME m.test.", "a.test. NS m.test.",
		"a.test. SRV 1 2 1 M.test.", "a.test. SRV 1 2 1 m.test.", "a.test. SRV 1 2 65 m.test.",
		"a.test. RP X.test. Y.test.", "a.test. RP x.test. y.test.", "a.test. RP x.test. .",
		"a.test. SOA N.test. h.test. 65 2 3 4 5", "a.test. SOA n.test. h.test. 65 2 3 4 5", "a.test. SOA n.test. h.test. 97 2 3 4 5",
		`a.test. TXT "a"`, `a.test. TXT "A"`, `a.test. TXT "a" ""`, `a.test. TXT "\097"`, `a.test. HINFO "a" "b"`, `a.test. HINFO "A" "b"`,
		"a.test. CAA 0 issue a.test", `a.test. TYPE65400 \# 1 41`, `a.test. TYPE65400 \# 1 61`,
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rr)
	}
	for _, a := range records {
		for _, b := range records {
			named := dns.Copy(b)
			named.Header().Name = a.Header().Name
			want := dns.IsDuplicate(a, named)
			if a.String() == named.String() {
				want = true // IsDuplicate keeps the spelling of escapes apart
			}
			if got := txt.Key(a) == txt.Key(b); got != want && a.Header().Rrtype != dns.TypeTXT {
				t.Errorf("%s | %s: %t, want %t", a, b, got, want)
			}
		}
	}
	text := func(strings ...string) *dns.TXT {
		return &dns.TXT{Hdr: dns.RR_Header{Rrtype: dns.TypeTXT}, Txt: strings}
	}
	if a, b := text("v=spf1 -all"), text("v=spf1 ", `-\097ll`); txt.LooseKey(a) != txt.LooseKey(b) || txt.LooseKey(a) == txt.LooseKey(text("v=spf1 -ALL")) {
		t.Error("the strings of a text are one")
	}
	if txt.LooseKey(records[0]) != txt.Key(records[0]) {
		t.Error("only texts are read loosely")
	}
	for _, broken := range []dns.RR{&dns.A{}, &dns.MX{Hdr: dns.RR_Header{Name: "a..b", Rrtype: dns.TypeMX}}, &dns.PTR{Hdr: dns.RR_Header{Name: "a.test.", Rrtype: dns.TypePTR}, Ptr: "a..b"}, new(dns.MX)} {
		if txt.Key(broken) == "" {
			t.Errorf("%v has no key", broken)
		}
	}
}

func TestSorted(t *testing.T) {
	mx := func(host string) *dns.MX {
		return &dns.MX{Hdr: dns.RR_Header{Name: "a.test.", Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: host}
	}
	given := []*dns.MX{mx("c."), mx("a."), mx("b.")}
	got := txt.Sorted(given)
	if len(got) != 3 || got[0] != given[1] || got[1] != given[2] || got[2] != given[0] {
		t.Errorf("%v", got)
	}
}
