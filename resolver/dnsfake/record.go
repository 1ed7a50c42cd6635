package dnsfake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Recorder is a Resolver that asks another one and writes a transcript of the questions and
// their outcomes. Make one with [Record].
//
// A transcript is text that people can read and edit. Each question is on a line of its own.
// Its outcome is on the lines below it, each of which begins with a tab:
//
//	mail.example.test. A
//		server "192.0.2.53:53"
//		ttl 5m0s
//		ad
//		alias mail.example.test. 300 IN CNAME web.example.test.
//		record web.example.test. 300 IN A 192.0.2.10
//	none.example.test. MX
//		status NXDOMAIN
//	slow.example.test. TXT
//		server "192.0.2.53:53"
//		fault SERVFAIL
//		extended 6 "no DNSKEY"
//	silent.example.test. TXT
//		fault "udp: i/o timeout"
//		cause timeout
//
// What a transcript does not say has its zero value. A fault has a response code, a quoted
// text, or both. Each cause is what errors.Is or a Timeout method says about the error:
// timeout, canceled, deadline, malformed, chain, no-zone, no-server or unsupported. Empty
// lines, and lines that begin with a semicolon, are skipped.
type Recorder struct {
	inner resolver.Resolver

	mu  sync.Mutex
	w   io.Writer
	err error
}

// Record returns a Resolver that answers as r does, and writes each question with its outcome
// to w, in the order in which the answers come. Errors of w do not change the answers: see
// [Recorder.Err]. It panics if r or w is nil.
func Record(r resolver.Resolver, w io.Writer) *Recorder {
	if r == nil || w == nil {
		panic("dnsfake: Record: nil: expected a Resolver and a Writer")
	}
	return &Recorder{inner: r, w: w}
}

// Err returns the first error of writing. Nothing is written after it.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Lookup implements resolver.Resolver.
func (r *Recorder) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	reply := resolver.Ask(ctx, r.inner, name, qtype)
	answer, err := reply.Answer, reply.Err
	canonical, bad := resolver.Canonical(name)
	if bad != nil {
		return answer, err // no question, and nobody could ask it again
	}
	text := transcript(resolver.Question{Name: canonical, Type: qtype}, answer, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		_, r.err = io.WriteString(r.w, text)
	}
	return answer, err
}

// transcript writes one question and what came of it.
func transcript(q resolver.Question, a resolver.Answer, err error) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "\t"+format+"\n", args...) }
	fmt.Fprintln(&b, q)
	if err != nil {
		writeFault(line, err)
		return b.String()
	}
	if a.Server != "" {
		line("server %q", a.Server)
	}
	if a.Status != resolver.NoError {
		line("status %s", a.Status)
	}
	if a.TTL != 0 {
		line("ttl %s", a.TTL)
	}
	if a.Authentic {
		line("ad")
	}
	for _, rr := range a.Chain {
		line("alias %s", txt.Exact(rr))
	}
	for _, rr := range a.Records {
		line("record %s", txt.Exact(rr))
	}
	return b.String()
}

// writeFault writes what an error says and, by its causes, what it is.
func writeFault(line func(string, ...any), err error) {
	e, ok := errors.AsType[*resolver.Error](err)
	if !ok {
		e = &resolver.Error{Err: err}
	}
	if e.Server != "" {
		line("server %q", e.Server)
	}
	fault := ""
	if e.RCode != 0 {
		fault = " " + rcodeString(e.RCode)
	}
	if e.Err != nil {
		fault += fmt.Sprintf(" %q", e.Err)
	}
	line("fault%s", fault)
	for _, x := range e.Extended {
		line("extended %d %q", x.Code, x.Text)
	}
	for _, c := range causes {
		if c.in(err) {
			line("cause %s", c.word)
		}
	}
}

// rcodeString returns the mnemonic of a response code, or its number.
func rcodeString(rcode int) string {
	if s := dns.RcodeToString[rcode]; s != "" {
		return s
	}
	return fmt.Sprint(rcode)
}

// A cause is what a caller may look for in an error.
type cause struct {
	word string
	err  error // for errors.Is
}

// in reports whether an error has the cause. A timeout is what has a method that
// says so, whatever its type.
func (c cause) in(err error) bool {
	if c.err != (timeoutError{}) {
		return errors.Is(err, c.err)
	}
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

var causes = []cause{
	{"timeout", timeoutError{}},
	{"canceled", context.Canceled},
	{"deadline", context.DeadlineExceeded},
	{"malformed", resolver.ErrMalformed},
	{"chain", resolver.ErrChain},
	{"no-zone", resolver.ErrNoZone},
	{"no-server", resolver.ErrNoServer},
	{"unsupported", errors.ErrUnsupported},
}
