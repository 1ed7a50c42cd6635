package dnsfake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// A Server answers over UDP and TCP what its Fake would answer, with the Fake's faults, delays
// and log. Make one with [Fake.Serve], and close it.
//
// A query with the RD bit, as stub resolvers send it, gets the answer of a resolver: aliases
// are followed across zones, and loops and delegations are SERVFAIL. Other queries get the
// authoritative answer of resolver.Zones.ServeDNS. A name outside every zone is REFUSED.
//
// A Server does not work under testing/synctest, because it opens sockets and starts
// goroutines: see [Fake.Exchange].
type Server struct {
	// Addr is the address and port, the same for UDP and TCP.
	Addr netip.AddrPort

	fake    *Fake
	ctx     context.Context // ends what waits when the Server closes
	cancel  context.CancelFunc
	servers []*dns.Server
	ended   sync.WaitGroup
}

// Serve starts a Server on a free port of 127.0.0.1.
func (f *Fake) Serve() (*Server, error) { return f.ServeAt(netip.MustParseAddrPort("127.0.0.1:0")) }

// portTries is how many free UDP ports are tried for one that is free for TCP.
const portTries = 20

// ServeAt starts a Server at an address and port. Port 0 means a free one.
func (f *Fake) ServeAt(addr netip.AddrPort) (*Server, error) {
	if !addr.IsValid() { // package net would listen on every address
		return nil, errors.New("dnsfake: ServeAt: no address: expected an address and a port")
	}
	packets, listener, err := listen(addr)
	for range portTries {
		if err == nil || addr.Port() != 0 {
			break
		}
		packets, listener, err = listen(addr)
	}
	if err != nil {
		return nil, fmt.Errorf("dnsfake: %w", err)
	}
	s := &Server{Addr: listener.Addr().(*net.TCPAddr).AddrPort(), fake: f}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.start(&dns.Server{PacketConn: packets})
	s.start(&dns.Server{Listener: listener})
	return s, nil
}

// listen opens the same port over UDP and TCP.
func listen(addr netip.AddrPort) (net.PacketConn, net.Listener, error) {
	packets, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, nil, err
	}
	port := packets.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr.Addr(), port)))
	if err != nil {
		packets.Close()
		return nil, nil, err
	}
	return packets, listener, nil
}

// start returns when the server takes questions: before, it could not be stopped.
func (s *Server) start(server *dns.Server) {
	s.servers = append(s.servers, server)
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	server.Handler = dns.HandlerFunc(s.serve)
	// Questions of any kind are the Fake's to refuse, not miekg's.
	server.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }
	s.ended.Go(func() {
		// Its end is Close, or the death of a socket, which its clients notice.
		_ = server.ActivateAndServe()
	})
	<-started
}

// Close stops the Server and waits until its goroutines have ended. Questions that wait for a
// Delay get no answer. A second call does nothing.
func (s *Server) Close() error {
	s.cancel()
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Shutdown())
	}
	s.servers = nil
	s.ended.Wait()
	return errors.Join(errs...)
}

// serve answers one message.
func (s *Server) serve(w dns.ResponseWriter, r *dns.Msg) { s.fake.serve(s.ctx, w, r) }

// serve answers one message, of a Server or of Exchange. Without an answer it writes nothing.
func (f *Fake) serve(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) {
	q, ok := questionOf(r)
	if !ok {
		f.current().ServeDNS(w, r)
		return
	}
	zones, delay, fault := f.ask(q)
	if wait(ctx, delay) != nil {
		return
	}
	opt := r.IsEdns0()
	out := &reply{w, f, q, r.AuthenticatedData || opt != nil && opt.Do()}
	switch {
	case fault.kind.denies():
		fault.deny(ctx, zones, q, out, r)
	case fault.kind != 0:
		fault.serve(w, r)
	case r.RecursionDesired:
		resolve(ctx, zones, q, out, r)
	default:
		zones.ServeDNS(out, r)
	}
}

// questionOf returns what a message asks, if it is what a Fake is asked: zones
// refuse transfers and other classes by themselves.
func questionOf(r *dns.Msg) (resolver.Question, bool) {
	if len(r.Question) != 1 || r.Opcode != dns.OpcodeQuery || r.Question[0].Qclass != dns.ClassINET {
		return resolver.Question{}, false
	}
	qtype := r.Question[0].Qtype
	canonical, err := resolver.Canonical(r.Question[0].Name)
	return resolver.Question{Name: canonical, Type: qtype}, err == nil && qtype != dns.TypeAXFR && qtype != dns.TypeIXFR
}

// current returns the zones as they are.
func (f *Fake) current() *resolver.Zones {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.zones
}

// A reply sees the message that answers a question before it goes out.
type reply struct {
	dns.ResponseWriter
	fake     *Fake
	question resolver.Question
	trusting bool // whether the client wants to know what was validated
}

// WriteMsg notes a question that strayed, and sets AD as a validating resolver
// does for those who ask for it (RFC 6840, Sections 5.7 and 5.8).
func (r *reply) WriteMsg(m *dns.Msg) error {
	if m.Rcode == dns.RcodeRefused {
		r.fake.noteOutside(&resolver.Error{Name: r.question.Name, Type: r.question.Type, Err: fmt.Errorf("%w: %s", resolver.ErrNoZone, r.question.Name)})
	}
	told := m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError
	m.AuthenticatedData = r.trusting && told && r.fake.restsOnAuthentic(r.question.Name, m.Answer)
	return r.ResponseWriter.WriteMsg(m)
}

// serve does to a client what the fault says. An error of writing means that the
// client went away.
func (f *Fault) serve(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(r)
	switch f.kind {
	case Timeout:
		return
	case Network:
		_ = w.Close()
		return
	case Garbage:
		_, _ = w.Write([]byte("garbage"))
		return
	case Truncated:
		m.Truncated = true
	case Forged:
		// The right ID: a forger on the path has it, and one elsewhere can guess it.
		m.Question = []dns.Question{{Name: "forged.invalid.", Qtype: r.Question[0].Qtype, Qclass: dns.ClassINET}}
	default:
		m.Rcode = rcodes[f.kind]
		f.addExtended(m, r.IsEdns0())
	}
	_ = w.WriteMsg(m)
}

// addExtended adds the extended errors if the client has room for them: only clients with
// EDNS have (RFC 8914, Section 2).
func (f *Fault) addExtended(m *dns.Msg, asked *dns.OPT) {
	if asked == nil || len(f.extended) == 0 {
		return
	}
	opt := m.IsEdns0()
	if opt == nil {
		opt = m.SetEdns0(asked.UDPSize(), asked.Do()).IsEdns0()
	}
	for _, e := range f.extended {
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: e.Code, ExtraText: e.Text})
	}
}
