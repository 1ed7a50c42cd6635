package resolver_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A recorder is a dns.ResponseWriter that keeps the answer as it went out.
type recorder struct {
	dns.ResponseWriter
	remote net.Addr
	msg    *dns.Msg
	size   int
}

func (r *recorder) RemoteAddr() net.Addr { return r.remote }

func (r *recorder) WriteMsg(m *dns.Msg) error {
	wire, err := m.Pack()
	if err != nil {
		return err
	}
	r.size, r.msg = len(wire), new(dns.Msg)
	return r.msg.Unpack(wire)
}

var udp, tcp = &net.UDPAddr{}, &net.TCPAddr{}

func serve(t *testing.T, z *resolver.Zones, remote net.Addr, q *dns.Msg) *recorder {
	t.Helper()
	w := &recorder{remote: remote}
	z.ServeDNS(w, q)
	if w.msg == nil {
		t.Fatalf("no answer to %v", q)
	}
	if w.msg.Id != q.Id || !w.msg.Response {
		t.Errorf("not an answer to the question: %v", w.msg)
	}
	return w
}

const serveZone = `
$ORIGIN example.test.
@ 3600 SOA ns h 1 2 3 4 60
$TTL 300
@ NS ns
ns A 192.0.2.53
ns AAAA 2001:db8::53
mail A 192.0.2.10
www CNAME mail
out CNAME mail.other.test.
loop1 CNAME loop2
loop2 CNAME loop1
gone CNAME nowhere
inchild CNAME x.child
dname DNAME other.test.
toolong DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.
child NS ns.child
child NS ns.elsewhere.test.
child NS ns
ns.child A 192.0.2.54
wildglue NS ns.wildglue
*.wildglue A 192.0.2.55
twice DNAME there
x.there CNAME y.twice
y.there A 192.0.2.11
z.there CNAME twice
endless DNAME a.endless
`

func TestServeDNS(t *testing.T) {
	zones := mustParse(t, serveZone)
	test := func(name string, qtype uint16, rcode int, aa bool, answer, authority, extra int) {
		t.Helper()
		w := serve(t, zones, udp, new(dns.Msg).SetQuestion(name, qtype))
		m := w.msg
		if m.Rcode != rcode || m.Authoritative != aa || len(m.Answer) != answer || len(m.Ns) != authority || len(m.Extra) != extra {
			t.Errorf("%s %d: want rcode %d, AA %v, %d/%d/%d records, got\n%v", name, qtype, rcode, aa, answer, authority, extra, m)
		}
	}
	test("mail.example.test.", dns.TypeA, dns.RcodeSuccess, true, 1, 0, 0)
	test("mail.example.test.", dns.TypeMX, dns.RcodeSuccess, true, 0, 1, 0)
	test("nowhere.example.test.", dns.TypeA, dns.RcodeNameError, true, 0, 1, 0)
	test("www.example.test.", dns.TypeA, dns.RcodeSuccess, true, 2, 0, 0)
	test("www.example.test.", dns.TypeANY, dns.RcodeSuccess, true, 1, 0, 0)
	test("www.example.test.", dns.TypeMX, dns.RcodeSuccess, true, 1, 1, 0)
	test("gone.example.test.", dns.TypeA, dns.RcodeNameError, true, 1, 1, 0)
	test("out.example.test.", dns.TypeA, dns.RcodeSuccess, true, 1, 0, 0)
	test("loop1.example.test.", dns.TypeA, dns.RcodeSuccess, true, 2, 0, 0)
	test("x.dname.example.test.", dns.TypeA, dns.RcodeSuccess, true, 2, 0, 0)
	test("x.dname.example.test.", dns.TypeCNAME, dns.RcodeSuccess, true, 2, 0, 0)
	test("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.toolong.example.test.", dns.TypeA, dns.RcodeYXDomain, true, 1, 0, 0)
	test("x.child.example.test.", dns.TypeA, dns.RcodeSuccess, false, 0, 3, 3)
	test("child.example.test.", dns.TypeDS, dns.RcodeSuccess, true, 0, 1, 0)
	test("inchild.example.test.", dns.TypeA, dns.RcodeSuccess, true, 1, 3, 3)
	test("x.wildglue.example.test.", dns.TypeA, dns.RcodeSuccess, false, 0, 1, 1)
	// One DNAME, three aliases, one address: a set has no duplicates.
	test("x.twice.example.test.", dns.TypeA, dns.RcodeSuccess, true, 5, 0, 0)
	test("z.twice.example.test.", dns.TypeDNAME, dns.RcodeSuccess, true, 3, 0, 0)
	// One DNAME, and one alias more than a client follows.
	test("x.endless.example.test.", dns.TypeA, dns.RcodeSuccess, true, 18, 0, 0)
	test("other.test.", dns.TypeA, dns.RcodeRefused, false, 0, 0, 0)
	test("example.test.", dns.TypeAXFR, dns.RcodeRefused, false, 0, 0, 0)
}

func TestServeDNSDetails(t *testing.T) {
	zones := mustParse(t, serveZone)
	w := serve(t, zones, udp, new(dns.Msg).SetQuestion("nowhere.example.test.", dns.TypeA))
	if ttl := w.msg.Ns[0].Header().Ttl; ttl != 60 {
		t.Errorf("the SOA of a negative answer has TTL %d, want that of RFC 2308", ttl)
	}
	w = serve(t, zones, udp, new(dns.Msg).SetQuestion("MAIL.Example.test.", dns.TypeA))
	if got := w.msg.Answer[0].Header().Name; got != "MAIL.Example.test." {
		t.Errorf("the case of the question is not kept: %s", got)
	}
	// Twice: the zone's own record must not have changed.
	w = serve(t, zones, udp, new(dns.Msg).SetQuestion("mail.example.test.", dns.TypeA))
	if got := w.msg.Answer[0].Header().Name; got != "mail.example.test." {
		t.Errorf("the zone was changed: %s", got)
	}
}

func TestServeDNSMalformed(t *testing.T) {
	zones := mustParse(t, serveZone)
	question := func(change func(*dns.Msg)) *dns.Msg {
		m := new(dns.Msg).SetQuestion("mail.example.test.", dns.TypeA)
		change(m)
		return m
	}
	for _, test := range []struct {
		what  string
		q     *dns.Msg
		rcode int
	}{
		{"two questions", question(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), dns.RcodeFormatError},
		{"no question", question(func(m *dns.Msg) { m.Question = nil }), dns.RcodeFormatError},
		{"class CH", question(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), dns.RcodeRefused},
		{"notify", question(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), dns.RcodeNotImplemented},
		{"EDNS 1", question(func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(1) }), dns.RcodeBadVers},
	} {
		if w := serve(t, zones, udp, test.q); w.msg.Rcode != test.rcode {
			t.Errorf("%s: got %s", test.what, dns.RcodeToString[w.msg.Rcode])
		}
	}
}

func TestServeDNSTruncates(t *testing.T) {
	var text strings.Builder
	text.WriteString("$ORIGIN example.test.\n$TTL 300\n")
	for i := range 40 {
		fmt.Fprintf(&text, "@ TXT \"%02d %s\"\n", i, strings.Repeat("x", 60))
	}
	zones := mustParse(t, text.String())
	q := new(dns.Msg).SetQuestion("example.test.", dns.TypeTXT)
	for _, test := range []struct {
		remote  net.Addr
		size    uint16 // of EDNS; 0: none
		records int
		limit   int
	}{
		{udp, 0, 0, 512}, {udp, 1232, 0, 1232}, {udp, 100, 0, 512}, {udp, 65535, 0, 1232}, {tcp, 0, 40, 65535},
	} {
		asked := q.Copy()
		if test.size > 0 {
			asked.SetEdns0(test.size, false)
		}
		w := serve(t, zones, test.remote, asked)
		if w.msg.Truncated != (test.records == 0) || len(w.msg.Answer) != test.records || w.size > test.limit {
			t.Errorf("%T, EDNS %d: TC %v, %d records, %d octets", test.remote, test.size, w.msg.Truncated, len(w.msg.Answer), w.size)
		}
		if (w.msg.IsEdns0() != nil) != (test.size > 0) {
			t.Errorf("%T, EDNS %d: the answer's EDNS is %v", test.remote, test.size, w.msg.IsEdns0())
		}
	}
}
