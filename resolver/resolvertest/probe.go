package resolvertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A probe asks the implementation under test about one promise.
type probe struct {
	testing.TB
	promise *promise
	r       resolver.Resolver
	during  string // what is done to the question: a fault, a context that ends
}

func newProbe(t testing.TB, p *promise, r resolver.Resolver) *probe {
	if r == nil {
		t.Fatal("newResolver returned nil; expected the implementation to test")
	}
	return &probe{TB: t, promise: p, r: r}
}

const (
	patience = 30 * time.Second // for an answer
	soon     = 3 * time.Second  // after the context is done: for a busy machine, far below patience
)

// broken reports an answer that breaks the promise: the question, what was done to it, the
// answer, the expected one, the promise, what to do, and the zone.
func (p *probe) broken(q resolver.Question, got, want string) {
	p.Helper()
	during := ""
	if p.during != "" {
		during = "\n\twith:     " + p.during
	}
	p.Errorf("%s%s\n\tgot:      %s\n\texpected: %s\n\tpromise:  %s\n\tto do:    %s\n\tzone:     %s",
		q, during, got, want, p.promise.says, p.promise.remedy, p.promise.literal())
}

// maxShown limits the octets of an answer in a message.
const maxShown = 200

// literal returns the zone text as a Go expression, which can be pasted into a call of
// resolver.ParseZones. The text itself could not: package testing indents messages, and a line
// of a zone that begins with a space has the owner of the line before.
func (p *promise) literal() string {
	zone := p.zone
	if p.brief != "" {
		zone = p.brief
	}
	var quoted []string
	for line := range strings.Lines(apex + zone + "\n") {
		quoted = append(quoted, strconv.Quote(line))
	}
	return strings.Join(quoted, " +\n\t\t")
}

// describe returns the outcome of a question for a message.
func describe(q resolver.Question, a resolver.Answer, err error) string {
	text := strings.TrimPrefix(resolver.Response{Question: q, Answer: a, Err: err}.String(), q.String()+": ")
	if len(text) > maxShown {
		text = fmt.Sprintf("%.*s … (%d records)", maxShown, text, len(a.Records))
	}
	if err != nil {
		return "the error " + text
	}
	return text
}

// lookup asks a question in a context. It ends the test if the implementation does not return
// soon after the context is done, and skips it if the implementation cannot answer such a
// question.
func (p *probe) lookup(ctx context.Context, q resolver.Question) (resolver.Answer, error) {
	p.Helper()
	got, returned := call(ctx, p.r, q)
	if !returned {
		p.broken(q, fmt.Sprintf("nothing for %v after the end of the context", soon), "Lookup to return soon")
		p.FailNow()
	}
	if errors.Is(got.err, errors.ErrUnsupported) {
		p.Skipf("not supported by this implementation: %s: %v", q, got.err)
	}
	return got.answer, got.err
}

// A reply is what a call of Lookup returned.
type reply struct {
	answer resolver.Answer
	err    error
}

// call calls Lookup in a goroutine of its own, which outlives the test if it hangs, and
// reports whether it returned soon after the context was done.
func call(ctx context.Context, r resolver.Resolver, q resolver.Question) (got reply, returned bool) {
	done := make(chan reply, 1)
	go func() {
		ended := reply{err: errors.New("the goroutine of Lookup ended, as by t.FailNow")}
		defer func() { done <- ended }()
		ended.answer, ended.err = r.Lookup(ctx, q.Name, q.Type)
	}()
	select {
	case got = <-done:
		return got, true
	case <-ctx.Done():
	}
	grace := time.NewTimer(soon)
	defer grace.Stop()
	select {
	case got = <-done:
		return got, true
	case <-grace.C:
		return reply{}, false
	}
}

// try asks a question and waits long enough for any answer.
func (p *probe) try(q resolver.Question) (resolver.Answer, error) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.lookup(ctx, q)
}

// answer asks for an answer that resolver.Ask takes.
func (p *probe) answer(name string, qtype uint16, want string) resolver.Answer {
	p.Helper()
	q := resolver.Question{Name: name, Type: qtype}
	answer, err := p.try(q)
	if err != nil {
		p.broken(q, describe(q, answer, err), want)
		p.FailNow()
	}
	given := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return answer, nil })
	if held := resolver.Ask(context.Background(), given, name, qtype); held.Err != nil {
		p.broken(q, "an answer that resolver.Ask refuses: "+strings.TrimPrefix(describe(q, answer, held.Err), "the error "), want)
		p.FailNow()
	}
	return answer
}

// expect compares the data of an answer's records, in any order, and tests their type and
// owner.
func (p *probe) expect(name string, qtype uint16, want ...string) resolver.Answer {
	p.Helper()
	expected := strings.Join(want, ", ")
	if len(expected) > maxShown {
		expected = fmt.Sprintf("%d records", len(want))
	}
	a := p.answer(name, qtype, expected)
	q := resolver.Question{Name: name, Type: qtype}
	owner := end(name, a.Chain)
	var got, keys []string
	for _, rr := range a.Records {
		switch h := rr.Header(); {
		case h.Rrtype != qtype && qtype != dns.TypeANY:
			p.broken(q, "a record of type "+resolver.TypeString(h.Rrtype), "no other type than "+resolver.TypeString(qtype))
		case !isName(h.Name, owner):
			p.broken(q, fmt.Sprintf("a record of %q", h.Name), "records of "+owner)
		}
		got = append(got, txt.LooseKey(rr))
	}
	for _, data := range want {
		keys = append(keys, keyOf(qtype, data))
	}
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) || a.Status != resolver.NoError {
		p.broken(q, describe(q, a, nil), expected)
	}
	return a
}

// keyOf returns the key of an expected record, in zone text. With ANY the text begins with the
// type.
func keyOf(qtype uint16, data string) string {
	if qtype != dns.TypeANY {
		data = resolver.TypeString(qtype) + " " + data
	}
	rr, err := dns.NewRR(". 300 IN " + data)
	if err != nil {
		panic(err)
	}
	return txt.LooseKey(rr)
}

// end returns the name at the end of aliases.
func end(name string, chain []dns.RR) string {
	for _, rr := range chain {
		if cname, ok := rr.(*dns.CNAME); ok {
			name, _ = resolver.Canonical(cname.Target)
		}
	}
	return name
}

// isName reports whether a name in a record is the canonical one, in any case. Unlike
// resolver.Canonical it refuses U-labels.
func isName(got, want string) bool {
	canonical, err := resolver.Canonical(got)
	return err == nil && canonical == want && strings.IndexFunc(got, func(r rune) bool { return r >= 0x80 }) < 0
}

// expectChain compares the aliases of an answer, each as "owner TYPE target".
func (p *probe) expectChain(name string, a resolver.Answer, want ...string) {
	p.Helper()
	var got []string
	for _, rr := range a.Chain {
		got = append(got, strings.ToLower(rr.Header().Name)+" "+resolver.TypeString(rr.Header().Rrtype)+" "+strings.ToLower(txt.Data(rr)))
	}
	if p.tells() && !slices.Equal(got, want) {
		p.broken(resolver.Question{Name: name, Type: dns.TypeA}, fmt.Sprintf("the chain %q", got), fmt.Sprintf("%q", want))
	}
}

// expectNone expects a negative answer of a status.
func (p *probe) expectNone(name string, qtype uint16, want resolver.Status) {
	p.Helper()
	expected := "no records and " + want.String()
	a := p.answer(name, qtype, expected)
	if len(a.Records) > 0 || a.Status != want && a.Status != resolver.NotFound {
		q := resolver.Question{Name: name, Type: qtype}
		got := describe(q, a, nil)
		if a.Status == resolver.NoError {
			got += " and NOERROR"
		}
		p.broken(q, got, expected)
	}
}

// expectNoRecords expects a negative answer of any status, or an error, where records could only
// be those of another name.
func (p *probe) expectNoRecords(name string, qtype uint16) {
	p.Helper()
	q := resolver.Question{Name: name, Type: qtype}
	if a, err := p.try(q); err == nil && len(a.Records) > 0 {
		p.broken(q, describe(q, a, nil), "no records; these are of another name")
	}
}

// expectError expects an error.
func (p *probe) expectError(q resolver.Question) {
	p.Helper()
	if answer, err := p.try(q); err == nil {
		p.broken(q, describe(q, answer, nil), "an error")
	}
}

// expectErrorSoon expects an error within a short time.
func (p *probe) expectErrorSoon(q resolver.Question) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	switch answer, err := p.lookup(ctx, q); {
	case err == nil:
		p.broken(q, describe(q, answer, nil), "an error")
	case ctx.Err() != nil:
		p.broken(q, fmt.Sprintf("nothing for %v", soon), "an error at once")
	}
}

// expectLate expects an error after a short deadline, and that of the context if the deadline
// has passed.
func (p *probe) expectLate(q resolver.Question) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	switch answer, err := p.lookup(ctx, q); {
	case err == nil:
		p.broken(q, describe(q, answer, nil), "an error")
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		p.broken(q, describe(q, answer, err), "an error that wraps context.DeadlineExceeded, the error of the context")
	}
}

// expectCanceled expects an error after its context is canceled, with a cause of its own,
// before or during the question.
func (p *probe) expectCanceled(ctx context.Context, q resolver.Question) {
	p.Helper()
	if answer, err := p.lookup(ctx, q); !errors.Is(err, context.Canceled) {
		p.broken(q, describe(q, answer, err), "an error that wraps context.Canceled, the error of the context")
	}
}

// expectTTL expects an answer whose TTL is that of its shortest record.
func (p *probe) expectTTL(name string, qtype uint16, why string, most time.Duration) resolver.Answer {
	p.Helper()
	want := fmt.Sprintf("at most %v, the TTL of %s", most, why)
	a := p.answer(name, qtype, want)
	if a.TTL < 0 || a.TTL > most {
		p.broken(resolver.Question{Name: name, Type: qtype}, fmt.Sprintf("the TTL %v", a.TTL), want)
	}
	return a
}

// tells reports whether the implementation tells NXDOMAIN from NODATA.
func (p *probe) tells() bool {
	p.Helper()
	return p.answer("nothing.conformance.test.", dns.TypeA, "no records and NXDOMAIN").Status != resolver.NotFound
}
