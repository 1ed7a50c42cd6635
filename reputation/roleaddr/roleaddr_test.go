package roleaddr_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

const zone = `
$TTL 300
$ORIGIN example.test.
@       MX 10 mx1
@       MX 20 mx2
mx1     A  192.0.2.25
mx2     A  192.0.2.26
implicit A 192.0.2.25
null    MX 0 .
inner   MX 10 mx.inner
mx.inner A 127.0.0.1
mx.inner AAAA ::1
v6      MX 10 mx.v6
mx.v6   AAAA 2001:db8::25
many    MX 1 h1.many
many    MX 2 h2.many
many    MX 3 h3.many
many    MX 4 mx1
h1.many A  192.0.2.31
h2.many A  192.0.2.32
h3.many A  192.0.2.33
same    MX 1 a.same
same    MX 2 b.same
a.same  A  192.0.2.31
b.same  A  192.0.2.31
broken  MX 10 nowhere.broken
broken  MX 20 mx2
`

// A server answers commands by a script: the whole line to the reply, line ends included,
// "" to the greeting. What is not in it gets 250, and "-" closes the connection.
type server map[string]string

func (s server) serve(conn net.Conn, log *[]string) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	answer := func(command, otherwise string) bool {
		reply, ok := s[command]
		if !ok {
			reply = otherwise
		}
		if reply == "-" {
			return false
		}
		_, err := io.WriteString(conn, reply+"\r\n")
		return err == nil
	}
	if !answer("", "220 mx.example.test ESMTP") {
		return
	}
	for lines.Scan() {
		*log = append(*log, lines.Text())
		if !answer(lines.Text(), "250 2.0.0 Ok") || lines.Text() == "QUIT" {
			return
		}
	}
}

// network dials servers of 192.0.2.0/24 in memory.
type network struct {
	servers map[string]server // by address; nil does not answer the dialler
	dialed  []string
	said    []string
}

func (n *network) dial(_ context.Context, addr netip.AddrPort) (net.Conn, error) {
	n.dialed = append(n.dialed, addr.String())
	s := n.servers[addr.Addr().String()]
	if s == nil {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	go s.serve(theirs, &n.said)
	return ours, nil
}

func fake(t *testing.T) *dnsfake.Fake {
	t.Helper()
	f, err := dnsfake.New(zone)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func checker(t *testing.T, n *network) roleaddr.Checker {
	return roleaddr.Checker{Resolver: fake(t), Helo: "probe.example.net", Dial: n.dial, AllowPrivate: true}
}

const (
	postmaster = "RCPT TO:<postmaster@example.test>"
	abuse      = "RCPT TO:<abuse@example.test>"
	bare       = "RCPT TO:<Postmaster>"
)

var control = "RCPT TO:<" + roleaddr.Control("example.test") + ">"

// statuses writes a result on one line: its status, then those of the mailboxes.
func statuses(r *roleaddr.Result) string {
	words := []string{r.Status.String()}
	for _, m := range r.Mailboxes {
		words = append(words, m.Status.String())
	}
	if r.CatchAll {
		words = append(words, "catch-all")
	}
	return strings.Join(words, " ")
}

// invariant holds what is true of every result.
func invariant(t *testing.T, r *roleaddr.Result) {
	t.Helper()
	hasErr := func(s roleaddr.Status) bool { return s == roleaddr.TempError || s == roleaddr.PermError }
	if (r.Err != nil) != hasErr(r.Status) || r.Status == 0 || r.Status.Temporary() != (r.Status == roleaddr.TempError) {
		t.Errorf("status %s with the error %v", r.Status, r.Err)
	}
	for _, m := range r.Mailboxes {
		if (m.Err != nil) != hasErr(m.Status) || m.Status == 0 {
			t.Errorf("%s: status %s with the error %v", m.Address, m.Status, m.Err)
		}
	}
	text := r.LogValue().String()
	for _, reply := range r.Replies {
		text += reply.String()
		for _, line := range reply.Lines {
			if len(line) > 4*512 {
				t.Errorf("a line of %d octets", len(line))
			}
		}
	}
	if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
		t.Errorf("not printable: %q", text)
	}
}

func TestReplies(t *testing.T) {
	const unknown = "550 5.1.1 no such user"
	for _, tt := range []struct {
		name   string
		server server
		want   string
	}{
		{"accepted", server{control: unknown}, "pass pass pass pass"},
		{"forwarded", server{control: unknown, postmaster: "251 2.1.5 will forward", abuse: "252 2.1.5 will try"}, "pass pass pass pass"},
		{"catch-all", server{}, "pass pass pass pass catch-all"},
		{"refused", server{control: unknown, abuse: unknown}, "fail pass fail pass"},
		{"refused without enhanced code", server{control: unknown, postmaster: "550 unknown"}, "fail fail pass pass"},
		{"mailbox full", server{postmaster: "552 5.2.2 full"}, "fail fail pass pass catch-all"},
		{"Null MX", server{control: unknown, postmaster: "556 5.1.10 no mail here"}, "fail fail pass pass"},
		{"bare", server{control: unknown, bare: "553 5.1.3 domain needed"}, "fail pass pass fail"},
		{"greylisted", server{control: unknown, postmaster: "450 4.7.1 greylisted"}, "temperror temperror pass pass"},
		{"greylisted and refused", server{postmaster: "450 4.7.1 greylisted", abuse: unknown}, "fail temperror fail pass catch-all"},
		{"blocked", server{control: "550 5.7.1 listed", postmaster: "550 5.7.1 listed", abuse: "550 5.7.1 listed", bare: "550 5.7.1 listed"}, "permerror permerror permerror permerror"},
		{"blocked by the sender", server{control: unknown, postmaster: "550 5.1.8 sender refused", abuse: "553 5.1.7 sender malformed"}, "permerror permerror permerror pass"},
		{"no transaction", server{postmaster: "554 no"}, "permerror permerror pass pass catch-all"},
		{"not understood", server{postmaster: "501 5.5.4 syntax", bare: "554 5.5.1 no"}, "permerror permerror pass permerror catch-all"},
		{"bare not understood", server{control: unknown, bare: "501 5.5.2 malformed address"}, "fail pass pass fail"},
		{"strange code", server{postmaster: "354 go ahead"}, "temperror temperror pass pass catch-all"},
		{"HELO only", server{control: unknown, "EHLO probe.example.net": "502 what?"}, "pass pass pass pass"},
		{"many lines", server{control: unknown, "EHLO probe.example.net": "250-mx\r\n250-SIZE\r\n250 STARTTLS"}, "pass pass pass pass"},
		{"no RSET", server{control: unknown, "RSET": "500 what?"}, "pass pass pass pass"},
		{"shut", server{control: unknown, abuse: "421 4.3.2 shutting down", "MAIL FROM:<>": "250 ok"}, "temperror pass temperror pass"},
		{"lost", server{control: unknown, abuse: "-"}, "temperror pass temperror temperror"},
		{"lost at RSET", server{control: unknown, "RSET": "-"}, "temperror temperror temperror temperror"},
		{"bare codes", server{"": "220", control: "550", "EHLO probe.example.net": "250", "MAIL FROM:<>": "250", postmaster: "250", abuse: "250-\r\n250", bare: "250 "}, "pass pass pass pass"},
		{"a code of its own", server{control: unknown, postmaster: "253 taken"}, "pass pass pass pass"},
		{"the reason is in the second line", server{control: unknown, postmaster: "550-\r\n550 5.7.1 listed"}, "permerror permerror pass pass"},
		{"two codes", server{control: unknown, postmaster: "250-yes\r\n550 no"}, "temperror temperror temperror temperror"},
		{"a tab", server{control: unknown, postmaster: "250\tyes"}, "temperror temperror temperror temperror"},
		{"a sign", server{control: unknown, postmaster: "+25 yes"}, "temperror temperror temperror temperror"},
		{"nothing", server{control: unknown, postmaster: ""}, "temperror temperror temperror temperror"},
		{"garbage", server{control: unknown, postmaster: "2 fast 2 furious\x1b[2J"}, "temperror temperror temperror temperror"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &network{servers: map[string]server{"192.0.2.25": tt.server}}
			r := checker(t, n).Check(t.Context(), "Example.TEST")
			invariant(t, r)
			if got := statuses(r); got != tt.want {
				t.Errorf("got %s, want %s; %v\n%v", got, tt.want, r.Err, r.Replies)
			}
			if r.Host != "mx1.example.test." || r.Addr != netip.MustParseAddrPort("192.0.2.25:25") || len(n.dialed) != 1 {
				t.Errorf("asked %s at %s; dialed %v", r.Host, r.Addr, n.dialed)
			}
		})
	}
}

// The mailbox gets what the first digit of the reply says, in whatever form RFC 5321, Section
// 4.2, allows: with text or without, on one line or more.
func TestReplyForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom([]int{250, 251, 252, 259, 421, 450, 452, 550, 551, 553}).Draw(t, "code")
		text := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[\t -~]{1,20}`))
		var reply strings.Builder
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			fmt.Fprintf(&reply, "%d-%s\r\n", code, text.Draw(t, "text"))
		}
		last := text.Draw(t, "last")
		if last != "" || rapid.Bool().Draw(t, "space") {
			last = " " + last
		}
		fmt.Fprintf(&reply, "%d%s", code, last)
		if strings.Contains(reply.String(), " 5.") || strings.Contains(reply.String(), "-5.") {
			return // an enhanced code, which decides
		}
		n := &network{servers: map[string]server{"192.0.2.25": {postmaster: reply.String()}}}
		zones, err := resolver.ParseZones(zone)
		if err != nil {
			t.Fatal(err)
		}
		r := roleaddr.Checker{Resolver: zones, Helo: "probe.example.net", Dial: n.dial, AllowPrivate: true}.Check(context.Background(), "example.test")
		want := map[int]roleaddr.Status{2: roleaddr.Pass, 4: roleaddr.TempError, 5: roleaddr.Fail}[code/100]
		if r.Mailboxes[0].Status != want || r.Mailboxes[1].Status != roleaddr.Pass && code != 421 {
			t.Fatalf("%q: %v, %v", reply.String(), r.Mailboxes, r.Replies)
		}
	})
}

// Where a server will not talk, the next one is asked: three, no more.
func TestHosts(t *testing.T) {
	const all = "pass pass pass pass catch-all"
	for _, tt := range []struct {
		name, domain string
		servers      map[string]server
		want         string
		dialed       int
		is           error
	}{
		{"second", "example.test", map[string]server{"192.0.2.26": {}}, all, 2, nil},
		{"refused at first", "example.test", map[string]server{"192.0.2.25": {"": "554 5.7.1 go away"}, "192.0.2.26": {}}, all, 2, nil},
		{"put off at first", "example.test", map[string]server{"192.0.2.25": {"": "421 busy"}, "192.0.2.26": {}}, all, 2, nil},
		{"lost at first", "example.test", map[string]server{"192.0.2.25": {control: "-"}, "192.0.2.26": {}}, all, 2, nil},
		{"no null sender at first", "example.test", map[string]server{"192.0.2.25": {"MAIL FROM:<>": "550 no bounces"}, "192.0.2.26": {}}, all, 2, nil},
		{"nobody", "example.test", nil, "temperror", 2, nil},
		{"refused", "example.test", map[string]server{"192.0.2.26": {"": "554 go away"}}, "permerror", 2, roleaddr.ErrClient},
		{"HELO refused", "implicit.example.test", map[string]server{"192.0.2.25": {"EHLO probe.example.net": "550 no", "HELO probe.example.net": "550 no"}}, "permerror", 1, roleaddr.ErrClient},
		{"no null sender", "implicit.example.test", map[string]server{"192.0.2.25": {"MAIL FROM:<>": "550 no"}}, "permerror", 1, roleaddr.ErrClient},
		{"null sender put off", "implicit.example.test", map[string]server{"192.0.2.25": {"MAIL FROM:<>": "451 later"}}, "temperror", 1, nil},
		{"never the fourth", "many.example.test", map[string]server{"192.0.2.25": {}}, "temperror", 3, nil},
		{"no address", "broken.example.test", map[string]server{"192.0.2.26": {}}, all, 1, nil},
		{"IPv6", "v6.example.test", map[string]server{"2001:db8::25": {}}, all, 1, nil},
		{"Null MX", "null.example.test", nil, "none", 0, nil},
		{"no such domain", "nowhere.example.test", nil, "none", 0, nil},
		{"number", "192.0.2.1", nil, "permerror", 0, roleaddr.ErrDomain},
		{"injection", "example.test>\r\nDATA", nil, "permerror", 0, roleaddr.ErrDomain},
		{"reserved", "printer.local", nil, "permerror", 0, roleaddr.ErrDomain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &network{servers: tt.servers}
			r := checker(t, n).Check(t.Context(), tt.domain)
			invariant(t, r)
			if got := statuses(r); got != tt.want || len(n.dialed) != tt.dialed || tt.is != nil && !errors.Is(r.Err, tt.is) {
				t.Errorf("got %s, %v; dialed %v", got, r.Err, n.dialed)
			}
		})
	}
}

// All that is said: no message, one transaction a mailbox, a polite end.
func TestConversation(t *testing.T) {
	n := &network{servers: map[string]server{"192.0.2.25": {control: "550 5.1.1 no", bare: "550-5.1.1 no\r\n550 5.1.1 really"}}}
	r := checker(t, n).Check(t.Context(), "example.test")
	want := []string{"EHLO probe.example.net"}
	for _, rcpt := range []string{control, postmaster, abuse, bare} {
		want = append(want, "MAIL FROM:<>", rcpt, "RSET")
	}
	want = append(want, "QUIT")
	if diff := cmp.Diff(want, n.said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	last := slices.IndexFunc(r.Replies, func(r roleaddr.Exchange) bool { return r.Command == bare })
	if got, want := r.Replies[last].String(), bare+": 550 5.1.1 no / 550 5.1.1 really"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(r.Replies) != 1+len(want) {
		t.Errorf("%d replies: %v", len(r.Replies), r.Replies)
	}
}

// The zero Checker connects to public addresses alone, and to nothing that DNS leads to.
func TestInnerAddresses(t *testing.T) {
	n := &network{}
	c := checker(t, n)
	c.AllowPrivate = false
	for _, domain := range []string{"example.test", "inner.example.test", "v6.example.test"} {
		r := c.Check(t.Context(), domain)
		invariant(t, r)
		if r.Status != roleaddr.PermError || !errors.Is(r.Err, roleaddr.ErrAddress) || len(n.dialed) > 0 {
			t.Errorf("%s: %s, %v; dialed %v", domain, r.Status, r.Err, n.dialed)
		}
	}
}

func TestHelo(t *testing.T) {
	n := &network{servers: map[string]server{"192.0.2.25": {}}}
	c := checker(t, n)
	for _, helo := range []string{"a b", "x\r\nDATA", "bücher.example", "[127.0.0.1"} {
		c.Helo = helo
		if r := c.Check(t.Context(), "example.test"); r.Status != roleaddr.PermError || !errors.Is(r.Err, roleaddr.ErrHelo) {
			t.Errorf("%q: %s, %v", helo, r.Status, r.Err)
		}
	}
	c.Helo = ""
	c.Check(t.Context(), "example.test")
	if n.said[0] != "EHLO [127.0.0.1]" || len(n.dialed) != 1 {
		t.Errorf("said %q, dialed %v", n.said[0], n.dialed)
	}
}

// With the system's dialler, on loopback.
func TestLoopback(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		said := make(chan []string, 1)
		go func() {
			conn, err := listener.Accept()
			var log []string
			if err == nil {
				server{}.serve(conn, &log)
			}
			said <- log
		}()
		c := roleaddr.Checker{Resolver: fake(t), AllowPrivate: true, Dial: func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
			if addr.Port() != 25 {
				t.Errorf("port %d", addr.Port())
			}
			return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
		}}
		r := c.Check(t.Context(), "example.test")
		listener.Close()
		want := "EHLO [127.0.0.1]"
		if host == "::1" {
			want = "EHLO [IPv6:::1]"
		}
		if log := <-said; r.Status != roleaddr.Pass || log[0] != want {
			t.Errorf("%s: %s, %v, said %q", host, r.Status, r.Err, log)
		}
	}
}

// The system's dialler has no more time than the rest.
func TestTimeout(t *testing.T) {
	c := roleaddr.Checker{Resolver: fake(t), AllowPrivate: true, Timeout: time.Nanosecond}
	if r := c.Check(t.Context(), "inner.example.test"); r.Status != roleaddr.TempError || !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("%s, %v", r.Status, r.Err)
	}
}

// A hostile server costs at most the time and the octets that are stated.
func TestHostileServers(t *testing.T) {
	flood := func(line string) func(net.Conn) {
		return func(conn net.Conn) {
			for {
				if _, err := io.WriteString(conn, line); err != nil {
					return
				}
			}
		}
	}
	for name, serve := range map[string]func(net.Conn){
		"endless greeting": flood("220-x\r\n"),
		"endless line":     flood("220-xxxxxxxxxxxxxxxx"),
		"endless replies":  flood("250 x\r\n"),
		"silence":          func(conn net.Conn) { io.Copy(io.Discard, conn) },
		"slow drip": func(conn net.Conn) {
			for {
				if _, err := io.WriteString(conn, "2"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
		"deaf": func(conn net.Conn) { // says what is wanted, and takes nothing
			io.WriteString(conn, "220 x\r\n")
			time.Sleep(time.Hour)
		},
		"slow replies": func(conn net.Conn) {
			io.WriteString(conn, "220 x\r\n")
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				time.Sleep(25 * time.Second)
				if _, err := io.WriteString(conn, "250 x\r\n"); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				read := new(int)
				c := roleaddr.Checker{Resolver: fake(t), AllowPrivate: true, Dial: func(context.Context, netip.AddrPort) (net.Conn, error) {
					ours, theirs := net.Pipe()
					go func() { serve(theirs); theirs.Close() }()
					return counting{ours, read}, nil
				}}
				start := time.Now()
				r := c.Check(t.Context(), "implicit.example.test")
				invariant(t, r)
				if r.Status != roleaddr.TempError || len(r.Mailboxes) > 0 {
					t.Errorf("%s: %v", statuses(r), r.Err)
				}
				if took := time.Since(start); took > roleaddr.DefaultTimeout {
					t.Errorf("took %v", took)
				}
				if *read > 16<<10 {
					t.Errorf("read %d octets", *read)
				}
				t.Logf("%v, %d octets, %v", time.Since(start), *read, r.Err)
				time.Sleep(2 * time.Hour) // let the servers end
			})
		})
	}
}

// counting counts what is read.
type counting struct {
	net.Conn
	read *int
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	*c.read += n
	return n, err
}

// What a server says is text: nothing of it reaches a terminal, and little is kept.
func TestHostileText(t *testing.T) {
	long := "250 " + strings.Repeat("\x1b\xff", 400)
	n := &network{servers: map[string]server{"192.0.2.25": {"": strings.Repeat("220-\u202e\x07x\r\n", 20) + "220 x", postmaster: long}}}
	r := checker(t, n).Check(t.Context(), "example.test")
	invariant(t, r)
	if r.Status != roleaddr.Pass || len(r.Replies[0].Lines) != 8 {
		t.Errorf("%s, %v, %d lines of greeting", statuses(r), r.Err, len(r.Replies[0].Lines))
	}
}

// The end of the context is the cause of what could not be told.
func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := &network{}
	c := checker(t, n)
	c.Dial = func(context.Context, netip.AddrPort) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			io.WriteString(theirs, "220 x\r\n")
			bufio.NewScanner(theirs).Scan()
			cancel()
			io.Copy(io.Discard, theirs)
			theirs.Close()
		}()
		return ours, nil
	}
	r := c.Check(ctx, "implicit.example.test")
	if r.Status != roleaddr.TempError || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("%s, %v", r.Status, r.Err)
	}
}

// A DNS that fails is temporary, and leads to no other server.
func TestDNSFails(t *testing.T) {
	for _, kind := range dnsfake.Kinds() {
		for _, q := range []struct {
			name  string
			qtype uint16
		}{{"example.test", 15}, {"mx1.example.test", 1}} {
			n := &network{servers: map[string]server{"192.0.2.26": {}}}
			f := fake(t)
			f.Fail(q.name, q.qtype, kind)
			c := checker(t, n)
			c.Resolver = f
			if r := c.Check(t.Context(), "example.test"); r.Status != roleaddr.TempError || len(n.dialed) > 0 {
				t.Errorf("%s %d %s: %s, %v; dialed %v", q.name, q.qtype, kind, r.Status, r.Err, n.dialed)
			}
		}
	}
	if r := (roleaddr.Checker{}).Check(t.Context(), "example.test"); r.Status != roleaddr.TempError || !errors.Is(r.Err, resolver.ErrNoResolver) {
		t.Errorf("without a Resolver: %s, %v", r.Status, r.Err)
	}
}

// Whatever DNS says, the questions are as many as the package comment states, at most.
func TestWorkIsBounded(t *testing.T) {
	var asked atomic.Int32
	hostile := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		asked.Add(1)
		var records []dns.RR
		for i := range 500 {
			hdr := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}
			switch qtype {
			case dns.TypeMX:
				records = append(records, &dns.MX{Hdr: hdr, Mx: fmt.Sprintf("n%d.%s", i, name)})
			case dns.TypeA:
				records = append(records, &dns.A{Hdr: hdr, A: net.IPv4(198, name[1], byte(len(name)), byte(i))})
			}
		}
		return resolver.Answer{Records: records}, nil
	})
	n := &network{}
	r := roleaddr.Checker{Resolver: hostile, Dial: n.dial, AllowPrivate: true}.Check(t.Context(), "example.test")
	if asked.Load() > 23 || len(n.dialed) != roleaddr.MaxHosts || r.Status != roleaddr.TempError {
		t.Errorf("%d questions, dialed %v: %s", asked.Load(), n.dialed, r.Status)
	}
}

// A host that does not answer is not asked again by another name.
func TestOneConnection(t *testing.T) {
	n := &network{}
	r := checker(t, n).Check(t.Context(), "same.example.test")
	if len(n.dialed) != 1 || r.Status != roleaddr.TempError || r.Host != "a.same.example.test." {
		t.Errorf("dialed %v: %s, %s", n.dialed, r.Status, r.Host)
	}
}

func TestControl(t *testing.T) {
	if a, b := roleaddr.Control("example.test"), roleaddr.Control("example.net"); a != roleaddr.Control("example.test") || a == b || !strings.HasSuffix(a, "@example.test") {
		t.Errorf("%s, %s", a, b)
	}
}

func TestStatusTexts(t *testing.T) {
	var words []string
	for s := roleaddr.Pass; s <= roleaddr.PermError; s++ {
		text, err := s.MarshalText()
		var again roleaddr.Status
		if err != nil || again.UnmarshalText([]byte(strings.ToUpper(string(text)))) != nil || again != s {
			t.Errorf("%v: %q, %v", s, text, err)
		}
		words = append(words, s.String())
	}
	if got := fmt.Sprint(words); got != "[pass fail none temperror permerror]" {
		t.Error(got)
	}
	if _, err := roleaddr.Status(0).MarshalText(); err == nil {
		t.Error("the zero Status is text")
	}
}
