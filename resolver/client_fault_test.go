package resolver_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/bonafide-mta/bonafide/resolver"
)

const forged = "www.example.test. 300 IN A 192.0.2.66"

// modes runs a test with a new socket for each question and with reused ones.
func modes(t *testing.T, test func(t *testing.T, c *resolver.Client)) {
	for _, reuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("ReuseSockets=%v", reuse), func(t *testing.T) {
			c := &resolver.Client{ReuseSockets: reuse}
			t.Cleanup(c.Close)
			test(t, c)
		})
	}
}

// wantWWW asserts that a client gets the one right record.
func wantWWW(t *testing.T, c *resolver.Client) {
	t.Helper()
	a, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
	if diff := gocmp.Diff([]string{www}, texts(a.Records)); err != nil || diff != "" {
		t.Errorf("error %v, records (-want +got)\n%s", err, diff)
	}
}

// What others than the server send, with all else right, does not arrive.
func TestClientIgnoresOtherSenders(t *testing.T) {
	modes(t, func(t *testing.T, c *resolver.Client) {
		c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			other, err := net.Dial("udp", w.RemoteAddr().String())
			if err != nil {
				t.Error(err)
				return nil
			}
			defer other.Close()
			raw, err := say(r, dns.RcodeSuccess, forged).Pack()
			if err != nil {
				t.Error(err)
			}
			_, _ = other.Write(raw)
			return say(r, dns.RcodeSuccess, www)
		})}
		wantWWW(t, c)
		wantWWW(t, c)
	})
}

// An answer that comes after its try is not taken for that of the next one.
func TestClientIgnoresLateAnswers(t *testing.T) {
	modes(t, func(t *testing.T, c *resolver.Client) {
		const try = 200 * time.Millisecond
		var asked atomic.Int32
		server := startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			if asked.Add(1) == 1 {
				time.Sleep(try + try/4) // while the second is waited for
				return say(r, dns.RcodeSuccess, forged)
			}
			time.Sleep(try / 2)
			return say(r, dns.RcodeSuccess, www)
		})
		c.Servers, c.TryTimeout, c.Rounds = []netip.AddrPort{server}, try, 5
		wantWWW(t, c)
		wantWWW(t, c)
		if asked.Load() < 3 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

// A datagram that is lost costs one try.
func TestClientDropped(t *testing.T) {
	modes(t, func(t *testing.T, c *resolver.Client) {
		var asked atomic.Int32
		c.Servers = []netip.AddrPort{startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			if asked.Add(1) == 1 {
				return nil
			}
			return say(r, dns.RcodeSuccess, www)
		})}
		c.TryTimeout = 200 * time.Millisecond
		start := time.Now()
		wantWWW(t, c)
		if d := time.Since(start); d < c.TryTimeout || d > 5*c.TryTimeout {
			t.Errorf("took %v", d)
		}
	})
}

// Who sends that many wrong answers guesses: the question is put over TCP (RFC
// 5452, Section 9.3). A few are ignored.
func TestClientFlood(t *testing.T) {
	// flood sends wrong answers until it is asked over TCP.
	flood := func(overTCPAsked *atomic.Bool, s script) script {
		return func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			if overTCP(w) {
				overTCPAsked.Store(true)
				return s(w, r)
			}
			m := say(r, dns.RcodeSuccess, forged)
			for start := time.Now(); !overTCPAsked.Load() && time.Since(start) < 5*time.Second; {
				if m.Id++; m.Id != r.Id {
					_ = w.WriteMsg(m)
				}
			}
			return nil
		}
	}
	modes(t, func(t *testing.T, c *resolver.Client) {
		var overTCPAsked atomic.Bool
		c.TryTimeout = 10 * time.Second
		c.Servers = []netip.AddrPort{startServer(t, flood(&overTCPAsked, always(dns.RcodeSuccess, www)))}
		wantWWW(t, c)
		if !overTCPAsked.Load() {
			t.Error("not asked over TCP")
		}
	})
	t.Run("no TCP", func(t *testing.T) {
		var overTCPAsked atomic.Bool
		c := resolver.Client{TryTimeout: 10 * time.Second, Rounds: 1}
		c.Servers = []netip.AddrPort{startServer(t, flood(&overTCPAsked, func(w dns.ResponseWriter, _ *dns.Msg) *dns.Msg {
			w.Close()
			return nil
		}))}
		_, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
		if e := failure(t, err); !strings.Contains(e.Error(), "A: tcp: ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a hundred", func(t *testing.T) {
		c := &resolver.Client{}
		c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			m := say(r, dns.RcodeSuccess, forged)
			for range 100 {
				m.Id++
				_ = w.WriteMsg(m)
			}
			return say(r, dns.RcodeSuccess, www)
		})}
		wantWWW(t, c)
	})
}

// TCP has what UDP has left of the try.
func TestClientTCPWithinTheTry(t *testing.T) {
	const try = time.Second
	c := resolver.Client{TryTimeout: try, Rounds: 1}
	c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		if overTCP(w) {
			return nil
		}
		time.Sleep(try * 3 / 4)
		m := say(r, dns.RcodeSuccess)
		m.Truncated = true
		return m
	})}
	start := time.Now()
	_, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
	if e := failure(t, err); !e.Timeout() || !strings.Contains(err.Error(), "tcp: i/o timeout") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d < try || d > try*8/5 {
		t.Errorf("took %v, the try has %v", d, try)
	}
}

// startTCP serves connections octet by octet until the test ends, at a port where
// any question over UDP is told to come over TCP.
func startTCP(t *testing.T, serve func(conn net.Conn)) netip.AddrPort {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	packets, listener, err := listenBoth("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { packets.Close(); listener.Close() })
	serving.Go(func() {
		var buffer [512]byte
		for {
			n, from, err := packets.ReadFrom(buffer[:])
			if err != nil {
				return
			}
			buffer[2] |= 0x82 // QR, TC
			_, _ = packets.WriteTo(buffer[:n], from)
		}
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	return listener.Addr().(*net.TCPAddr).AddrPort()
}

// A server that sends one octet now and then keeps nobody longer than the try.
func TestClientTrickle(t *testing.T) {
	c := resolver.Client{TryTimeout: 300 * time.Millisecond, Rounds: 1}
	c.Servers = []netip.AddrPort{startTCP(t, func(conn net.Conn) {
		for {
			if _, err := conn.Write([]byte{1}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})}
	start := time.Now()
	if _, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA); !failure(t, err).Timeout() {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

// Labels may hold any octet, dots and backslashes too.
func TestClientEscapedNames(t *testing.T) {
	const odd = `a\.b.c\\d.\000\255\ \@.example.test.`
	wire := []byte("\x03a.b\x03c\\d\x04\x00\xff @\x07example\x04test\x00")
	for qtype, data := range map[uint16]string{
		dns.TypePTR: odd,
		dns.TypeMX:  "10 " + odd,
		dns.TypeRP:  `first\.last.example.test. ` + odd,
		dns.TypeSRV: "0 0 25 " + odd,
	} {
		t.Run(resolver.TypeString(qtype), func(t *testing.T) {
			c := resolver.Client{Rounds: 1}
			c.Servers = []netip.AddrPort{startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				raw, err := r.Pack()
				if err != nil || string(raw[12:12+len(wire)]) != string(wire) {
					t.Errorf("asked %q, error %v", raw, err)
				}
				typ := resolver.TypeString(qtype)
				return say(r, dns.RcodeSuccess,
					odd+" 300 IN CNAME x"+odd, "x"+odd+" 300 IN "+typ+" "+data, `a.b.c\\d.example.test. 300 IN `+typ+" "+data)
			})}
			a, err := c.Lookup(t.Context(), `A\.B.C\\D.\000\255\032\064.Example.TEST`, qtype)
			if err != nil || len(a.Records) != 1 || len(a.Chain) != 1 {
				t.Fatalf("%v, error %v", a, err)
			}
			want := rr("x" + odd + " 300 IN " + resolver.TypeString(qtype) + " " + data)
			if a.Records[0].String() != want.String() {
				t.Errorf("got  %v\nwant %v", a.Records[0], want)
			}
		})
	}
}

// A LookupTXT record may hold any octets too.
func TestClientTXTOctets(t *testing.T) {
	var octets [256]byte
	var escaped strings.Builder
	for i := range octets {
		octets[i] = byte(i)
		fmt.Fprintf(&escaped, `\%03d`, i)
	}
	half := len(escaped.String()) / 2
	c := &resolver.Client{}
	c.Servers = []netip.AddrPort{startServer(t, always(dns.RcodeSuccess,
		fmt.Sprintf(`www.example.test. 300 IN TXT "%s" "%s"`, escaped.String()[:half], escaped.String()[half:])))}
	got, err := resolver.LookupTXT(t.Context(), c, "www.example.test")
	if diff := gocmp.Diff([]string{string(octets[:])}, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got)\n%s", err, diff)
	}
}

// message makes a message of up to 64 KiB of one record after another, compressed
// as only somebody who means ill does it.
func message(r *dns.Msg, records func(yield func(record []byte) bool)) []byte {
	raw, err := say(r, dns.RcodeSuccess).Pack()
	if err != nil {
		panic(err)
	}
	var n uint16
	for record := range records {
		if len(raw)+len(record) > dns.MaxMsgSize {
			break
		}
		raw = append(raw, record...)
		n++
	}
	binary.BigEndian.PutUint16(raw[6:], n)
	return raw
}

// record is one of class IN, its owner and data in wire form.
func record(owner string, rrtype uint16, data string) []byte {
	raw := binary.BigEndian.AppendUint16([]byte(owner), rrtype)
	raw = append(raw, 0, 1, 0, 0, 1, 0)
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(data)))
	return append(raw, data...)
}

// What 64 KiB of a server's worst cost.
func TestClientLargestMessages(t *testing.T) {
	const self = "\xc0\x0c" // a pointer to the name asked
	long := ""              // a name of 255 octets, all of which need an escape
	for range 3 {
		long += "\x3f" + strings.Repeat("\x01", 63)
	}
	long += "\x3d" + strings.Repeat("\x01", 61) + "\x00"
	const first = 12 + 18 + 4 // the offset of the first record
	again := string([]byte{0xc0 | first>>8, first & 0xff})
	again14 := string([]byte{0xc0, first + 14}) // behind the name asked, and the preference

	repeat := func(records ...[]byte) func(func([]byte) bool) {
		return func(yield func([]byte) bool) {
			for i := 0; yield(records[min(i, len(records)-1)]); i++ {
			}
		}
	}
	for _, tt := range []struct {
		name    string
		ask     string // www.example.test.
		qtype   uint16
		records func(func([]byte) bool)
		want    int // records
		err     error
		hip     bool
	}{
		{name: "addresses", qtype: dns.TypeA, want: 4093, records: func(yield func([]byte) bool) {
			for i := 0; yield(record(self, dns.TypeA, string(binary.BigEndian.AppendUint32(nil, uint32(i))))); i++ {
			}
		}},
		{name: "one address", qtype: dns.TypeA, want: 1, records: repeat(record(self, dns.TypeA, "\x7f\x00\x00\x01"))},
		{name: "strings", qtype: dns.TypeTXT, want: 1, records: repeat(record(self, dns.TypeTXT, strings.Repeat("\x00", 65000)))},
		{name: "long names of others", qtype: dns.TypeMX, err: resolver.ErrMalformed, records: repeat(
			record(long, dns.TypeMX, "\x00\x00"+again), record(again, dns.TypeMX, "\x00\x00"+again))},
		{name: "long names", qtype: dns.TypeSOA, want: 1, records: repeat(
			record(long, dns.TypeMX, "\x00\x00"+again), record(self, dns.TypeSOA, again+again+strings.Repeat("\x00", 20)))},
		{name: "names of a long name", ask: strings.Repeat(strings.Repeat(`\001`, 62)+".", 3) + strings.Repeat(`\001`, 62) + ".", qtype: dns.TypeMX,
			want: 1, records: repeat(record(self, dns.TypeMX, "\x00\x00"+self))},
		{name: "many names in one record that is asked for", qtype: dns.TypeHIP, err: resolver.ErrMalformed, hip: true, records: repeat(
			record(self, dns.TypeMX, "\x00\x00"+long), record(self, dns.TypeHIP, "\x00\x00\x00\x00"+strings.Repeat(again14, 30000)))},
		{name: "many names in one record", qtype: dns.TypeA, err: resolver.ErrMalformed, records: repeat(
			record(long, dns.TypeHIP, "\x00\x00\x00\x00"+strings.Repeat(again, 32000)))},
		{name: "a chain", qtype: dns.TypeA, err: resolver.ErrChain, records: func(yield func([]byte) bool) {
			owner := self
			for i := 0; ; i++ {
				target := fmt.Sprintf("\x05%05d%s", i, self)
				if !yield(record(owner, dns.TypeCNAME, target)) {
					return
				}
				owner = target
			}
		}},
		{name: "aliases of one name", qtype: dns.TypeA, err: resolver.ErrMalformed, records: func(yield func([]byte) bool) {
			for i := 0; yield(record(self, dns.TypeCNAME, fmt.Sprintf("\x05%05d%s", i, self))); i++ {
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var raw []byte
			c := resolver.Client{Rounds: 1, TryTimeout: 5 * time.Second}
			c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
				if !overTCP(w) {
					m := say(r, dns.RcodeSuccess)
					m.Truncated = true
					return m
				}
				raw = message(r, tt.records)
				_, _ = w.Write(raw)
				return nil
			})}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			a, err := c.Lookup(t.Context(), cmp.Or(tt.ask, "www.example.test."), tt.qtype)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			allocated := float64(after.TotalAlloc-before.TotalAlloc) / (1 << 20)
			t.Logf("%d octets: %v, %.1f MiB allocated", len(raw), took, allocated)
			most := 8.0
			if tt.hip {
				most = 40
			}
			if took > 10*time.Second || allocated > most {
				t.Errorf("too much: expected at most %.0f MiB", most)
			}
			if !errors.Is(err, tt.err) || len(a.Records) != tt.want {
				t.Errorf("%d records, want %d; error %v, want %v", len(a.Records), tt.want, err, tt.err)
			}
		})
	}
}

// What a server adds to a failure is cut to a size that fits a log.
func TestClientExtendedErrorsBounded(t *testing.T) {
	c := resolver.Client{Rounds: 1}
	c.Servers = []netip.AddrPort{startServer(t, func(w dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		m := say(r, dns.RcodeServerFailure)
		m.SetEdns0(1232, false)
		if !overTCP(w) {
			m.Truncated = true
			return m
		}
		for range 20 {
			opt := m.IsEdns0()
			opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: 6, ExtraText: strings.Repeat("\n", 3000)})
		}
		return m
	})}
	_, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
	e := failure(t, err)
	if len(e.Extended) != 8 || len(e.Extended[0].Text) != 3000 {
		t.Errorf("%d extended errors of %d octets", len(e.Extended), len(e.Extended[0].Text))
	}
	if want := `EDE 6 DNSSEC Bogus: "` + strings.Repeat(`\n`, 200) + `" and 2800 more octets`; e.Extended[0].String() != want {
		t.Errorf("got  %s\nwant %s", e.Extended[0], want)
	}
	if n := len(e.Error()); n > 5000 {
		t.Errorf("an error of %d octets", n)
	}
	cut := resolver.ExtendedError{Text: strings.Repeat("é", 150) + "."}
	if want := `EDE 0 Other: "` + strings.Repeat("é", 100) + `" and 101 more octets`; cut.String() != want {
		t.Errorf("got  %s\nwant %s", cut, want)
	}
	cut.Text = "x" + cut.Text
	if want := `EDE 0 Other: "x` + strings.Repeat("é", 99) + `" and 103 more octets`; cut.String() != want {
		t.Errorf("got  %s\nwant %s", cut, want)
	}
}
