package resolver_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

const apex = "example.test. 900 IN SOA ns.example.test. hostmaster.example.test. 1 7200 3600 1209600 600"

// collect reads a transfer to its end.
func collect(transfer iter.Seq2[dns.RR, error]) (records []dns.RR, err error) {
	for rr, e := range transfer {
		if err != nil {
			panic("a pair after the error")
		}
		if (rr == nil) == (e == nil) {
			panic("neither record nor error, or both")
		}
		if e != nil {
			err = e
			continue
		}
		records = append(records, rr)
	}
	return records, err
}

// secondary serves a zone as the messages of a transfer, each a list of records.
// What it then has of the connection is for after.
func secondary(t *testing.T, messages [][]string, edit func(i int, m *dns.Msg), after func(net.Conn)) netip.AddrPort {
	t.Helper()
	return startTCP(t, func(conn net.Conn) {
		wire := &dns.Conn{Conn: conn}
		query, err := wire.ReadMsg()
		if err != nil {
			return
		}
		if q := query.Question[0]; q.Name != "example.test." || q.Qtype != dns.TypeAXFR || q.Qclass != dns.ClassINET {
			t.Errorf("asked %v", query)
		}
		for i, lines := range messages {
			m := say(query, dns.RcodeSuccess, lines...)
			if edit != nil {
				edit(i, m)
			}
			if err := wire.WriteMsg(m); err != nil {
				return
			}
		}
		if after != nil {
			after(conn)
		}
	})
}

// untilClosed waits for the other side to close.
func untilClosed(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// A zone of many messages arrives whole and in order, over miekg's server.
func TestTransfer(t *testing.T) {
	const n = 10_000
	server := startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		envelopes := make(chan *dns.Envelope)
		go func() {
			defer close(envelopes)
			batch := []dns.RR{rr(apex)}
			for i := range n {
				batch = append(batch, rr(fmt.Sprintf("h%d.example.test. 300 IN A 192.0.2.10", i)))
				if len(batch) == 500 {
					envelopes <- &dns.Envelope{RR: batch}
					batch = nil
				}
			}
			envelopes <- &dns.Envelope{RR: append(batch, rr(apex))}
		}()
		if err := new(dns.Transfer).Out(w, r, envelopes); err != nil {
			t.Error(err)
		}
		return nil
	})
	transfer := resolver.Transfer(t.Context(), server, "Example.TEST")
	for range 2 { // each loop is a transfer
		records, err := collect(transfer)
		if err != nil || len(records) != n+1 {
			t.Fatalf("%d records, error %v", len(records), err)
		}
		if records[0].Header().Rrtype != dns.TypeSOA || records[n].Header().Name != fmt.Sprintf("h%d.example.test.", n-1) {
			t.Errorf("from %v\nto   %v", records[0], records[n])
		}
	}
}

// Messages as RFC 5936 allows them.
func TestTransferMessages(t *testing.T) {
	const ns, mail, child = "example.test. 900 IN NS ns.example.test.", "MAIL.example.test. 300 IN A 192.0.2.10", `a\.b.example.test. 300 IN TXT "x"`
	for name, messages := range map[string][][]string{
		"one":              {{apex, ns, mail, child, apex}},
		"a record each":    {{apex}, {ns}, {mail}, {child}, {apex}},
		"the SOA spelt so": {{apex, ns, mail}, {child, strings.ToUpper(apex)}},
	} {
		for _, question := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, question %v", name, question), func(t *testing.T) {
				server := secondary(t, messages, func(i int, m *dns.Msg) {
					if i > 0 && !question {
						m.Question = nil
					}
				}, untilClosed)
				records, err := collect(resolver.Transfer(t.Context(), server, "example.test."))
				if diff := cmp.Diff([]string{apex, ns, mail, child}, texts(records)); err != nil || diff != "" {
					t.Errorf("error %v (-want +got)\n%s", err, diff)
				}
			})
		}
	}
}

// What is no transfer of the zone ends in an error, never silently.
func TestTransferFaults(t *testing.T) {
	const mail = "mail.example.test. 300 IN A 192.0.2.10"
	whole := [][]string{{apex, mail}, {mail, apex}}
	second := func(edit func(m *dns.Msg)) func(int, *dns.Msg) {
		return func(i int, m *dns.Msg) {
			if i == 1 {
				edit(m)
			}
		}
	}
	refuse := func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeRefused, nil }
	for _, tt := range []struct {
		name     string
		messages [][]string // whole
		edit     func(i int, m *dns.Msg)
		after    func(net.Conn)
		records  int // before the error
		err      error
		rcode    int
		text     string // in the error
	}{
		{name: "refused", messages: [][]string{{}}, edit: func(_ int, m *dns.Msg) { refuse(m) }, rcode: dns.RcodeRefused},
		{name: "refused by a header", messages: [][]string{{}}, edit: func(_ int, m *dns.Msg) { refuse(m); m.Question = nil }, rcode: dns.RcodeRefused},
		{name: "failed half-way", edit: second(refuse), records: 2, rcode: dns.RcodeRefused},
		{name: "hung up at once", messages: [][]string{}, err: io.ErrUnexpectedEOF},
		{name: "hung up between messages", messages: [][]string{{apex, mail}, {mail}}, records: 3, err: io.ErrUnexpectedEOF},
		{name: "hung up in a message", messages: [][]string{{apex, mail}}, records: 2, err: io.ErrUnexpectedEOF,
			after: func(conn net.Conn) { _, _ = conn.Write([]byte{1, 0, 0}) }},
		{name: "another ID", edit: second(func(m *dns.Msg) { m.Id++ }), records: 2, err: resolver.ErrMalformed, text: "another ID"},
		{name: "another question", edit: second(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeIXFR }), records: 2,
			err: resolver.ErrMalformed, text: "another question"},
		{name: "no question", edit: func(_ int, m *dns.Msg) { m.Question = nil }, err: resolver.ErrMalformed, text: "not one question"},
		{name: "not a response", edit: second(func(m *dns.Msg) { m.Response = false }), records: 2, err: resolver.ErrMalformed},
		{name: "truncated", edit: second(func(m *dns.Msg) { m.Truncated = true }), records: 2, err: resolver.ErrMalformed, text: "truncated"},
		{name: "nothing in a message", messages: [][]string{{apex}, {}, {apex}}, records: 1, err: resolver.ErrMalformed, text: "without records"},
		{name: "no SOA first", messages: [][]string{{mail, apex, apex}}, err: resolver.ErrMalformed, text: "mail.example.test. A before the SOA"},
		{name: "another SOA last", messages: [][]string{{apex, mail}, {strings.Replace(apex, " 1 ", " 2 ", 1)}}, records: 2,
			err: resolver.ErrMalformed, text: "another SOA"},
		{name: "a SOA within", messages: [][]string{{apex, "sub." + apex, apex}}, records: 1,
			err: resolver.ErrMalformed, text: "sub.example.test. SOA within the zone"},
		{name: "records after the end", messages: [][]string{{apex, mail, apex, mail}}, records: 2, err: resolver.ErrMalformed, text: "after the end"},
		{name: "another zone's SOA", messages: [][]string{{"other.test. 1 IN SOA a. b. 1 2 3 4 5"}}, err: resolver.ErrMalformed, text: "other.test. SOA of another"},
		{name: "another zone's record", messages: [][]string{{apex, "mail.notexample.test. 1 IN A 192.0.2.66", apex}}, records: 1,
			err: resolver.ErrMalformed, text: "of another zone"},
		{name: "another class", messages: [][]string{{apex, "mail.example.test. 1 CH A 192.0.2.66", apex}}, records: 1, err: resolver.ErrMalformed},
		{name: "garbage", messages: [][]string{{apex}}, records: 1, err: resolver.ErrMalformed, text: "no header",
			after: func(conn net.Conn) { _, _ = conn.Write([]byte("\x00\x05hello")) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.messages == nil {
				tt.messages = whole
			}
			server := secondary(t, tt.messages, tt.edit, tt.after)
			records, err := collect(resolver.Transfer(t.Context(), server, "example.test"))
			e := failure(t, err)
			if tt.err != nil && !errors.Is(err, tt.err) || e.RCode != tt.rcode || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("error %v, want %v, rcode %d, %q", err, tt.err, tt.rcode, tt.text)
			}
			if e.Name != "example.test." || e.Type != dns.TypeAXFR || e.Server != server.String() {
				t.Errorf("error %#v", e)
			}
			if len(records) != tt.records {
				t.Errorf("%d records, want %d", len(records), tt.records)
			}
		})
	}
	t.Run("cut within a record", func(t *testing.T) {
		server := startTCP(t, func(conn net.Conn) {
			query, err := (&dns.Conn{Conn: conn}).ReadMsg()
			if err != nil {
				return
			}
			raw, _ := say(query, dns.RcodeSuccess, apex, mail).Pack()
			raw = raw[:len(raw)-2]
			_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...))
		})
		records, err := collect(resolver.Transfer(t.Context(), server, "example.test"))
		if len(records) > 0 || !errors.Is(err, resolver.ErrMalformed) {
			t.Errorf("%v, error %v", records, err)
		}
	})
}

func TestTransferNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		server netip.AddrPort
		zone   string
		want   error
	}{
		"no name":        {netip.MustParseAddrPort("127.0.0.1:53"), "a..b", resolver.ErrName},
		"no server":      {netip.AddrPort{}, "example.test", resolver.ErrNoServer},
		"nobody listens": {closedPort(t), "example.test", syscall.ECONNREFUSED},
	} {
		records, err := collect(resolver.Transfer(t.Context(), tt.server, tt.zone))
		if e := failure(t, err); len(records) > 0 || !errors.Is(err, tt.want) || !strings.HasPrefix(e.Error(), "lookup "+tt.zone) {
			t.Errorf("%s: %v, error %v", name, records, err)
		}
	}
}

// A loop that breaks closes the connection; the server notices.
func TestTransferBreak(t *testing.T) {
	closed := make(chan struct{})
	server := secondary(t, [][]string{{apex, "a.example.test. 1 IN A 192.0.2.1"}}, nil, func(conn net.Conn) {
		untilClosed(conn)
		close(closed)
	})
	for range resolver.Transfer(t.Context(), server, "example.test") {
		break
	}
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("the connection is still open")
	}
}

// A context ends a transfer at once: while the server is silent, and while the
// records of a message are looked at.
func TestTransferContext(t *testing.T) {
	const a, b = "a.example.test. 1 IN A 192.0.2.1", "b.example.test. 1 IN A 192.0.2.1"
	sulk := errors.New("the peer hung up")
	server := secondary(t, [][]string{{apex, a, b}}, nil, untilClosed)
	for _, early := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		var canceled time.Time
		stop := func() {
			canceled = time.Now()
			cancel(sulk)
		}
		n := 0
		var last error
		for _, err := range resolver.Transfer(ctx, server, "example.test") {
			n++
			last = err
			switch {
			case early && n == 2:
				stop()
			case !early && n == 3:
				time.AfterFunc(50*time.Millisecond, stop)
			}
		}
		if d := time.Since(canceled); d > time.Second {
			t.Errorf("returned %v after cancel", d)
		}
		want := 4
		if early {
			want = 3
		}
		if n != want || !errors.Is(last, context.Canceled) || !errors.Is(last, sulk) {
			t.Errorf("early %v: %d pairs, the last error %v", early, n, last)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if records, err := collect(resolver.Transfer(ctx, server, "example.test")); len(records) > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, error %v", records, err)
	}
}

// A server may take its time for the zone, not for a message.
func TestTransferSilence(t *testing.T) {
	const silence = 600 * time.Millisecond
	slow := func(i int, _ *dns.Msg) {
		if i > 0 {
			time.Sleep(silence / 3)
		}
	}
	server := secondary(t, [][]string{{apex}, {www}, {www}, {www}, {apex}}, slow, nil)
	if records, err := collect(resolver.TransferWithin(t.Context(), silence, server, "example.test")); err != nil || len(records) != 4 {
		t.Errorf("%v, error %v", records, err)
	}
	server = secondary(t, [][]string{{apex}, {www}}, nil, untilClosed)
	start := time.Now()
	records, err := collect(resolver.TransferWithin(t.Context(), silence, server, "example.test"))
	if e := failure(t, err); len(records) != 2 || !e.Timeout() {
		t.Errorf("%v, error %v", records, err)
	}
	if d := time.Since(start); d < silence || d > 3*silence {
		t.Errorf("took %v", d)
	}
}
