package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

// many returns the questions for the addresses of so many names.
func many(n int) []resolver.Question {
	var questions []resolver.Question
	for i := range n {
		questions = append(questions, resolver.Question{Name: fmt.Sprintf("N%d.example.test", i), Type: dns.TypeA})
	}
	return questions
}

// The responses have the order of the questions, and no more than AtOnce are under
// way, whatever the order in which the answers come.
func TestAskAllOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2, resolver.AtOnce, resolver.AtOnce + 1, 5*resolver.AtOnce + 3} {
		bubble(t, fmt.Sprint(n), func(t *testing.T) {
			var asked, open, most atomic.Int64
			r := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
				for now := open.Add(1); now > most.Load(); {
					most.Store(now)
				}
				defer open.Add(-1)
				time.Sleep(time.Duration(100-asked.Add(1)) * time.Millisecond) // the last question is answered first
				return resolver.Answer{Server: resolver.Question{Name: name, Type: qtype}.String()}, nil
			})
			responses := resolver.AskAll(t.Context(), r, many(n)...)
			if len(responses) != n || most.Load() != int64(min(n, resolver.AtOnce)) {
				t.Errorf("%d responses, %d questions at once", len(responses), most.Load())
			}
			for i, response := range responses {
				if want := fmt.Sprintf("n%d.example.test. A", i); response.Question.String() != want || response.Server != want || response.Err != nil {
					t.Errorf("%d: got %v", i, response)
				}
			}
		})
	}
}

// When the context ends, the open questions end by the Resolver, and none is put
// any more.
func TestAskAllContext(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		reason := errors.New("the client left")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, reason)
		defer cancel()
		var asked atomic.Int64
		r := resolver.Func(func(ctx context.Context, _ string, _ uint16) (resolver.Answer, error) {
			if asked.Add(1) == 1 {
				return resolver.Answer{}, nil
			}
			<-ctx.Done()
			return resolver.Answer{}, ctx.Err()
		})
		start, known := time.Now(), 0
		for i, response := range resolver.AskAll(ctx, r, many(100)...) {
			switch {
			case response.Err == nil:
				known++
			case !errors.Is(response.Err, context.DeadlineExceeded):
				t.Errorf("%d: %v", i, response.Err)
			}
			if i > 2*resolver.AtOnce && !errors.Is(response.Err, reason) {
				t.Errorf("%d: %v lacks the reason", i, response.Err)
			}
		}
		if known != 1 || asked.Load() != 1+resolver.AtOnce || time.Since(start) != time.Minute {
			t.Errorf("%d answers, %d questions, in %s", known, asked.Load(), time.Since(start))
		}
	})
}

// Whatever a Resolver does to one question, it is an error, never an answer, and
// the other questions have their answers.
func TestAskAllCareless(t *testing.T) {
	for what, careless := range map[string]func() (resolver.Answer, error){
		"lookup n1.example.test. A: panic in the Resolver: broken in github.com/bonafide-mta/bonafide/resolver_test.TestAskAllCareless.func1 (ask_test.go:92)": func() (resolver.Answer, error) { panic("broken") },
		"lookup n1.example.test. A: the Resolver called runtime.Goexit":                                                                                        func() (resolver.Answer, error) { runtime.Goexit(); panic("unreachable") },
		"lookup n1.example.test. A: no answer":  func() (resolver.Answer, error) { return resolver.Answer{}, (*resolver.Error)(nil) },
		"lookup n1.example.test. A: bare error": func() (resolver.Answer, error) { return resolver.Answer{}, errors.New("bare error") },
	} {
		r := resolver.Func(func(_ context.Context, name string, _ uint16) (resolver.Answer, error) {
			if name == "n1.example.test." {
				return careless()
			}
			return resolver.Answer{Server: "here"}, nil
		})
		for i, response := range resolver.AskAll(t.Context(), r, many(40)...) {
			switch {
			case i != 1 && (response.Err != nil || response.Server != "here"):
				t.Errorf("%s: %d: got %v", what, i, response)
			case i == 1 && (response.Err == nil || response.Err.Error() != what):
				t.Errorf("got %v, want %s", response.Err, what)
			}
		}
	}
	// The last question is asked by the caller's goroutine.
	r := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { panic("broken") })
	if got := resolver.AskAll(t.Context(), r, many(1)...); got[0].Err == nil {
		t.Errorf("got %v", got)
	}
}

// What Ask says without a question, AskAll says too.
func TestAskAllAsAsk(t *testing.T) {
	zones := mustParse(t, lookupZone)
	questions := []resolver.Question{
		{Name: "MAIL.example.test", Type: dns.TypeA}, {Name: "a..b", Type: dns.TypeA}, {Name: "x.onion", Type: dns.TypeMX},
		{Name: "outside.invalid-zone", Type: dns.TypeA}, {Name: "nowhere.example.test", Type: dns.TypeTXT},
	}
	for _, r := range []resolver.Resolver{zones, nil} {
		for i, got := range resolver.AskAll(t.Context(), r, questions...) {
			if want := resolver.Ask(t.Context(), r, questions[i].Name, questions[i].Type); got.String() != want.String() || got.Question != want.Question {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
}

func TestAddrType(t *testing.T) {
	for text, want := range map[string]uint16{
		"192.0.2.1": dns.TypeA, "::ffff:192.0.2.1": dns.TypeA, "2001:db8::1": dns.TypeAAAA, "fe80::1%eth0": dns.TypeAAAA,
	} {
		if got := resolver.AddrType(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %s", text, resolver.TypeString(got))
		}
	}
	want := []resolver.Question{{Name: "a.test.", Type: dns.TypeA}, {Name: "a.test.", Type: dns.TypeAAAA}}
	if diff := cmp.Diff(want, resolver.AddrQuestions("a.test.")); diff != "" {
		t.Error(diff)
	}
}
