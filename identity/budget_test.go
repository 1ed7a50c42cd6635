package identity_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/spf"
)

// hostile answers every question under bad.test, and about the client's PTR names, with
// what costs the most questions.
func hostile(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
	var a resolver.Answer
	add := func(rr dns.RR) {
		*rr.Header() = dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 300}
		a.Records = append(a.Records, rr)
	}
	switch qtype {
	case dns.TypePTR:
		for i := range 40 {
			add(&dns.PTR{Ptr: fmt.Sprintf("n%02d.bad.test.", i)})
		}
	case dns.TypeTXT:
		// Ten terms that cannot be asked ahead, of which the last one matches, and ten that
		// are asked ahead in vain.
		var b strings.Builder
		if strings.HasPrefix(name, "unknown.") {
			b.WriteString("v=spf1")
			for i := range 9 {
				fmt.Fprintf(&b, " mx:%%{p}.m%d.%s", i, name)
			}
		} else {
			fmt.Fprintf(&b, "v=spf1 -include:%%{p}.%s", name)
			for i := range 10 {
				fmt.Fprintf(&b, " mx:r%d.%s", i, name)
			}
			fmt.Fprintf(&b, " exp=why.%s", name)
		}
		add(&dns.TXT{Txt: txt.Split(b.String())})
	case dns.TypeMX:
		for i := range 10 {
			if strings.HasPrefix(name, "m.") { // a sender's domain without exchanger
				break
			}
			add(&dns.MX{Preference: 10, Mx: fmt.Sprintf("h%d.%s", i, name)})
		}
	case dns.TypeSRV:
		if strings.HasPrefix(name, "_client._smtp.h.") {
			for i := range 30 {
				add(&dns.SRV{Priority: 1, Weight: 2, Port: 1, Target: fmt.Sprintf("t%02d.bad.test.", i)})
			}
		}
	case dns.TypeA:
		addr := net.IPv4(192, 0, 2, 200)
		if strings.HasPrefix(name, "h9.unknown.m8.") {
			addr = net.IPv4(192, 0, 2, 10)
		}
		if !strings.HasPrefix(name, "m.") {
			add(&dns.A{A: addr})
		}
	}
	return a, nil
}

// The worst case of each step is what the checks state, and a hostile zone comes close.
func TestWorstCase(t *testing.T) {
	const heloName, domain = "h.a.b.c.d.e.bad.test", "m.bad.test"
	var asked atomic.Int32
	r := slowly(resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		asked.Add(1)
		return hostile(ctx, name, qtype)
	}), time.Millisecond) // else what is asked ahead comes too late
	policy := spf.Checker{Resolver: r, Speculate: spf.SpeculateAll, MaxOpen: 128}
	questions := make(map[string]int)
	for name, check := range map[string]func(context.Context){
		"iprev":        func(ctx context.Context) { fcrdns.Checker{Resolver: r}.Check(ctx, client) },
		"HELO address": func(ctx context.Context) { helo.Checker{Resolver: r}.Check(ctx, heloName, client) },
		"CSA":          func(ctx context.Context) { csa.Checker{Resolver: r}.Check(ctx, client, heloName) },
		"HELO SPF":     func(ctx context.Context) { policy.CheckHelo(ctx, client, heloName) },
		"SPF":          func(ctx context.Context) { policy.CheckMailFrom(ctx, client, heloName, "a@"+domain) },
		"Null MX":      func(ctx context.Context) { nullmx.Checker{Resolver: r}.Check(ctx, domain) },
	} {
		synctest.Test(t, func(t *testing.T) {
			asked.Store(0)
			check(t.Context())
			questions[name] = int(asked.Load())
		})
	}
	want := map[string]int{"iprev": 11, "HELO address": 1, "CSA": 16, "HELO SPF": 223, "SPF": 223, "Null MX": 3}
	if diff := cmp.Diff(want, questions); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	connect, heloStep, mail := identity.WorstCase()
	if connect != 11 || heloStep != 10+1+16+233 || mail != 233+3 {
		t.Errorf("the steps reserve %d, %d and %d", connect, heloStep, mail)
	}

	// In a session, the two policies share the questions for the PTR names with iprev.
	shared := 2 * questions["iprev"]
	synctest.Test(t, func(t *testing.T) {
		asked.Store(0)
		v := run(t, identity.Verifier{Resolver: r, Policy: identity.Policy{Explain: true}, MaxQuestions: 1}, "192.0.2.10", heloName, "a@"+domain)
		most := connect + heloStep + mail
		if v.Questions != int(asked.Load()) || v.Questions > most-shared || v.Questions < most-shared-30 || v.HeloSPF.Status != spf.Fail || v.MailFromSPF.Status != spf.Fail {
			t.Errorf("%d questions, asked %d, SPF %v, %v", v.Questions, asked.Load(), v.HeloSPF, v.MailFromSPF)
		}
		t.Logf("alone: %v; a session: %d, of which %d are shared, of %d", questions, v.Questions, shared, most)
	})
}

// exhausted reports whether a verdict is that of a session that asks nothing more.
func exhausted(t testing.TB, v *identity.Verdict) bool {
	t.Helper()
	if !v.Has(identity.SessionExhausted) {
		return false
	}
	if v.Level != identity.Undetermined || len(v.Reasons) != 1 || v.Advice.Action != identity.Defer || v.Advice.Reply.Code != 421 || v.Advice.Reply.Enhanced != (envelope.EnhancedCode{4, 7, 0}) {
		t.Errorf("exhausted: %s %s %s", v.Level, v.Advice, keywords(v.Reasons))
	}
	if v.IPRev != nil || v.Helo != nil || v.HeloSPF != nil || v.CSA != nil || v.MailFromSPF != nil || v.NullMX != nil {
		t.Errorf("exhausted, with results: %+v", v)
	}
	return true
}

// withHostile is the DNS of the clients, and bad.test.
func withHostile(r resolver.Resolver) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if strings.HasSuffix(name, ".bad.test.") {
			return hostile(ctx, name, qtype)
		}
		return r.Lookup(ctx, name, qtype)
	})
}

// A session that does not have the worst case of a step left asks nothing, then and later,
// whatever the policy.
func TestSessionExhausted(t *testing.T) {
	for _, p := range []identity.Policy{{}, unconfirmed, with(identity.MailFromUnknown, identity.Score), with(identity.SessionExhausted, identity.Accept),
		{Levels: map[identity.Level]identity.Action{identity.Undetermined: identity.Reject}}, {ReportOnly: true, Exceptions: []identity.Exception{network("0.0.0.0/0")}}} {
		fake := fakeClients(t)
		v := verifier(fake)
		v.Resolver, v.Policy, v.MaxQuestions = withHostile(fake), p, 1
		s := v.Session(t.Context(), client)
		defer s.Close()
		// Even so it has enough for one message.
		if verdict := s.Helo(t.Context(), "h.a.bad.test"); exhausted(t, verdict) {
			t.Fatal("exhausted at HELO")
		}
		if verdict := s.MailFrom(t.Context(), "a@m.bad.test"); exhausted(t, verdict) {
			t.Fatal("exhausted at MAIL FROM")
		}
		for i := 0; !exhausted(t, s.Helo(t.Context(), fmt.Sprintf("h.a%d.bad.test", i))); i++ {
		}
		asked := len(fake.Questions())
		for i, step := range []func() *identity.Verdict{
			func() *identity.Verdict { return s.Helo(t.Context(), "mail.other.test") },
			func() *identity.Verdict { return s.Helo(t.Context(), "mail.other.test") },
			func() *identity.Verdict { s.StartHelo("mail.other2.test"); return s.Connect(t.Context()) },
			func() *identity.Verdict { return s.MailFrom(t.Context(), "a@null.example.test") },
			func() *identity.Verdict { return s.MailFrom(t.Context(), "a b\x00") },
			func() *identity.Verdict { return s.Helo(t.Context(), "") },
			func() *identity.Verdict { return s.Connect(t.Context()) },
		} {
			verdict := step()
			if !exhausted(t, verdict) || len(fake.Questions()) != asked {
				t.Errorf("step %d: %s, %d questions more", i, keywords(verdict.Reasons), len(fake.Questions())-asked)
			}
			holdsVerdict(t, verdict)
		}
		s.Helo(t.Context(), "smtp.example.test")
		if verdict := s.MailFrom(t.Context(), "a@null.example.test"); verdict.Sender != "a@null.example.test" || verdict.HeloText != "smtp.example.test" {
			t.Errorf("sender %q, HELO %q", verdict.Sender, verdict.HeloText)
		}
	}
}

// What a client says before does not change the verdict on it: after any sequence of
// commands it is that of a fresh session, or the session is exhausted.
func TestSessionSequences(t *testing.T) {
	names := []string{"", "a b", "[192.0.2.10]", "silent.test", "servfail.test"}
	senders := []string{"", "a b\x00", "@bad.test", "a@silent.test", "a@servfail.test"}
	var addrs []string
	for _, tt := range clients {
		names, senders, addrs = append(names, tt.helo), append(senders, strings.TrimPrefix(tt.sender, "-")), append(addrs, tt.client)
	}
	ownName, ownSender := rapid.SampledFrom(names), rapid.SampledFrom(senders)
	name := rapid.OneOf(ownName, ownName, rapid.Map(rapid.IntRange(0, 99), func(i int) string { return fmt.Sprintf("h.%d.bad.test", i) }))
	senderOf := rapid.OneOf(ownSender, ownSender, rapid.Map(rapid.IntRange(0, 99), func(i int) string { return fmt.Sprintf("a@%d.bad.test", i) }))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	ends := make(map[bool]int)
	rapid.Check(t, func(rt *rapid.T) {
		addr := netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(rt, "client"))
		budget := rapid.SampledFrom([]int{0, 1, 700, 5000}).Draw(rt, "MaxQuestions")
		silent := rapid.SampledFrom([]dnsfake.Kind{dnsfake.ServFail, dnsfake.Timeout}).Draw(rt, "fault")
		length := rapid.SampledFrom([]int{1, 3, 8, 20}).Draw(rt, "length")
		commands := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) command {
			return command{
				rapid.SampledFrom([]string{"HELO", "START", "HELO", "MAIL", "MAIL", "CONNECT"}).Draw(rt, "verb"),
				name.Draw(rt, "name"), senderOf.Draw(rt, "sender"), rapid.IntRange(0, 3).Draw(rt, "wait") > 0,
			}
		}), length, length).Draw(rt, "commands")
		heloName, sender := name.Draw(rt, "helo"), senderOf.Draw(rt, "sender")
		start := rapid.Bool().Draw(rt, "start")
		synctest.Test(t, func(t *testing.T) {
			v := verifier(fakeClients(t))
			fake := fakeClients(t)
			if err := faulty(fake, silent); err != nil {
				rt.Fatal(err)
			}
			v.Resolver, v.MaxQuestions = slowly(withHostile(fake), time.Millisecond), budget
			judge := func(commands []command, start bool) *identity.Verdict {
				s := v.Session(t.Context(), addr)
				defer s.Close()
				for _, c := range commands {
					ctx := t.Context()
					if !c.wait {
						ctx = ended
					}
					c.say(ctx, s)
				}
				if start {
					s.StartHelo(heloName)
				} else {
					s.Helo(t.Context(), heloName)
				}
				return s.MailFrom(t.Context(), sender)
			}
			fresh, got := judge(nil, false), judge(commands, start)
			if exhausted(t, fresh) {
				rt.Fatal("a fresh session is exhausted")
			}
			end := exhausted(t, got)
			ends[end]++
			if end {
				return
			}
			if diff := cmp.Diff(facts(fresh), facts(got)); diff != "" {
				rt.Fatalf("(-fresh +after the commands):\n%s", diff)
			}
		})
	})
	t.Logf("%d sessions exhausted, %d not", ends[true], ends[false])
}

// faulty makes the names servfail.test and silent.test fail.
func faulty(fake *dnsfake.Fake, kind dnsfake.Kind) error {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX} {
		fake.Fail("servfail.test", qtype, dnsfake.ServFail)
		fake.Fail("silent.test", qtype, kind)
	}
	return nil
}

// A command of SMTP, whose reply is waited for or not.
type command struct {
	verb, name, sender string
	wait               bool
}

func (c command) say(ctx context.Context, s *identity.Session) {
	switch c.verb {
	case "HELO":
		s.Helo(ctx, c.name)
	case "START":
		s.StartHelo(c.name)
	case "MAIL":
		s.MailFrom(ctx, c.sender)
	default:
		s.Connect(ctx)
	}
}

// facts is a verdict without questions and evidence.
func facts(v *identity.Verdict) map[string]string {
	out := map[string]string{
		"level": v.Level.String(), "advice": v.Advice.String(), "reasons": keywords(v.Reasons), "PTR name": v.PTRName, "relation": v.Relation.String(),
		"HELO": v.HeloText, "sender": v.Sender, "iprev": "", "HELO address": "", "HELO SPF": "", "CSA": "", "SPF": "", "MX": "",
	}
	if v.IPRev != nil {
		out["iprev"] = v.IPRev.Status.String()
	}
	if v.Helo != nil {
		out["HELO address"], out["HELO SPF"], out["CSA"] = v.Helo.Status.String(), v.HeloSPF.Status.String(), v.CSA.Status.String()+" "+v.CSA.Reason.String()
	}
	if v.MailFromSPF != nil {
		out["SPF"] = v.MailFromSPF.Status.String() + " " + v.MailFromSPF.Term.String()
	}
	if v.NullMX != nil {
		out["MX"] = v.NullMX.Status.String()
	}
	return out
}
