package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Question asks for the records of one name and type. It also names the RRset
// that answers it (RFC 2181, Section 5). Questions with canonical names are equal
// exactly when they ask the same, so that a Question can be the key of a map.
type Question struct {
	Name string `json:"name"`          // in any form that Canonical accepts
	Type uint16 `json:"type,omitzero"` // dns.TypeA, …
}

// String returns the name and the type, as in "mail.example.org. A".
func (q Question) String() string { return untrusted.Line(q.Name) + " " + TypeString(q.Type) }

// A Response is one question and what came of it: the evidence that results carry.
// Only one of Answer and Err applies: a non-nil Err means that there is no answer. It
// marshals to JSON and reads back: see "JSON" in the package documentation.
type Response struct {
	Question // its Name is canonical, unless it is not a DNS name
	Answer
	Err error `json:"err,omitzero"`
}

// Ask puts one question to r: it brings name into canonical form, gives a nil r
// the error [ErrNoResolver], and keeps question and answer together. An error
// that r returns bare is wrapped in an [Error] that says what was asked.
//
// Whatever r does, Ask returns an answer to this question or an error. A panic of r is an
// error, and so is an answer that comes after ctx has ended, or that has anything but the
// records asked for, the aliases from the name to theirs, and signatures
// ([ErrMalformed]). An answer beside an error is dropped, and a TTL is at least 0 and at
// most that of RFC 2181, Section 8.
//
// A name under .onion, .local, .localhost or .invalid gets the answer NXDomain
// and is not asked: it means nothing in the public DNS, and asking tells the
// world about it (RFC 6761, RFC 6762, RFC 7686).
func Ask(ctx context.Context, r Resolver, name string, qtype uint16) Response {
	reply := Response{Question: Question{name, qtype}}
	canonical, err := Canonical(name)
	if err != nil {
		reply.Err = &Error{Name: name, Type: qtype, Err: err}
		return reply
	}
	reply.Name = canonical
	if r == nil {
		reply.Err = &Error{Name: canonical, Type: qtype, Err: ErrNoResolver}
		return reply
	}
	if dnsname.Reserved(canonical) {
		reply.Answer = Answer{Status: NXDomain, Server: reservedName}
		return reply
	}
	answer, err := guarded(ctx, r, canonical, qtype)
	if err != nil {
		reply.Err = wrap(canonical, qtype, err)
		return reply
	}
	reply.Answer = answer
	return reply
}

// reservedName is who answered for a name that is never asked.
const reservedName = "reserved name, not asked"

// String is one line for a log or a report: the question, what came, and who
// said so. Text from outside is escaped as in zone files or quoted.
func (r Response) String() string { return untrusted.Line(r.line()) }

func (r Response) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", r.Question)
	switch {
	case r.Err != nil:
		e, _ := asError(wrap(r.Name, r.Type, r.Err))
		b.WriteString(e.detail()) // the question is already there
		return b.String()
	case len(r.Records) > 0:
		for i, rr := range r.Records {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(txt.Data(rr))
		}
	case r.Status == NoError:
		b.WriteString("no records")
	default:
		b.WriteString(r.Status.String())
	}
	if len(r.Chain) > 0 {
		fmt.Fprintf(&b, " (by way of %d aliases)", len(r.Chain))
	}
	if r.Server != "" {
		fmt.Fprintf(&b, " (%s)", r.Server)
	}
	return b.String()
}

// AtOnce is how many questions [AskAll] has under way at most.
const AtOnce = 16

// AskAll puts questions to r as [Ask] does, up to [AtOnce] at a time, and returns
// the responses in the order of the questions. It returns when all have one. The
// first AtOnce are put to r even if ctx is done, as by Ask; the others only until
// then, and the error of the rest is that of ctx.
//
// A Resolver that calls runtime.Goexit, as t.Fatal of a test does, ends one question with
// an error. The last question is put by the goroutine of the caller, as by Ask, and Goexit
// ends it.
func AskAll(ctx context.Context, r Resolver, questions ...Question) []Response {
	responses := make([]Response, len(questions))
	slots := make(chan struct{}, AtOnce)
	var asking sync.WaitGroup
	for i, q := range questions {
		slots <- struct{}{}
		if i >= AtOnce && ctx.Err() != nil && r != nil {
			r = Func(func(ctx context.Context, name string, qtype uint16) (Answer, error) {
				return Answer{}, contextError(ctx, name, qtype, "")
			})
		}
		r := r // those under way have the one before
		ask := func() {
			defer func() { <-slots }()
			askGuarded(ctx, r, q, &responses[i])
		}
		if i == len(questions)-1 {
			ask() // most callers have one question
		} else {
			asking.Go(ask)
		}
	}
	asking.Wait()
	return responses
}

// askGuarded writes a response, whatever r does.
func askGuarded(ctx context.Context, r Resolver, q Question, response *Response) {
	returned := false
	defer func() {
		if !returned {
			*response = Ask(ctx, failing(errExited), q.Name, q.Type)
		}
	}()
	*response = Ask(ctx, r, q.Name, q.Type)
	returned = true
}

// failing returns a Resolver that has this error for every question.
func failing(err error) Resolver {
	return Func(func(context.Context, string, uint16) (Answer, error) { return Answer{}, err })
}

// AddrType returns the type of the records that hold addresses of addr's family:
// dns.TypeA for IPv4 and IPv4-mapped addresses, else dns.TypeAAAA, for the
// zero Addr too.
func AddrType(addr netip.Addr) uint16 {
	if addr.Unmap().Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// AddrQuestions returns the questions for all addresses of a name: A, then AAAA.
func AddrQuestions(name string) []Question {
	return []Question{{name, dns.TypeA}, {name, dns.TypeAAAA}}
}
