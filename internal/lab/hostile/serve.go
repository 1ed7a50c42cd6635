package hostile

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// Serve answers from r over UDP and TCP on the loopback until the test ends: by UDP always
// truncated, by TCP with as many of the records as a message holds.
func Serve(t testing.TB, r resolver.Resolver) netip.AddrPort {
	t.Helper()
	var packed sync.Map // the messages over TCP, by their questions
	answer := func(w dns.ResponseWriter, q *dns.Msg) {
		if w.LocalAddr().Network() == "udp" {
			reply := new(dns.Msg).SetReply(q)
			reply.Authoritative, reply.Truncated = true, true
			w.WriteMsg(reply)
			return
		}
		wire, known := packed.Load(q.Question[0])
		if !known {
			wire = pack(r, q)
			packed.Store(q.Question[0], wire)
		}
		message := slices.Clone(wire.([]byte))
		binary.BigEndian.PutUint16(message, q.Id)
		w.Write(message)
	}
	tcp := &dns.Server{Addr: "127.0.0.1:0", Net: "tcp", Handler: dns.HandlerFunc(answer)}
	start(t, tcp)
	udp := &dns.Server{Addr: tcp.Listener.Addr().String(), Net: "udp", Handler: dns.HandlerFunc(answer)}
	start(t, udp)
	return netip.MustParseAddrPort(tcp.Listener.Addr().String())
}

// pack returns the answer to a question as a message.
func pack(r resolver.Resolver, q *dns.Msg) []byte {
	reply := new(dns.Msg).SetReply(q)
	reply.Authoritative, reply.Compress = true, true
	a := resolver.Ask(context.Background(), r, q.Question[0].Name, q.Question[0].Qtype)
	if a.Err != nil {
		reply.Rcode = dns.RcodeServerFailure
	}
	reply.Answer = fitting(reply, a.Records)
	wire, err := reply.Pack()
	if err != nil {
		panic(err)
	}
	return wire
}

// fitting returns as many of the records as a message holds.
func fitting(reply *dns.Msg, records []dns.RR) []dns.RR {
	least, most := 0, len(records)
	for least < most {
		middle := (least + most + 1) / 2
		reply.Answer = records[:middle]
		if reply.Len() <= dns.MaxMsgSize-1 {
			least = middle
		} else {
			most = middle - 1
		}
	}
	return records[:least]
}

func start(t testing.TB, s *dns.Server) {
	t.Helper()
	started, done := make(chan struct{}), make(chan error, 1)
	s.NotifyStartedFunc = func() { close(started) }
	go func() { done <- s.ListenAndServe() }()
	select {
	case <-started:
	case err := <-done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		<-done
	})
}
