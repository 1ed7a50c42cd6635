//go:build interop

package mtas_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/lab/netns"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A client is a line of testdata/clients.txt: address, HELO, sender, the level and the
// advice of our verdict, and the differences of others, COLUMN=REASON.
type client struct {
	line               int
	addr, helo, sender string
	strict             bool // by the strict policy
	level, advice      string
	differs            map[string]string
}

// columns are what others say. Each has what that should be by our verdict.
var columns = []struct {
	name string
	ours func(*identity.Verdict) string
}{
	{"exim-helo", func(v *identity.Verdict) string {
		return okIf(v.Helo != nil && v.Helo.Status == helo.Pass || v.Relation == helo.Identical)
	}},
	{"exim-reverse", func(v *identity.Verdict) string {
		if v.IPRev != nil && v.IPRev.Status.Temporary() {
			return "defer"
		}
		return okIf(confirmed(v))
	}},
	{"exim-csa", func(v *identity.Verdict) string {
		if v.CSA == nil {
			return "unknown"
		}
		return map[csa.Status]string{csa.Pass: "ok", csa.Fail: "fail", csa.TempError: "defer", csa.None: "unknown"}[v.CSA.Status]
	}},
	{"pf-reverse", func(v *identity.Verdict) string {
		return okIf(v.IPRev != nil && (len(v.IPRev.Names) > 0))
	}},
	{"pf-client", func(v *identity.Verdict) string { return okIf(confirmed(v)) }},
	{"pf-helo", func(v *identity.Verdict) string { return okIf(v.Helo != nil && v.Helo.Status == helo.Pass) }},
	{"pf-syntax", func(v *identity.Verdict) string {
		return okIf(!v.Has(identity.MalformedHelo) && !v.Has(identity.UnqualifiedHelo) && !v.Has(identity.NoHelo) && (v.Helo == nil || !v.Helo.Argument.Faults.Has(helo.BareAddress)))
	}},
	{"policyd", reply},
	{"milter", reply},
}

func okIf(ok bool) string {
	if ok {
		return "ok"
	}
	return "fail"
}

func confirmed(v *identity.Verdict) bool { return v.IPRev != nil && v.IPRev.Status == fcrdns.Pass }

// reply returns what a server that follows our advice answers.
func reply(v *identity.Verdict) string {
	if v.Advice.Reply.Code == 0 {
		return "ok"
	}
	return fmt.Sprintf("%d %s", v.Advice.Reply.Code, v.Advice.Reply.Enhanced)
}

// readClients reads the table.
func readClients(t *testing.T) []client {
	t.Helper()
	f, err := os.Open("testdata/clients.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	reasons := make(map[string]bool) // declared, and whether used
	var out []client
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "= "), ":"); ok && strings.HasPrefix(line, "= ") {
			reasons[name] = false
			continue
		}
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		if len(f) < 5 {
			t.Fatalf("clients.txt, line %d: expected address, HELO, sender, level, advice", n)
		}
		c := client{line: n, addr: f[0], helo: strings.ReplaceAll(f[1], "~", " "), sender: strings.ReplaceAll(f[2], "~", " "), level: f[3], advice: f[4], differs: make(map[string]string)}
		c.strict = strings.HasSuffix(c.advice, "!")
		c.advice = strings.TrimSuffix(strings.ReplaceAll(c.advice, "/", " "), "!")
		for _, d := range f[5:] {
			column, reason, _ := strings.Cut(d, "=")
			if _, ok := reasons[reason]; !ok {
				t.Fatalf("clients.txt, line %d: no reason %q", n, reason)
			}
			reasons[reason] = true
			c.differs[column] = reason
		}
		out = append(out, c)
	}
	for reason, used := range reasons {
		if !used {
			t.Errorf("clients.txt: nothing differs by reason %s", reason)
		}
	}
	return out
}

// strict is our policy for lines whose advice ends with !.
var strict = identity.Policy{Reasons: map[identity.Reason]identity.Action{
	identity.NoPTR: identity.Reject, identity.Unconfirmed: identity.Reject, identity.ReverseUnknown: identity.Defer,
	identity.MailFromFail: identity.Reject, identity.OwnName: identity.Reject, identity.MalformedHelo: identity.Reject,
}}

// TestInterop prints our verdict on every client beside what the others say, in a
// network of its own, and compares.
func TestInterop(t *testing.T) {
	if !enter(t) {
		return
	}
	clients := readClients(t)
	dns, etc := network(t, clients)
	x := newExim(t)
	p := newPostfix(t, etc)
	t.Logf("%s, %s", x.Version, p.version)

	counts := tally{levels: make(map[string]int), advices: make(map[string]int), explained: make(map[string]int)}
	rules := comparison{equal: make(map[rule.ID]map[rule.Status]int), explained: make(map[string]int)}
	start := time.Now()
	for _, c := range clients {
		v := judge(t, dns, c)
		advice := counts.verdict(t, c, v)
		theirs := askExim(t, x, c)
		p.ask(t, c, theirs)
		rules.compare(t, dns, c, theirs)
		row := counts.compare(t, c, v, theirs)
		t.Logf("%v %s %q %q: %s, %s | %s", time.Since(start).Round(time.Millisecond), c.addr, c.helo, c.sender, v.Level, advice, row)
	}
	counts.requireEnough(t, len(clients))
	t.Logf("levels %v", counts.levels)
	t.Logf("advice %v", counts.advices)
	t.Logf("differences %v", counts.explained)
	t.Logf("%d clients of Postfix and Exim: %d unexplained differences", len(clients), counts.unexplained)
	t.Logf("receivers' rules: equal %v; explained %v", rules.equal, rules.explained)
	t.Logf("%d clients as MTAs, and what their audits say that Postfix and Exim do: %d unexplained differences", len(clients), rules.unexplained)
	p.checkMailboxes(t)
	p.checkMilter(t)
	p.checkLogs(t)
	checkEximLogs(t)
}

// enter reports whether the test runs in a network of its own. If not, it runs the test
// again there, with the programs built, and the test must return.
func enter(t *testing.T) bool {
	t.Helper()
	if os.Getenv("BONAFIDE_EXAMPLES") != "" {
		return true
	}
	dir := t.TempDir()
	for _, example := range []string{"policyd", "milter"} {
		netns.Run(t, "go", "build", "-o", filepath.Join(dir, example), "../../../examples/"+example)
	}
	return netns.Enter(t, "BONAFIDE_EXAMPLES="+dir)
}

// A tally counts our verdicts, and what the others say differently.
type tally struct {
	levels, advices map[string]int
	explained       map[string]int // by column and reason
	unexplained     int
}

// verdict compares our verdict with the table, and returns the advice as the table has it.
func (n *tally) verdict(t *testing.T, c client, v *identity.Verdict) string {
	t.Helper()
	advice := v.Advice.Action.String()
	if v.Advice.Reply.Code != 0 {
		advice = reply(v)
	}
	n.levels[v.Level.String()]++
	n.advices[advice]++
	if v.Level.String() != c.level || advice != c.advice {
		t.Errorf("line %d: %s %q %q: %s, %s; the table has %s, %s", c.line, c.addr, c.helo, c.sender, v.Level, advice, c.level, c.advice)
	}
	return advice
}

// compare compares what the others say with our verdict, and returns it as text.
func (n *tally) compare(t *testing.T, c client, v *identity.Verdict, theirs map[string]string) string {
	t.Helper()
	var row []string
	for _, column := range columns {
		got, want := theirs[column.name], column.ours(v)
		if c.strict && (column.name == "policyd" || column.name == "milter") {
			continue // these have the zero policy
		}
		reason, listed := c.differs[column.name]
		switch {
		case got != want && listed:
			n.explained[column.name+" "+reason]++
			row = append(row, fmt.Sprintf("%s %s (%s)", column.name, got, reason))
			continue
		case got != want:
			n.unexplained++
			t.Errorf("line %d: %s %q %q: %s says %s, by our verdict %s", c.line, c.addr, c.helo, c.sender, column.name, got, want)
		case listed:
			t.Errorf("line %d: %s %q %q: %s no longer differs by %s", c.line, c.addr, c.helo, c.sender, column.name, reason)
		}
		row = append(row, column.name+" "+got)
	}
	return strings.Join(row, ", ")
}

// requireEnough requires that the table has clients of every kind.
func (n *tally) requireEnough(t *testing.T, clients int) {
	t.Helper()
	if clients < 60 {
		t.Errorf("%d clients, want at least 60", clients)
	}
	for l := identity.Explicit; l <= identity.NotApplicable; l++ {
		if n.levels[l.String()] < 3 {
			t.Errorf("level %s: %d clients", l, n.levels[l.String()])
		}
	}
	for _, a := range []string{"accept", "score", "451 4.4.3", "550 5.7.23", "550 5.7.25", "550 5.7.27", "550 5.7.1", "501 5.1.7", "501 5.5.2"} {
		if n.advices[a] < 3 {
			t.Errorf("advice %s: %d clients", a, n.advices[a])
		}
	}
}

// judge returns our verdict.
func judge(t *testing.T, r resolver.Resolver, c client) *identity.Verdict {
	t.Helper()
	v := identity.Verifier{Resolver: r, Names: []string{"mx.receiver.test"}}
	if c.strict {
		v.Policy = strict
	}
	s := v.Session(t.Context(), netip.MustParseAddr(c.addr))
	defer s.Close()
	s.Helo(t.Context(), c.helo)
	return s.MailFrom(t.Context(), strings.TrimPrefix(c.sender, "<>"))
}

func newExim(t *testing.T) netns.Exim {
	t.Helper()
	return netns.NewExim(t, `primary_hostname = mx.receiver.test
log_selector = -all
helo_allow_chars = _
acl_smtp_mail = check
begin acl
check:
  warn set acl_c_helo = fail
       set acl_c_reverse = fail
  warn verify = helo
       set acl_c_helo = ok
  warn verify = reverse_host_lookup/defer_ok
       set acl_c_reverse = defer
  warn verify = reverse_host_lookup
       set acl_c_reverse = ok
  warn verify = csa
  deny message = RESULT helo=$acl_c_helo reverse=$acl_c_reverse csa=$csa_status
`)
}

var eximResult = regexp.MustCompile(`RESULT helo=(\w*) reverse=(\w*) csa=(\w*)`)

// askExim returns what Exim finds out about a client. If it refuses the HELO name, that is
// all it finds.
func askExim(t *testing.T, x netns.Exim, c client) map[string]string {
	t.Helper()
	out := x.Session(t, c.helo, "-bs", "-oMa", strings.TrimPrefix(c.addr, "::ffff:"))
	if found := eximResult.FindStringSubmatch(out); found != nil {
		return map[string]string{"exim-helo": found[1], "exim-reverse": found[2], "exim-csa": found[3]}
	}
	if !slices.Contains(strings.Split(out, "\n"), "501 Syntactically invalid EHLO argument(s)\r") {
		t.Errorf("line %d: Exim: %s", c.line, out)
	}
	return map[string]string{"exim-helo": "501", "exim-reverse": "501", "exim-csa": "501"}
}

// smtpSession sends EHLO, MAIL and RCPT to a server as a client, and returns the reply that
// refuses, or "ok".
func smtpSession(t *testing.T, c client, port int) string {
	t.Helper()
	from := netip.MustParseAddr(c.addr).Unmap()
	host := "127.0.0.1"
	if from.Is6() {
		host = "::1"
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: 10 * time.Second}
	conn, err := dialer.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	text := textproto.NewConn(conn)
	if _, _, err := text.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	commands := []string{"EHLO " + c.helo, "MAIL FROM:<" + strings.TrimPrefix(c.sender, "<>") + ">", "RCPT TO:<box@receiver.test>"}
	if strings.ContainsFunc(c.sender, func(r rune) bool { return r > '~' }) {
		commands[1] += " SMTPUTF8"
	}
	for _, command := range commands {
		if err := text.PrintfLine("%s", command); err != nil {
			t.Fatal(err)
		}
		code, message, err := text.ReadResponse(0)
		if code == 0 {
			t.Fatalf("line %d: %s: %v", c.line, command, err)
		}
		if code >= 400 {
			enhanced, _, _ := strings.Cut(message, " ")
			return fmt.Sprintf("%d %s", code, enhanced)
		}
	}
	text.PrintfLine("QUIT")
	return "ok"
}
