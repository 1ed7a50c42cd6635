package identity_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	blitiri "blitiri.com.ar/go/spf"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/spf"
)

var client = netip.MustParseAddr("192.0.2.10")

// slowly lets every answer take its time.
func slowly(r resolver.Resolver, d time.Duration) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		select {
		case <-time.After(d):
			return r.Lookup(ctx, name, qtype)
		case <-ctx.Done():
			return resolver.Answer{}, context.Cause(ctx)
		}
	})
}

// A second EHLO replaces what the first said, and nothing else; repeated steps ask
// nothing again.
func TestSessionRepeats(t *testing.T) {
	fake := fakeClients(t)
	s := verifier(fake).Session(t.Context(), client)
	defer s.Close()
	ctx := t.Context()
	s.Connect(ctx)
	first := s.Helo(ctx, "smtp.example.test")
	mail := s.MailFrom(ctx, "a@null.example.test")
	if mail.Advice.Reply.Code != 550 || first.Sender != "" || first.MailFromSPF != nil {
		t.Errorf("first %+v, mail %+v", first.Advice, mail.Advice)
	}
	if again := s.MailFrom(ctx, "a@null.example.test"); again.Questions != mail.Questions {
		t.Errorf("the same sender cost %d questions more", again.Questions-mail.Questions)
	}
	if other := s.MailFrom(ctx, "b@example.test"); other.Advice.Action != identity.Accept || other.NullMX.Domain != "example.test." {
		t.Errorf("%s %v", other.Advice, other.NullMX)
	}
	second := s.Helo(ctx, "mail.other.test")
	if second.Level != identity.Traceable || second.MailFromSPF != nil || second.Sender != "" || second.IPRev != first.IPRev {
		t.Errorf("second EHLO: %s, sender %q", second.Level, second.Sender)
	}
	if first.Level != identity.Explicit || first.HeloText != "smtp.example.test" || first.Helo.Argument.Name != "smtp.example.test." {
		t.Errorf("the first verdict has changed: %+v", first)
	}
	back := s.Helo(ctx, "smtp.example.test")
	if back.Level != identity.Explicit || back.Questions != second.Questions {
		t.Errorf("back: %s, %d questions more", back.Level, back.Questions-second.Questions)
	}
	if same := s.Helo(ctx, "smtp.example.test"); same.HeloSPF != back.HeloSPF || same.MailFromSPF != nil {
		t.Error("the same HELO was checked again")
	}
}

// MAIL FROM may come without HELO, and an empty HELO is none. It ends the work of MAIL FROM.
func TestSessionMailFromFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeClients(t)
		s := identity.Verifier{Resolver: slowly(fake, time.Second)}.Session(t.Context(), client)
		defer s.Close()
		if v := s.MailFrom(t.Context(), "b@example.test"); !slices.Contains(v.Reasons, identity.NoHelo) {
			t.Errorf("without HELO: %v", v.Reasons)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		s.MailFrom(gone, "b@other.test")
		for range 2 {
			if v := s.Helo(t.Context(), ""); !v.Has(identity.NoHelo) || v.Has(identity.MalformedHelo) || v.HeloSPF != nil || v.Advice.Action != identity.Score {
				t.Errorf("empty HELO: %v", v.Reasons)
			}
		}
	})
}

// No step waits longer than its context, and what it did not wait for is there later.
func TestSessionContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := identity.Verifier{Resolver: slowly(fakeClients(t), time.Second)}.Session(t.Context(), client)
		defer s.Close()
		ended, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("client has gone")
		cancel(reason)
		start := time.Now()
		v := s.Helo(ended, "smtp.example.test")
		if v.Level != identity.Undetermined || v.Advice.Action != identity.Score || !errors.Is(v.HeloSPF.Err, reason) || time.Since(start) > 0 {
			t.Errorf("%s after %v, %v", v.Level, time.Since(start), v.HeloSPF.Err)
		}
		holdsVerdict(t, v)
		v = s.MailFrom(t.Context(), "a@example.test")
		if v.Level != identity.Explicit || time.Since(start) != 2*time.Second {
			t.Errorf("%s after %v", v.Level, time.Since(start))
		}
		holdsVerdict(t, v)
	})
}

// A resolver that heeds no context delays nobody beyond the time limit.
func TestSessionCarelessResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		careless := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			<-release
			return resolver.Answer{}, nil
		})
		v := identity.Verifier{Resolver: careless, Timeout: 3 * time.Second}
		s := v.Session(t.Context(), client)
		start := time.Now()
		for i, verdict := range []*identity.Verdict{s.Connect(t.Context()), s.Helo(t.Context(), "mail.example.test"), s.MailFrom(t.Context(), "a@example.test")} {
			if elapsed := time.Since(start); verdict.Advice.Action == identity.Reject || elapsed > 9*time.Second {
				t.Errorf("step %d: %s after %v", i, verdict.Advice, elapsed)
			}
			if verdict.Step == identity.AtMailFrom && (verdict.Advice.Reply.Code != 451 || verdict.Advice.Reply.Enhanced != (envelope.EnhancedCode{4, 4, 3}) || verdict.Level != identity.Undetermined) {
				t.Errorf("%s, %s", verdict.Level, verdict.Advice)
			}
		}
		if elapsed := time.Since(start); elapsed != 9*time.Second {
			t.Errorf("three steps took %v", elapsed)
		}
		s.Close()
		close(release)
	})
}

// A time limit shorter than that of a cache's resolver does not keep the cache from learning
// that a server is silent: the sessions after that do not wait for it anew.
func TestSessionFailuresAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := resolver.Func(func(ctx context.Context, _ string, _ uint16) (resolver.Answer, error) {
			select {
			case <-time.After(5 * time.Second):
				return resolver.Answer{}, errors.New("silence")
			case <-ctx.Done():
				return resolver.Answer{}, context.Cause(ctx)
			}
		})
		v := identity.Verifier{Resolver: &resolver.Cache{Resolver: silent}, Timeout: time.Second}
		ended, cancel := context.WithCancel(t.Context())
		session := func() (*identity.Verdict, time.Duration) {
			start := time.Now()
			s := v.Session(t.Context(), client)
			defer s.Close()
			s.Helo(ended, "smtp.example.test")
			return s.MailFrom(t.Context(), "a@sender.test"), time.Since(start)
		}
		cancel()
		if v, took := session(); v.Level != identity.Undetermined || took != time.Second {
			t.Errorf("the first session: %s after %v", v.Level, took)
		}
		time.Sleep(4500 * time.Millisecond)
		for _, which := range []string{"second", "third"} {
			if v, took := session(); v.Level != identity.Undetermined || took != 0 {
				t.Errorf("the %s session: %s after %v", which, v.Level, took)
			}
		}
	})
}

// Close stops the background, twice is safe, and steps after it fail for now.
func TestSessionClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := identity.Verifier{Resolver: slowly(fakeClients(t), time.Hour), Timeout: 2 * time.Hour}.Session(t.Context(), client)
		s.Close()
		s.Close()
		start := time.Now()
		v := s.Helo(t.Context(), "smtp.example.test")
		if v.Level != identity.Undetermined || !errors.Is(v.IPRev.Err, context.Canceled) || time.Since(start) > 0 {
			t.Errorf("%s after %v: %v", v.Level, time.Since(start), v.IPRev.Err)
		}
	})
}

// DNS that is down: nothing is refused, and every answer is here in time.
func TestSessionWithoutDNS(t *testing.T) {
	for _, r := range []resolver.Resolver{nil, resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		return resolver.Answer{}, errors.New("down")
	})} {
		for _, tt := range clients {
			for _, p := range []identity.Policy{{}, with(identity.MailFromUnknown, identity.Score)} {
				v := run(t, identity.Verifier{Resolver: r, Policy: p}, tt.client, tt.helo, tt.sender)
				if v.Advice.Action == identity.Reject && v.Advice.Reason != identity.MalformedSender {
					t.Errorf("%s %q %q: %s", tt.client, tt.helo, tt.sender, v.Advice)
				}
				if p.Reasons != nil && v.Advice.Action == identity.Defer {
					t.Errorf("%s %q %q: %s by the milder policy", tt.client, tt.helo, tt.sender, v.Advice)
				}
			}
		}
	}
}

// A client without an address is not judged: that the caller does not know it is not its fault.
func TestSessionInvalidClient(t *testing.T) {
	fake := fakeClients(t)
	s := verifier(fake).Session(t.Context(), netip.Addr{})
	defer s.Close()
	v := s.Helo(t.Context(), "smtp.example.test")
	if v.Level != identity.NotApplicable || v.Advice.Action != identity.Accept || keywords(v.Reasons) != "private-client" || len(fake.Questions()) > 0 {
		t.Errorf("%s %s %s", v.Level, v.Advice, keywords(v.Reasons))
	}
}

// From the connection to the verdict on MAIL FROM a session takes as many round trips
// as answers depend on each other, and asks nothing twice.
func TestSessionRoundTrips(t *testing.T) {
	const roundTrip = 10 * time.Millisecond
	for _, tt := range []struct {
		name, zones string
		depth       int // of MAIL FROM; two more are of HELO and the reverse name
	}{
		{"ip4", "sender.test. TXT \"v=spf1 ip4:192.0.2.10 -all\"\nsender.test. MX 1 mx.sender.test.\n", 1},
		{"includes", includes, 3},
		{"terms", tenTerms(), 2},
		{"mx10x10", tenMX(), 3},
	} {
		fake, err := dnsfake.New(clientZones + tt.zones)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			s := identity.Verifier{Resolver: slowly(fake, roundTrip)}.Session(t.Context(), client)
			defer s.Close()
			s.Helo(t.Context(), "smtp.example.test")
			v := s.MailFrom(t.Context(), "a@sender.test")
			elapsed := time.Since(start)
			if v.Level != identity.Explicit || v.MailFromSPF.Status != spf.Pass {
				t.Errorf("%s: %s, SPF %s", tt.name, v.Level, v.MailFromSPF.Status)
			}
			if want := time.Duration(2+tt.depth) * roundTrip; elapsed != want {
				t.Errorf("%s took %v, expected %v", tt.name, elapsed, want)
			}
			asked := make(map[resolver.Question]bool)
			for _, q := range fake.Questions() {
				if asked[q] {
					t.Errorf("%s: asked twice: %v", tt.name, q)
				}
				asked[q] = true
			}
			// Those that a session would ask that asks only what it must.
			sequential := sequentially(t, clientZones+tt.zones)
			start = time.Now()
			byHand(t, slowly(fake, roundTrip))
			t.Logf("%s: %v, %d questions, %d of them ahead; by hand, one after the other, %v", tt.name, elapsed, v.Questions, v.Questions-sequential, time.Since(start))
		})
	}
}

// sequentially counts the questions of the same checks one after the other.
func sequentially(t *testing.T, zones string) int {
	t.Helper()
	fake, err := dnsfake.New(zones)
	if err != nil {
		t.Fatal(err)
	}
	identity.Sequential(t.Context(), fake, client, "smtp.example.test", "a@sender.test", "sender.test")
	asked := make(map[resolver.Question]bool)
	for _, q := range fake.Questions() {
		asked[q] = true
	}
	return len(asked)
}

// byHand is what a server would do without this package, over the same zones.
func byHand(t testing.TB, r resolver.Resolver) {
	t.Helper()
	ctx := t.Context()
	net := resolver.AsNet{Resolver: r}
	names, err := net.LookupAddr(ctx, client.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "smtp.example.test") {
		if _, err := net.LookupIPAddr(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, sender := range []string{"postmaster@smtp.example.test", "a@sender.test"} {
		result, err := blitiri.CheckHostWithSender(client.AsSlice(), "smtp.example.test", sender, blitiri.WithContext(ctx), blitiri.WithResolver(net))
		if result != blitiri.Pass {
			t.Error(result, err)
		}
	}
	if _, err := net.LookupMX(ctx, "sender.test"); err != nil {
		t.Fatal(err)
	}
}

const includes = `
sender.test.    TXT "v=spf1 include:_spf.sender.test -all"
sender.test.    MX  1 mx.sender.test.
_spf.sender.test. TXT "v=spf1 include:a.sender.test include:b.sender.test include:c.sender.test ~all"
a.sender.test. TXT "v=spf1 ip4:203.0.113.0/25 ~all"
b.sender.test. TXT "v=spf1 ip4:203.0.113.128/25 ~all"
c.sender.test. TXT "v=spf1 ip4:192.0.2.0/24 ~all"
`

// tenTerms is a policy of ten look-ups, of which the last matches.
func tenTerms() string {
	var b strings.Builder
	b.WriteString("sender.test. MX 1 mx.sender.test.\nsender.test. TXT \"v=spf1")
	for i := range 10 {
		fmt.Fprintf(&b, " a:h%d.sender.test", i)
	}
	b.WriteString(" -all\"\n")
	for i := range 10 {
		fmt.Fprintf(&b, "h%d.sender.test. A 192.0.2.%d\n", i, i+1)
	}
	return b.String()
}

// tenMX has ten exchangers for each of ten terms, of which the last matches.
func tenMX() string {
	var b strings.Builder
	b.WriteString("sender.test. MX 1 mx.sender.test.\nsender.test. TXT \"v=spf1")
	for i := range 10 {
		fmt.Fprintf(&b, " mx:m%d.sender.test", i)
	}
	b.WriteString(" -all\"\n")
	for i := range 10 {
		for j := range 10 {
			fmt.Fprintf(&b, "m%d.sender.test. MX 1 x%d%d.sender.test.\n", i, i, j)
			addr := "203.0.113.1"
			if i == 9 && j == 9 {
				addr = "192.0.2.10"
			}
			fmt.Fprintf(&b, "x%d%d.sender.test. A %s\n", i, j, addr)
		}
	}
	return b.String()
}

// The owner's explanation is quoted where the policy wants it, and said to be his.
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		policy identity.Policy
		want   string
	}{
		{with(identity.MailFromFail, identity.Reject), `550 5.7.23 SPF: "why.example.test" does not allow 192.0.2.10 to send its mail`},
		{identity.Policy{Reasons: with(identity.MailFromFail, identity.Reject).Reasons, Explain: true}, `550 5.7.23 SPF: "why.example.test" does not allow 192.0.2.10 to send its mail; the owner of why.example.test says: see http://www.example.test/why?192.0.2.10`},
	} {
		v := verifier(fakeClients(t))
		v.Policy = tt.policy
		if got := run(t, v, "192.0.2.10", "smtp.example.test", "a@why.example.test"); got.Advice.String() != tt.want {
			t.Errorf("%s", got.Advice)
		}
	}
}

// Property 5 of the design: no order of records matters.
func TestVerifierOrder(t *testing.T) {
	seed := rand.Uint64()
	for _, tt := range clients {
		healthy := run(t, verifier(fakeClients(t)), tt.client, tt.helo, tt.sender)
		v := verifier(nil)
		v.Resolver = dnsfake.Shuffle(fakeClients(t), seed)
		got := run(t, v, tt.client, tt.helo, tt.sender)
		if got.Level != healthy.Level || got.Advice != healthy.Advice || keywords(got.Reasons) != keywords(healthy.Reasons) || got.PTRName != healthy.PTRName {
			t.Errorf("%s %s %s: %s %s, in another order %s %s (seed %d)", tt.client, tt.helo, tt.sender, healthy.Level, healthy.Advice, got.Level, got.Advice, seed)
		}
	}
}

// FuzzSession: nothing that a client says panics, and what is true of every verdict
// holds.
func FuzzSession(f *testing.F) {
	for _, tt := range clients {
		f.Add(tt.client, tt.helo, tt.sender)
	}
	f.Fuzz(func(t *testing.T, addr, heloName, sender string) {
		fake := fakeClients(t)
		client, _ := netip.ParseAddr(addr)
		s := verifier(fake).Session(t.Context(), client)
		defer s.Close()
		s.Helo(t.Context(), heloName)
		v := s.MailFrom(t.Context(), sender)
		holdsVerdict(t, v)
		if _, err := v.AuthenticationResults("mx.here.test"); err != nil {
			t.Error(err)
		}
	})
}

// What a whole session costs when DNS costs nothing, beside the same checks by hand.
func BenchmarkSession(b *testing.B) {
	fake, err := resolver.ParseZones(clientZones + includes)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("session", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := identity.Verifier{Resolver: fake}.Session(b.Context(), client)
			s.Helo(b.Context(), "smtp.example.test")
			s.MailFrom(b.Context(), "a@sender.test")
			s.Close()
		}
	})
	b.Run("byHand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			byHand(b, fake)
		}
	})
}
