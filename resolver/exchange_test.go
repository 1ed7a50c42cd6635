package resolver_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// The question on the wire: what is asked and with which options.
func TestClientQuestion(t *testing.T) {
	for _, trust := range []bool{false, true} {
		queries := make(chan *dns.Msg, 2)
		c := resolver.Client{TrustAD: trust}
		c.Servers = []netip.AddrPort{startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			queries <- r
			m := say(r, dns.RcodeSuccess, r.Question[0].Name+" 300 IN A 192.0.2.10")
			m.AuthenticatedData = true
			return m
		})}
		a, err := c.Lookup(t.Context(), "WWW.bücher.example", dns.TypeA)
		if err != nil {
			t.Fatal(err)
		}
		q := <-queries
		if q.Question[0].Name != "www.xn--bcher-kva.example." || q.Question[0].Qclass != dns.ClassINET {
			t.Errorf("asked %v", q.Question)
		}
		opt := q.IsEdns0()
		if opt == nil || opt.UDPSize() != 1232 || opt.Do() || !q.RecursionDesired || q.CheckingDisabled {
			t.Errorf("query = %v", q)
		}
		if q.AuthenticatedData != trust || a.Authentic != trust {
			t.Errorf("TrustAD %v: asked with AD %v, Authentic %v", trust, q.AuthenticatedData, a.Authentic)
		}
	}
}

// Each question has its own ID and source port.
func TestClientUnpredictable(t *testing.T) {
	const n = 20
	ids, ports := make(map[uint16]bool), make(map[string]bool)
	var mu sync.Mutex
	c := resolver.Client{}
	c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		ids[r.Id], ports[w.RemoteAddr().String()] = true, true
		return say(r, dns.RcodeSuccess, www)
	})}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	// A kernel may give the same port again, but not every time.
	if len(ids) < n-2 || len(ports) < n/2 {
		t.Errorf("%d questions with %d IDs from %d ports", n, len(ids), len(ports))
	}
}

// What is no answer to the question is ignored until the answer comes.
func TestClientIgnoresForgeries(t *testing.T) {
	forged := "www.example.test. 300 IN A 192.0.2.66"
	for name, forge := range map[string]func(m *dns.Msg){
		"another ID":       func(m *dns.Msg) { m.Id++ },
		"no response":      func(m *dns.Msg) { m.Response = false },
		"another opcode":   func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"another name":     func(m *dns.Msg) { m.Question[0].Name = "evil.example." },
		"another type":     func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		"another class":    func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"no question":      func(m *dns.Msg) { m.Question = nil },
		"two questions":    func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"TC of another ID": func(m *dns.Msg) { m.Id++; m.Truncated = true },
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				m := say(r, dns.RcodeSuccess, forged)
				forge(m)
				_ = w.WriteMsg(m)
				return say(r, dns.RcodeSuccess, www)
			})
			a, err := ask(t, server)
			if diff := cmp.Diff([]string{www}, texts(a.Records)); err != nil || diff != "" {
				t.Errorf("error %v, records (-want +got)\n%s", err, diff)
			}
		})
	}
}

// A server may give the question's name back in another case (RFC 4343). Its type
// has none, though 65 and 97 are the letters A and a.
func TestClientQuestionInAnotherCase(t *testing.T) {
	const asked, other = 97, 65
	c := resolver.Client{Rounds: 1}
	c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		m := say(r, dns.RcodeNameError)
		m.Question[0].Qtype = other
		_ = w.WriteMsg(m)
		m = say(r, dns.RcodeSuccess, soa)
		m.Question[0] = dns.Question{Name: "WWW.Example.TEST.", Qtype: asked, Qclass: dns.ClassINET}
		return m
	})}
	a, err := c.Lookup(t.Context(), "www.example.test.", asked)
	if err != nil || a.Status != resolver.NoError {
		t.Errorf("%v, error %v", a, err)
	}
}

// corrupt returns messages that do not parse, though they start as the answer.
func corrupt(r *dns.Msg) map[string][]byte {
	m := say(r, dns.RcodeSuccess, "www.example.test. 300 IN A 192.0.2.66", "www.example.test. 300 IN A 192.0.2.67")
	whole, err := m.Pack()
	if err != nil {
		panic(err)
	}
	third := slices.Clone(whole)
	binary.BigEndian.PutUint16(third[6:], 3)
	const record = len(".www.example.test.") + 2 + 2 + 4 + 2 + 4
	empty := slices.Clone(whole[:len(whole)-4]) // the last record without its address
	binary.BigEndian.PutUint16(empty[len(empty)-2:], 0)
	return map[string][]byte{
		"nothing":                    {},
		"garbage":                    []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"a header only":              whole[:12],
		"cut in a record":            whole[:len(whole)-2],
		"cut between records":        whole[:len(whole)-record],
		"fewer records than it says": third,
		"an address without data":    empty,
	}
}

func TestClientIgnoresGarbage(t *testing.T) {
	for name := range corrupt(new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA)) {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				if _, err := w.Write(corrupt(r)[name]); err != nil {
					t.Error(err)
				}
				return say(r, dns.RcodeSuccess, www)
			})
			a, err := ask(t, server)
			if diff := cmp.Diff([]string{www}, texts(a.Records)); err != nil || diff != "" {
				t.Errorf("error %v, records (-want +got)\n%s", err, diff)
			}
		})
	}
}

// Over TCP nobody else speaks: a bad message is a failure at once.
func TestClientGarbageOverTCP(t *testing.T) {
	for name := range corrupt(new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA)) {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				if overTCP(w) {
					if _, err := w.Write(corrupt(r)[name]); err != nil {
						t.Error(err)
					}
					return nil
				}
				m := say(r, dns.RcodeSuccess)
				m.Truncated = true
				return m
			})
			_, err := ask(t, server)
			if e := failure(t, err); !errors.Is(err, resolver.ErrMalformed) || e.Timeout() {
				t.Errorf("error %v, want ErrMalformed", err)
			}
		})
	}
}

func TestClientSaysWhatItIgnored(t *testing.T) {
	c := resolver.Client{Rounds: 1, TryTimeout: 200 * time.Millisecond}
	c.Servers = []netip.AddrPort{startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		m := say(r, dns.RcodeSuccess, www)
		m.Id++
		return m
	})}
	_, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
	want := "lookup www.example.test. A: udp: i/o timeout, 1 messages ignored, the last: the answer is malformed: another ID (" + c.Servers[0].String() + ")"
	if e := failure(t, err); e.Error() != want || !e.Timeout() || !errors.Is(err, resolver.ErrMalformed) {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

func TestClientTruncation(t *testing.T) {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("www.example.test. 300 IN TXT %q", fmt.Sprintf("%02d %s", i, strings.Repeat("x", 200))))
	}
	for name, cut := range map[string]func(w dns.ResponseWriter, r *dns.Msg){
		"whole records": func(w dns.ResponseWriter, r *dns.Msg) { m := say(r, 0, lines...); m.Truncate(1232); _ = w.WriteMsg(m) },
		"within a record": func(w dns.ResponseWriter, r *dns.Msg) {
			m := say(r, 0, lines[:6]...)
			m.Truncated = true
			raw, err := m.Pack()
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(raw[:1000])
		},
		"failure": func(w dns.ResponseWriter, r *dns.Msg) {
			m := say(r, dns.RcodeServerFailure)
			m.Truncated = true
			_ = w.WriteMsg(m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := resolver.Client{}
			c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				if overTCP(w) {
					return say(r, dns.RcodeSuccess, lines...)
				}
				cut(w, r)
				return nil
			})}
			a, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeTXT)
			if err != nil || len(a.Records) != 40 {
				t.Errorf("%d records, error %v", len(a.Records), err)
			}
		})
	}

	t.Run("over TCP too", func(t *testing.T) {
		server := startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			m := say(r, dns.RcodeSuccess, www)
			m.Truncated = true
			return m
		})
		if _, err := ask(t, server); !errors.Is(err, resolver.ErrMalformed) {
			t.Errorf("error %v, want ErrMalformed", err)
		}
	})
	t.Run("hung up", func(t *testing.T) {
		server := startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			if overTCP(w) {
				w.Close()
				return nil
			}
			m := say(r, dns.RcodeSuccess, www)
			m.Truncated = true
			return m
		})
		if _, err := ask(t, server); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("error %v, want EOF", err)
		}
	})
}

func TestClientWithoutEDNS(t *testing.T) {
	for _, rcode := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers} {
		t.Run(dns.RcodeToString[rcode], func(t *testing.T) {
			server := startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				if r.IsEdns0() == nil {
					return say(r, dns.RcodeSuccess, www)
				}
				m := say(r, rcode)
				if rcode > 15 {
					m.SetEdns0(1232, false)
				} else {
					m.Question = nil // the old servers that do so give the header alone
				}
				return m
			})
			if a, err := ask(t, server); err != nil || len(a.Records) != 1 {
				t.Errorf("%v, error %v", a, err)
			}
		})
	}
	t.Run("no help", func(t *testing.T) {
		var asked atomic.Int32
		_, err := ask(t, startServer(t, counted(&asked, always(dns.RcodeFormatError))))
		if e := failure(t, err); e.RCode != dns.RcodeFormatError || asked.Load() != 2 {
			t.Errorf("asked %d times, error %v", asked.Load(), err)
		}
	})
}
