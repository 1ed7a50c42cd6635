package txt_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
)

// again writes records, reads them and writes what was read.
func again[R dns.RR](t *testing.T, records []R) (read []R, first, second string) {
	t.Helper()
	a, err := json.Marshal(txt.JSONListAt(&records))
	if err != nil {
		t.Fatal(err)
	}
	form := txt.JSONListAt(&read)
	if err := json.Unmarshal(a, &form); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	b, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	return read, string(a), string(b)
}

// wireOf returns the octets of a record in a message, "" if no message can hold it.
func wireOf(rr dns.RR) string {
	m := dns.Msg{Answer: []dns.RR{rr}}
	wire, err := m.Pack()
	if err != nil {
		return ""
	}
	return string(wire)
}

// header is that of records in tests.
func header(rtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: "a.test.", Rrtype: rtype, Class: dns.ClassINET, Ttl: 300}
}

// Records of every kind survive JSON, with their octets.
func TestJSONKinds(t *testing.T) {
	records := []dns.RR{
		&dns.TXT{Hdr: header(dns.TypeTXT), Txt: txt.Split(string(allOctets()))},
		&dns.TXT{Hdr: header(dns.TypeTXT), Txt: []string{"", `\\`, `\"`, "b;c"}},
		&dns.TXT{Hdr: header(dns.TypeTXT)},
		&dns.NULL{Hdr: header(dns.TypeNULL), Data: "a\x00\xff"},
		&dns.RFC3597{Hdr: header(65400), Rdata: "00ff"},
		&dns.RFC3597{Hdr: header(dns.TypeA), Rdata: "00"}, // not an address
		&dns.RFC3597{Hdr: header(dns.TypeMX), Rdata: "000a00"},
		&dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1232}, Option: []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 6}}},
		&dns.A{Hdr: dns.RR_Header{Name: `$a\.b\032\"\255.test.`, Rrtype: dns.TypeA, Class: dns.ClassCHAOS, Ttl: 1<<32 - 1}, A: []byte{192, 0, 2, 1}},
		&dns.A{Hdr: header(dns.TypeA)}, // as of an update
		&dns.AAAA{Hdr: header(dns.TypeAAAA), AAAA: make([]byte, 16)},
	}
	for _, line := range []string{
		"a.test. MX 10 m.test.", `a.test. SRV 1 2 1 m\;.test.`, "a.test. RP a.test. .", "a.test. LOC 1 N 1 E 0", "a.test. APL 1:192.0.2.0/24",
		"a.test. SVCB 1 . alpn=h2", "a.test. CAA 0 issue \"\"", "a.test. NSEC a.test. A TYPE65400", "a.test. HINFO \"\" \"\"",
	} {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rr)
	}
	read, first, second := again(t, records)
	if first != second {
		t.Errorf("first  %s\nsecond %s", first, second)
	}
	for i, rr := range records {
		if wireOf(rr) == "" || wireOf(rr) != wireOf(read[i]) {
			t.Errorf("%T: %s\nread as %s", rr, rr, read[i])
		}
	}
}

func allOctets() []byte {
	octets := make([]byte, 256)
	for i := range octets {
		octets[i] = byte(i)
	}
	return octets
}

// What no message can hold is written all the same, and once it was read, it stays so.
func TestJSONBroken(t *testing.T) {
	unread := &txt.Unread{RFC3597: &dns.RFC3597{Hdr: header(dns.TypeLOC)}, Text: "over there"}
	_, first, second := again(t, []dns.RR{
		nil, (*dns.A)(nil), new(dns.A), new(dns.SRV), new(dns.TXT), new(dns.APL), &dns.APL{Hdr: header(dns.TypeAPL), Prefixes: make([]dns.APLPrefix, 1)},
		&dns.MX{Hdr: header(dns.TypeMX)}, &dns.MX{Hdr: header(dns.TypeMX), Mx: "a..b"}, &dns.PrivateRR{Hdr: header(65281)},
		&dns.TXT{Hdr: header(dns.TypeTXT), Txt: []string{strings.Repeat("x", 300)}}, &dns.SRV{Hdr: header(dns.TypeA), Target: "."},
		unread, &txt.Unread{RFC3597: &dns.RFC3597{Hdr: header(dns.TypeLOC)}, Text: "1 N 1 E 0"}, &dns.RFC3597{Hdr: header(9), Rdata: "xy"},
	})
	if first != second {
		t.Errorf("first  %s\nsecond %s", first, second)
	}
	if want := unread.String(); !strings.Contains(first, strings.ReplaceAll(want, "\t", " ")) {
		t.Errorf("%s lacks %q", first, want)
	}
	for _, records := range [][]*dns.SRV{{nil, {}}, {{Hdr: header(dns.TypeSRV)}}, {{Hdr: header(dns.TypeA), Target: "."}}, {{Hdr: header(dns.TypeSRV), Target: "m.test."}}} {
		if _, first, second := again(t, records); first != second {
			t.Errorf("first  %s\nsecond %s", first, second)
		}
	}
	for _, records := range [][]*dns.TXT{{{}}, {{Hdr: header(dns.TypeTXT), Txt: []string{strings.Repeat("x", 300), "\xff\n"}}}} {
		if _, first, second := again(t, records); first != second {
			t.Errorf("first  %s\nsecond %s", first, second)
		}
	}
}

func TestJSONFails(t *testing.T) {
	var mx []*dns.MX
	form := txt.JSONListAt(&mx)
	for _, text := range []string{`"a.test. 300 IN MX 10 m.test."`, `["a.test. 300 IN A 192.0.2.1"]`, `["what"]`, `[7]`, `[{"Mx":7}]`} {
		if err := json.Unmarshal([]byte(text), &form); err == nil {
			t.Errorf("%s: read as %v", text, mx)
		}
	}
	var one *dns.MX
	single := txt.JSONAt(&one)
	if text, err := json.Marshal(single); string(text) != "null" || err != nil || !single.IsZero() {
		t.Errorf("no record is %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`"a.test. 300 IN MX 10 m.test."`), &single); err != nil || one.Mx != "m.test." || single.IsZero() {
		t.Errorf("%v, %v", one, err)
	}
}

// No file is read for a line, and no line makes several records.
func TestParse(t *testing.T) {
	for _, line := range []string{"", ";", "$INCLUDE /etc/hostname", " $INCLUDE /etc/hostname", "$GENERATE 1-9 a$.test. A 192.0.2.$", "a.test. 5 IN A 192.0.2.1\nb.test. 5 IN A 192.0.2.1", "a.test. 5 IN A", `a.test. 5 IN A \# 1 0`} {
		if rr, err := txt.Parse(line); err == nil && rr.Header().Rrtype != dns.TypeA {
			t.Errorf("%q: %v", line, rr)
		}
	}
	for n := range 1 << 16 {
		if got, ok := txt.Type(dns.Type(n).String()); int(got) != n || !ok {
			t.Errorf("type %d: %d, %t", n, got, ok)
		}
	}
}

// Whatever octets a message holds, its records survive JSON.
func FuzzJSON(f *testing.F) {
	for _, rtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeMX, dns.TypeSVCB, dns.TypeAPL, dns.TypeNAPTR, dns.TypeNULL, 65400} {
		f.Add(rtype, "a.b", []byte("\x00\x0a\x01m\x04test\x00"))
	}
	f.Fuzz(func(t *testing.T, rtype uint16, label string, data []byte) {
		owner := []byte{0}
		if label != "" && len(label) < 64 {
			owner = append(append([]byte{byte(len(label))}, label...), 0)
		}
		name, _, err := dns.UnpackDomainName(owner, 0)
		if err != nil {
			t.Skip()
		}
		h := dns.RR_Header{Name: name, Rrtype: rtype, Class: dns.ClassINET, Ttl: 60, Rdlength: uint16(len(data))}
		rr, _, err := dns.UnpackRRWithHeader(h, data, 0)
		if err != nil || len(data) > 1000 {
			t.Skip()
		}
		read, first, second := again(t, []dns.RR{rr})
		if first != second {
			t.Fatalf("first  %s\nsecond %s", first, second)
		}
		if wire := wireOf(rr); wire != "" && wireOf(read[0]) != wire {
			t.Errorf("%q read as %q: %s", wire, wireOf(read[0]), first)
		}
	})
}

// Random data of every type that miekg/dns knows.
func TestJSONRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	types := make([]uint16, 0, len(dns.TypeToRR)+1)
	for rtype := range dns.TypeToRR {
		types = append(types, rtype)
	}
	slices.Sort(types)
	types = append(types, 65400)
	var records []dns.RR
	for range 20000 {
		data := make([]byte, random.IntN(24))
		for i := range data {
			data[i] = byte(random.Uint32())
			if random.IntN(2) == 0 { // lengths of labels and strings, often
				data[i] = byte(random.IntN(4))
			}
		}
		h := header(types[random.IntN(len(types))])
		h.Rdlength = uint16(len(data))
		if rr, _, err := dns.UnpackRRWithHeader(h, data, 0); err == nil {
			records = append(records, rr)
		}
	}
	read, first, second := again(t, records)
	if first != second {
		t.Error("not the same JSON")
	}
	for i, rr := range records {
		if wire := wireOf(rr); wire != "" && wireOf(read[i]) != wire {
			t.Errorf("%T %s\nread as %s\n%q\n%q", rr, rr, read[i], wire, wireOf(read[i]))
		}
	}
	t.Logf("%d records", len(records))
}
