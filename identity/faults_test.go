package identity_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

var allFaults = flag.Bool("faults.all", false, "let every question of every client fail in every way, not in one each")

// kindsOf returns the kinds of faults for the j-th question of the i-th client: all for the
// first client, one in turn for the others.
func kindsOf[K any](kinds []K, i, j int) []K {
	if *allFaults || i == 0 {
		return kinds
	}
	return kinds[(i+j)%len(kinds):][:1]
}

// A mechanism is the result of one check. Its status is "" if the check was not made.
type mechanism struct {
	name, status string
	temporary    bool
}

func mechanisms(v *identity.Verdict) []mechanism {
	all := []mechanism{{name: "iprev"}, {name: "HELO"}, {name: "SPF of HELO"}, {name: "CSA"}, {name: "SPF of MAIL FROM"}, {name: "Null MX"}}
	set := func(i int, status fmt.Stringer, temporary bool) {
		all[i].status, all[i].temporary = status.String(), temporary
	}
	if r := v.IPRev; r != nil {
		set(0, r.Status, r.Status.Temporary())
	}
	if r := v.Helo; r != nil {
		set(1, r.Status, r.Status.Temporary())
	}
	if r := v.HeloSPF; r != nil {
		set(2, r.Status, r.Status.Temporary() || r.Degraded.Text != "")
	}
	if r := v.CSA; r != nil {
		set(3, r.Status, r.Status.Temporary())
	}
	if r := v.MailFromSPF; r != nil {
		set(4, r.Status, r.Status.Temporary() || r.Degraded.Text != "")
	}
	if r := v.NullMX; r != nil {
		set(5, r.Status, r.Status.Temporary())
	}
	return all
}

// worse returns how a verdict after a fault is not what property 3 of the design promises:
// the level and each status are the healthy ones or not known, and mail is refused, or
// taken without a doubt, only where it was.
func worse(healthy, got *identity.Verdict) (how []string) {
	if got.Level != healthy.Level && got.Level != identity.Undetermined {
		how = append(how, fmt.Sprintf("level %s, healthy %s", got.Level, healthy.Level))
	}
	for _, action := range []identity.Action{identity.Reject, identity.Accept} {
		if got.Advice.Action == action && healthy.Advice.Action != action {
			how = append(how, fmt.Sprintf("%s, healthy %s", got.Advice, healthy.Advice))
		}
	}
	for _, r := range got.Reasons {
		if !r.Temporary() && !healthy.Has(r) {
			how = append(how, fmt.Sprintf("%s, healthy %s", keywords(got.Reasons), keywords(healthy.Reasons)))
		}
	}
	was := mechanisms(healthy)
	for i, m := range mechanisms(got) {
		if m.status != was[i].status && !m.temporary && m.status != "" {
			how = append(how, fmt.Sprintf("%s %s, healthy %s", m.name, m.status, was[i].status))
		}
	}
	return how
}

// Faults at the interface of a Resolver, of one question and of two.
func TestVerifierFaults(t *testing.T) {
	type fault struct {
		question resolver.Question
		kind     dnsfake.Kind
	}
	start := time.Now()
	one, two := 0, 0
	for i, tt := range clients {
		fake := fakeClients(t)
		healthy := run(t, verifier(fake), tt.client, tt.helo, tt.sender)
		judge := func(faults ...fault) {
			var got *identity.Verdict
			synctest.Test(t, func(t *testing.T) {
				again := fakeClients(t)
				for _, f := range faults {
					again.Fail(f.question.Name, f.question.Type, f.kind)
				}
				got = run(t, verifier(again), tt.client, tt.helo, tt.sender)
			})
			for _, how := range worse(healthy, got) {
				t.Errorf("%s %s %s, %v: %s", tt.client, tt.helo, tt.sender, faults, how)
			}
			holdsVerdict(t, got)
		}
		questions, kinds := fake.Questions(), dnsfake.Kinds()
		for j, q := range questions {
			for _, kind := range kindsOf(kinds, i, j) {
				judge(fault{q, kind})
				one++
			}
			others := questions[j+1:]
			if !*allFaults {
				others = others[:min(1, len(others))]
			}
			for k, other := range others {
				for _, kind := range kindsOf(kinds, i, j+k) {
					judge(fault{q, kinds[(i+j+k)%len(kinds)]}, fault{other, kind})
					two++
				}
			}
		}
	}
	t.Logf("%d faults, %d pairs, %v", one, two, time.Since(start))
}

// A Resolver that calls runtime.Goexit is a temporary failure of each check.
func TestVerifierExits(t *testing.T) {
	exits := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		runtime.Goexit()
		panic("unreachable")
	})
	v := run(t, identity.Verifier{Resolver: exits, AllowPrivate: true}, "192.0.2.1", "mail.example.test", "a@example.test")
	for _, m := range mechanisms(v) {
		if !m.temporary {
			t.Errorf("%s: %s", m.name, m.status)
		}
	}
	if v.Level != identity.Undetermined {
		t.Errorf("level %s", v.Level)
	}
}

// A wireFault is what a server does in place of its answer, of which it has a copy.
type wireFault struct {
	name  string
	serve func(w dns.ResponseWriter, answer *dns.Msg)
}

// edited is a fault that changes the answer.
func edited(name string, edit func(m *dns.Msg)) wireFault {
	return wireFault{name, func(w dns.ResponseWriter, m *dns.Msg) {
		edit(m)
		_ = w.WriteMsg(m)
	}}
}

// bare is a fault that consists of a response code, bits and records.
func bare(name string, rcode int, aa, ra bool, records func(owner string) (answer, authority []dns.RR)) wireFault {
	return edited(name, func(m *dns.Msg) {
		m.Rcode, m.Authoritative, m.RecursionAvailable = rcode, aa, ra
		m.Answer, m.Ns = records(m.Question[0].Name)
	})
}

// cutBy is a fault that leaves out octets at the end.
func cutBy(name string, octets func(m *dns.Msg, raw []byte) int) wireFault {
	return wireFault{name, func(w dns.ResponseWriter, m *dns.Msg) {
		m.Extra = nil
		m.Answer = append(m.Answer, &dns.NULL{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNULL, Class: dns.ClassINET}, Data: "12345"})
		if raw, err := m.Pack(); err == nil {
			_, _ = w.Write(raw[:octets(m, raw)])
		}
	}}
}

func header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: 60}
}

func cname(owner, target string) dns.RR {
	return &dns.CNAME{Hdr: header(owner, dns.TypeCNAME), Target: target}
}

func nothing(string) (answer, authority []dns.RR) { return nil, nil }

// another moves the records of an answer, or an address if it has none, to another place.
func another(name string, move func(h *dns.RR_Header)) wireFault {
	return edited(name, func(m *dns.Msg) {
		if len(m.Answer) == 0 {
			m.Answer = []dns.RR{&dns.A{Hdr: header(m.Question[0].Name, dns.TypeA), A: net.IPv4(192, 0, 2, 66)}}
		}
		m.Rcode, m.Authoritative, m.RecursionAvailable, m.Ns = dns.RcodeSuccess, true, true, nil
		for i := range m.Answer {
			m.Answer[i] = dns.Copy(m.Answer[i])
			move(m.Answer[i].Header())
		}
	})
}

// over tells over which network a question came.
func over(w dns.ResponseWriter) string { return w.RemoteAddr().Network() }

var wireFaults = []wireFault{
	{"silence", func(dns.ResponseWriter, *dns.Msg) {}},
	{"garbage", func(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }},
	{"TCP closed", func(w dns.ResponseWriter, m *dns.Msg) {
		if over(w) == "tcp" {
			_ = w.Close()
			return
		}
		m.Truncated = true
		_ = w.WriteMsg(m)
	}},
	edited("truncated over UDP and TCP", func(m *dns.Msg) { m.Truncated = true }),
	edited("SERVFAIL", func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }),
	edited("REFUSED", func(m *dns.Msg) { m.Rcode = dns.RcodeRefused }),
	edited("FORMERR", func(m *dns.Msg) { m.Rcode = dns.RcodeFormatError }),
	edited("NOTIMP, a header alone", func(m *dns.Msg) {
		m.Rcode, m.Question, m.Answer, m.Ns, m.Extra = dns.RcodeNotImplemented, nil, nil, nil, nil
	}),
	edited("NOTAUTH", func(m *dns.Msg) { m.Rcode = dns.RcodeNotAuth }),
	edited("an unknown code", func(m *dns.Msg) { m.Rcode = 12 }),
	edited("wrong ID", func(m *dns.Msg) { m.Id++ }),
	edited("wrong question", func(m *dns.Msg) { m.Question[0].Name = "x." + m.Question[0].Name }),
	edited("wrong type", func(m *dns.Msg) { m.Question[0].Qtype++ }),
	edited("wrong class", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
	edited("not a response", func(m *dns.Msg) { m.Response = false }),
	edited("another opcode", func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
	cutBy("cut in a record", func(_ *dns.Msg, raw []byte) int { return len(raw) - 3 }),
	cutBy("cut between records", func(_ *dns.Msg, raw []byte) int { return len(raw) - 16 }),
	cutBy("cut behind the question", func(m *dns.Msg, _ []byte) int { return 12 + len(m.Question[0].Name) + 1 + 4 }),
	another("another owner", func(h *dns.RR_Header) { h.Name = "evil.example." }),
	another("an owner above", func(h *dns.RR_Header) { h.Name = "." }),
	another("an owner below", func(h *dns.RR_Header) { h.Name = "x." + h.Name }),
	another("class CH", func(h *dns.RR_Header) { h.Class = dns.ClassCHAOS }),
	another("class NONE", func(h *dns.RR_Header) { h.Class = dns.ClassNONE }),
	bare("empty", dns.RcodeSuccess, false, false, nothing),
	bare("NXDOMAIN alone", dns.RcodeNameError, false, false, nothing),
	bare("a referral", dns.RcodeSuccess, false, false, func(owner string) (answer, authority []dns.RR) {
		return nil, []dns.RR{&dns.NS{Hdr: header(owner, dns.TypeNS), Ns: "ns.example.test."}}
	}),
	bare("a referral handed on", dns.RcodeSuccess, false, true, func(string) (answer, authority []dns.RR) {
		return nil, []dns.RR{&dns.NS{Hdr: header(".", dns.TypeNS), Ns: "ns.example.test."}}
	}),
	bare("the SOA of another zone", dns.RcodeSuccess, false, false, func(string) (answer, authority []dns.RR) {
		return nil, []dns.RR{&dns.SOA{Hdr: header("evil.example.", dns.TypeSOA), Ns: ".", Mbox: "."}}
	}),
	bare("records of another type", dns.RcodeSuccess, true, true, func(owner string) (answer, authority []dns.RR) {
		return []dns.RR{&dns.HINFO{Hdr: header(owner, dns.TypeHINFO), Cpu: "a", Os: "b"}}, nil
	}),
	bare("NXDOMAIN with records", dns.RcodeNameError, true, true, func(owner string) (answer, authority []dns.RR) {
		return []dns.RR{&dns.HINFO{Hdr: header(owner, dns.TypeHINFO), Cpu: "a", Os: "b"}}, nil
	}),
	bare("an alias of itself", dns.RcodeSuccess, true, true, func(owner string) (answer, authority []dns.RR) {
		return []dns.RR{cname(owner, owner)}, nil
	}),
	bare("aliases in a circle", dns.RcodeSuccess, true, true, func(owner string) (answer, authority []dns.RR) {
		return []dns.RR{cname(owner, "circle.example.test."), cname("circle.example.test.", owner)}, nil
	}),
	bare("two aliases", dns.RcodeSuccess, true, true, func(owner string) (answer, authority []dns.RR) {
		return []dns.RR{cname(owner, "one.example.test."), cname(owner, "two.example.test.")}, nil
	}),
	bare("an alias out of all zones", dns.RcodeNameError, true, true, func(owner string) (answer, authority []dns.RR) {
		return []dns.RR{cname(owner, refusedName)}, nil
	}),
	bare("an alias of another name", dns.RcodeSuccess, true, true, func(string) (answer, authority []dns.RR) {
		return []dns.RR{cname("evil.example.", "smtp.example.test.")}, nil
	}),
	bare("a record without data", dns.RcodeSuccess, true, true, func(owner string) (answer, authority []dns.RR) {
		return []dns.RR{&dns.ANY{Hdr: header(owner, dns.TypeANY)}}, nil
	}),
}

// refusedName is a name about which a wireServer says nothing.
const refusedName = "refused.example."

// A wireServer answers from the zones of clients over UDP and TCP, with a fault at one
// question.
type wireServer struct {
	client *resolver.Client
	zones  *resolver.Zones
	shape  func(m *dns.Msg) // makes the answers of an authority those of another server

	mu    sync.Mutex
	at    resolver.Question
	fault *wireFault
	asked []resolver.Question
	met   int // questions that met the fault
}

// shapes are the servers that a Verifier may have.
var shapes = []func(m *dns.Msg){
	func(*dns.Msg) {},
	func(m *dns.Msg) { m.Authoritative, m.RecursionAvailable = false, true },
	func(m *dns.Msg) { m.Authoritative, m.RecursionAvailable, m.Ns = false, true, nil },
	func(m *dns.Msg) { m.Authoritative = len(m.Ns) == 0 },
}

func newWireServer(t *testing.T, zones *resolver.Zones, shape func(m *dns.Msg)) *wireServer {
	t.Helper()
	s := &wireServer{zones: zones, shape: shape}
	var packets net.PacketConn
	var listener net.Listener
	var err error
	for range 20 {
		if packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if listener, err = net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			break
		}
		packets.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: listener, Handler: s}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go server.ActivateAndServe()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	s.client = &resolver.Client{
		Servers: []netip.AddrPort{packets.LocalAddr().(*net.UDPAddr).AddrPort()},
		Rounds:  1, ReuseSockets: true,
	}
	t.Cleanup(s.client.Close)
	return s
}

// ServeDNS implements dns.Handler.
func (s *wireServer) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	q := resolver.Question{Name: r.Question[0].Name, Type: r.Question[0].Qtype}
	s.mu.Lock()
	fault := s.fault
	if q != s.at {
		fault = nil
	}
	if s.asked = append(s.asked, q); fault != nil {
		s.met++
	}
	s.mu.Unlock()
	if q.Name == refusedName {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeRefused))
		return
	}
	answer := &kept{ResponseWriter: w}
	s.zones.ServeDNS(answer, r)
	s.shape(answer.msg)
	if fault != nil {
		fault.serve(w, answer.msg)
		return
	}
	_ = w.WriteMsg(answer.msg)
}

// kept is an answer that is not sent yet.
type kept struct {
	dns.ResponseWriter
	msg *dns.Msg
}

func (k *kept) WriteMsg(m *dns.Msg) error {
	k.msg = m
	return nil
}

// judge runs a client against the server with a fault at a question, nil for none.
func (s *wireServer) judge(t *testing.T, i int, at resolver.Question, fault *wireFault) (v *identity.Verdict, asked []resolver.Question, met int) {
	s.mu.Lock()
	s.at, s.fault, s.asked, s.met = at, fault, nil, 0
	s.mu.Unlock()
	verifier := verifier(nil)
	verifier.Resolver = s.client
	v = run(t, verifier, clients[i].client, clients[i].helo, clients[i].sender)
	s.mu.Lock()
	defer s.mu.Unlock()
	return v, s.asked, s.met
}

// Faults on the wire, between a real Client and a server on the loopback.
func TestVerifierFaultsOnTheWire(t *testing.T) {
	start := time.Now()
	zones, err := resolver.ParseZones(clientZones)
	if err != nil {
		t.Fatal(err)
	}
	var servers []*wireServer
	for i := range 24 {
		servers = append(servers, newWireServer(t, zones, shapes[i%len(shapes)]))
	}
	healthy := make([]*identity.Verdict, len(clients))
	questions := make([][]resolver.Question, len(clients))
	inParallel(servers, len(clients), func(s *wireServer, i int) {
		healthy[i] = run(t, verifier(fakeClients(t)), clients[i].client, clients[i].helo, clients[i].sender)
		var got *identity.Verdict
		got, questions[i], _ = s.judge(t, i, resolver.Question{}, nil)
		if !slices.Equal(mechanisms(healthy[i]), mechanisms(got)) || got.Level != healthy[i].Level {
			t.Errorf("%v: over the wire %s %v, at the interface %s %v", clients[i], got.Level, mechanisms(got), healthy[i].Level, mechanisms(healthy[i]))
		}
	})
	for _, s := range servers {
		s.client.TryTimeout = 60 * time.Millisecond // a healthy answer that is later is a fault like any other
	}

	type fault struct {
		client int
		at     resolver.Question
		kind   wireFault
	}
	var faults []fault
	judged := 0
	for i := range clients {
		if len(questions[i]) > 0 {
			judged++
		}
		for j, q := range questions[i] {
			for _, kind := range kindsOf(wireFaults, i, j) {
				faults = append(faults, fault{i, q, kind})
			}
		}
	}
	var met, unharmed atomic.Int32
	inParallel(servers, len(faults), func(s *wireServer, i int) {
		f := faults[i]
		got, _, n := s.judge(t, f.client, f.at, &f.kind)
		if n > 0 {
			met.Add(1)
		}
		if got.Level == healthy[f.client].Level {
			unharmed.Add(1)
		}
		for _, how := range worse(healthy[f.client], got) {
			t.Errorf("%v, %s %s: %s", clients[f.client], f.at, f.kind.name, how)
		}
		holdsVerdict(t, got)
	})
	t.Logf("%d kinds of faults, %d clients, %d faults, %d of them met, %d with the healthy level, %v",
		len(wireFaults), judged, len(faults), met.Load(), unharmed.Load(), time.Since(start))
	if judged < 40 {
		t.Error("expected 40 clients at least")
	}
}

// inParallel does n jobs, as many at once as there are servers.
func inParallel(servers []*wireServer, n int, job func(s *wireServer, i int)) {
	var next atomic.Int32
	var working sync.WaitGroup
	for _, s := range servers {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				job(s, i)
			}
		})
	}
	working.Wait()
}
