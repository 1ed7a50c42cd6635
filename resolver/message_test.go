package resolver_test

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// unpacked reads a message as a Client does, but from all of its records, which
// [dns.Msg.Unpack] makes. It refuses what Unpack does, and messages that are not whole.
func unpacked(name string, qtype uint16, raw []byte) (r resolver.Reading, err error) {
	bits := binary.BigEndian.Uint16(raw[2:])
	r = resolver.Reading{
		RCode: int(bits & 0xf), AA: bits&0x400 > 0, TC: bits&0x200 > 0, RA: bits&0x80 > 0, AD: bits&0x20 > 0,
		Names: []string{name}, TTL: math.MaxUint32,
	}
	if r.TC {
		return r, nil
	}
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return r, err
	}
	for i, n := range []int{len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra)} {
		if int(binary.BigEndian.Uint16(raw[4+2*i:])) != n {
			return r, errors.New("not whole")
		}
	}
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		if endsEarly(rr) {
			return r, errors.New("a record without data")
		}
	}
	r.RCode = m.Rcode
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		if opt := m.IsEdns0(); opt != nil {
			for _, option := range opt.Option {
				if e, ok := option.(*dns.EDNS0_EDE); ok && len(r.Extended) < 8 {
					r.Extended = append(r.Extended, resolver.ExtendedError{Code: e.InfoCode, Text: e.ExtraText})
				}
			}
		}
		return r, nil
	}
	r.Useless = followAll(&r, m.Answer, qtype)
	for _, rr := range m.Answer {
		isAlias := slices.ContainsFunc(r.Chain, func(alias dns.RR) bool {
			return dnsname.Same(alias.Header().Name, rr.Header().Name) && (rr.Header().Rrtype == alias.Header().Rrtype || rr.Header().Rrtype == dns.TypeRRSIG)
		})
		r.Others = r.Others || !isAlias || rr.Header().Class != dns.ClassINET
	}
	for _, rr := range m.Ns {
		if rr.Header().Class != dns.ClassINET || !dnsname.Under(r.Names[len(r.Names)-1], dnsname.CanonicalOrEmpty(rr.Header().Name)) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.NS:
			r.NS = true
		case *dns.SOA:
			if holds := min(ttlOf(rr), rr.Minttl); !r.SOA || holds < r.Negative {
				r.Negative = holds
			}
			r.SOA = true
		}
	}
	return r, nil
}

// endsEarly reports whether a record may lack data at its end; a few types may.
func endsEarly(rr dns.RR) bool {
	switch rr := rr.(type) {
	case *dns.MX:
		return rr.Mx == ""
	case *dns.SRV:
		return rr.Target == ""
	case *dns.RP:
		return rr.Txt == ""
	case *dns.SOA:
		return rr.Minttl == 0 // that of the messages is 5 or 6
	}
	return rr.Header().Rdlength == 0
}

func ttlOf(rr dns.RR) uint32 {
	if rr.Header().Ttl > math.MaxInt32 {
		return 0
	}
	return rr.Header().Ttl
}

// followAll goes along the aliases of an answer section, all of whose records are known.
func followAll(r *resolver.Reading, records []dns.RR, qtype uint16) error {
	at := func(name string, rrtype uint16) (found []dns.RR) {
		seen := make(map[string]dns.RR)
		for _, rr := range records {
			h := rr.Header()
			if h.Class != dns.ClassINET || !dnsname.Same(h.Name, name) || h.Rrtype != rrtype && rrtype != dns.TypeANY {
				continue
			}
			if same := seen[txt.Key(rr)]; same != nil {
				if ttlOf(rr) < ttlOf(same) {
					same.Header().Ttl = ttlOf(rr)
				}
				continue
			}
			seen[txt.Key(rr)] = rr
			found = append(found, rr)
		}
		return found
	}
	for {
		name := r.Names[len(r.Names)-1]
		found, cnames := at(name, qtype), at(name, dns.TypeCNAME)
		if len(cnames) > 1 {
			return resolver.ErrMalformed
		}
		aliases, target := slices.Clone(cnames), ""
		if len(cnames) == 1 {
			target = dnsname.CanonicalOrEmpty(cnames[0].(*dns.CNAME).Target)
		}
		for above := dnsname.Parent(name); above != "." && above != ""; above = dnsname.Parent(above) {
			dnames := at(above, dns.TypeDNAME)
			if len(dnames) > 1 {
				return resolver.ErrMalformed
			}
			if len(dnames) == 0 {
				continue
			}
			made, err := resolver.Canonical(strings.TrimSuffix(name, above) + strings.TrimPrefix(dnsname.CanonicalOrEmpty(dnames[0].(*dns.DNAME).Target), "."))
			if err != nil {
				return errors.New("too long")
			}
			if target == "" {
				aliases = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: dnames[0].Header().Ttl}, Target: made}}
				target = made
			}
			if target == made {
				aliases = append(slices.Clone(dnames), aliases...)
			}
			break
		}
		redirects := qtype != dns.TypeCNAME && qtype != dns.TypeDNAME && qtype != dns.TypeANY
		switch {
		case !redirects && (len(aliases) == 2 || len(aliases) == 1 && len(found) == 0):
			for _, rr := range aliases {
				if qtype == dns.TypeANY || qtype == dns.TypeCNAME && rr.Header().Rrtype == dns.TypeCNAME {
					r.Records = append(r.Records, rr)
				} else {
					r.Chain = append(r.Chain, rr)
				}
			}
			r.Found, r.TTL = true, min(r.TTL, ttlOf(aliases[0]))
			return nil
		case len(found) > 0:
			r.Found, r.Records = true, found
			for _, rr := range found {
				r.TTL = min(r.TTL, ttlOf(rr))
			}
			return nil
		case len(aliases) == 0:
			return nil
		case len(r.Names) > 16 || slices.Contains(r.Names, target):
			return resolver.ErrChain
		}
		r.Names, r.Chain = append(r.Names, target), append(r.Chain, aliases...)
		r.TTL = min(r.TTL, ttlOf(aliases[0]))
	}
}

// sameReading checks that a message is read as if all of it were unpacked.
func sameReading(t *testing.T, name string, qtype uint16, raw []byte) (whole bool) {
	t.Helper()
	want, refused := unpacked(name, qtype, raw)
	got, err := resolver.ReadMessage(name, qtype, raw)
	if refused != nil {
		return false // what is passed over may be anything
	}
	if err != nil {
		t.Errorf("%v, but dns.Msg.Unpack has read it\n%x", err, raw)
		return true
	}
	for _, class := range []error{resolver.ErrChain, resolver.ErrMalformed} {
		if errors.Is(want.Useless, class) != errors.Is(got.Useless, class) {
			t.Errorf("of no use: %v, want %v\n%x", got.Useless, want.Useless, raw)
		}
	}
	if (want.Useless == nil) != (got.Useless == nil) {
		t.Errorf("of no use: %v, want %v\n%x", got.Useless, want.Useless, raw)
	}
	if want.Useless != nil { // no more is looked at
		return true
	}
	got.Useless = nil
	text := gocmp.Transformer("text", func(rr dns.RR) string { return rr.String() })
	if diff := gocmp.Diff(want, got, text); diff != "" {
		t.Errorf("%s %s of %x (-unpacked +read)\n%s", name, resolver.TypeString(qtype), raw, diff)
	}
	return true
}

var fuzzedTypes = []uint16{dns.TypeA, dns.TypeMX, dns.TypeTXT, dns.TypePTR, dns.TypeSRV, dns.TypeSOA, dns.TypeCNAME, dns.TypeDNAME, dns.TypeANY}

// randomMessage makes a message of few names, so that they meet.
func randomMessage(r *rand.Rand) []byte {
	names := []string{"www.example.test.", "WWW.example.TEST.", "a.example.test.", "b.test.", "www.b.test.", "example.test.", "test.", "."}
	name := func() string { return names[r.IntN(len(names))] }
	makers := []func() string{
		func() string { return []string{"A 192.0.2.1", "A 192.0.2.2"}[r.IntN(2)] },
		func() string { return "CNAME " + name() },
		func() string { return "DNAME " + name() },
		func() string { return "MX 10 " + name() },
		func() string { return "PTR " + name() },
		func() string { return "SRV 1 2 25 " + name() },
		func() string { return `TXT "a" "\000"` },
		func() string { return "NS " + name() },
		func() string { return "SOA " + name() + " " + name() + " 1 2 3 4 " + []string{"5", "6"}[r.IntN(2)] },
		func() string { return "RRSIG A 13 3 300 20260101000000 20250101000000 1 test. AAAA" },
		func() string { return `TYPE65280 \# 3 000102` },
	}
	section := func(most int) (records []dns.RR) {
		for range r.IntN(most + 1) {
			class := []string{"IN", "IN", "IN", "IN", "IN", "IN", "CH"}[r.IntN(7)]
			if one := makers[r.IntN(len(makers))](); class == "IN" || !strings.HasPrefix(one, "TYPE") {
				records = append(records, rr(name()+" "+[]string{"60", "300", "2147483648"}[r.IntN(3)]+" "+class+" "+one))
			}
		}
		return records
	}
	m := new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA)
	m.Response, m.Authoritative, m.RecursionAvailable, m.Compress = true, r.IntN(2) > 0, r.IntN(2) > 0, r.IntN(2) > 0
	m.Rcode = []int{dns.RcodeSuccess, dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure}[r.IntN(4)]
	m.Answer, m.Ns, m.Extra = section(5), section(3), section(1)
	if r.IntN(3) == 0 {
		m.SetEdns0(1232, false)
		opt := m.IsEdns0()
		opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: "00"}, &dns.EDNS0_EDE{InfoCode: 6, ExtraText: "no\nluck"})
	}
	raw, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return raw
}

// What is passed over by its length makes no difference: random messages, whole and
// changed in some octets.
func TestMessageAsUnpacked(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	whole := 0
	const n = 12_000
	for i := range n {
		raw := randomMessage(r)
		if i%2 > 0 {
			for range 1 + r.IntN(3) {
				raw[4+r.IntN(len(raw)-4)] ^= byte(1 << r.IntN(8))
			}
			raw = raw[:len(raw)-r.IntN(2)*r.IntN(len(raw)-12)]
		}
		if sameReading(t, "www.example.test.", fuzzedTypes[r.IntN(len(fuzzedTypes))], raw) {
			whole++
		}
		if t.Failed() {
			t.Fatalf("seed %d, message %d", seed, i)
		}
	}
	t.Logf("seed %d: %d messages, %d of them whole", seed, n, whole)
}

// FuzzMessage: no message makes a Client panic, and one that can be unpacked is read as if
// all of it were.
func FuzzMessage(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 0))
	for i := range 60 {
		f.Add(uint8(i), randomMessage(r))
	}
	for _, raw := range corrupt(new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA)) {
		f.Add(uint8(0), raw)
	}
	f.Fuzz(func(t *testing.T, qtype uint8, raw []byte) {
		if len(raw) >= 12 && len(raw) <= 4096 {
			sameReading(t, "www.example.test.", fuzzedTypes[int(qtype)%len(fuzzedTypes)], raw)
		}
	})
}
