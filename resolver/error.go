package resolver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// Causes that errors.Is finds in an [Error].
var (
	ErrName       = dnsname.ErrName                               // the text asked is not a DNS name
	ErrNoResolver = errors.New("no Resolver given")               // a checker's Resolver field is nil
	ErrNoZone     = errors.New("the name is outside every zone")  // Zones was asked for a name it does not hold
	ErrNoServer   = errors.New("no DNS server to ask")            // a Client without servers
	ErrMalformed  = errors.New("the answer is malformed")         // a server's message cannot be used
	ErrChain      = errors.New("the chain of aliases never ends") // a loop, or more than 16 hops
)

// An Error says why a question has no answer. The cause is in RCode when a
// server answered with a failure, else in Err.
type Error struct {
	Name     string          `json:"name"`              // the name asked
	Type     uint16          `json:"type,omitzero"`     // the type asked
	Server   string          `json:"server,omitzero"`   // who failed; "" when nobody was asked
	RCode    int             `json:"rcode,omitzero"`    // the response code that says so, e.g. dns.RcodeServerFailure; 0: see Err
	Extended []ExtendedError `json:"extended,omitzero"` // what the server adds (RFC 8914), untrusted text included
	Err      error           `json:"err,omitzero"`      // the cause, e.g. a context's or the network's error; may be nil
}

// An ExtendedError is one extended DNS error (RFC 8914) of a failed answer.
type ExtendedError struct {
	Code uint16 `json:"code"`          // the info code: 6 is "DNSSEC Bogus"
	Text string `json:"text,omitzero"` // extra text of the server's, untrusted
}

// maxShown is how many octets of a server's text are shown.
const maxShown = 200

// String returns the code, its registered name, and the text quoted, of a long one
// the first 200 octets.
func (e ExtendedError) String() string {
	s := fmt.Sprintf("EDE %d", e.Code)
	if name := dns.ExtendedErrorCodeToString[e.Code]; name != "" {
		s += " " + name
	}
	switch {
	case len(e.Text) > maxShown:
		cut := maxShown
		for cut > maxShown-utf8.UTFMax && !utf8.RuneStart(e.Text[cut]) {
			cut--
		}
		s += fmt.Sprintf(": %q and %d more octets", e.Text[:cut], len(e.Text)-cut)
	case e.Text != "":
		s += fmt.Sprintf(": %q", e.Text)
	}
	return s
}

// Error returns one line: the question, the server, the cause.
func (e *Error) Error() string {
	if e == nil { // in an error that a careless Resolver returns
		return "no answer"
	}
	return untrusted.Line(fmt.Sprintf("lookup %s: %s", Question{e.Name, e.Type}, e.detail()))
}

// detail is the message without the question.
func (e *Error) detail() string {
	if e.Server == "" {
		return e.reason()
	}
	return e.reason() + untrusted.Line(" ("+e.Server+")")
}

// reason is the message without the question and the server.
func (e *Error) reason() string {
	var parts []string
	if e.RCode != 0 {
		parts = append(parts, rcodeString(e.RCode))
	}
	for _, x := range e.Extended {
		parts = append(parts, x.String())
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	s := strings.Join(parts, ", ")
	if s == "" {
		s = "no answer"
	}
	return untrusted.Line(s)
}

// rcodeString returns the mnemonic of a response code.
func rcodeString(rcode int) string {
	if rcode == dns.RcodeBadVers { // TSIG has another meaning for 16, which miekg/dns prefers
		return "BADVERS"
	}
	if s := dns.RcodeToString[rcode]; s != "" {
		return s
	}
	return fmt.Sprintf("RCODE %d", rcode)
}

// Unwrap returns the cause, for errors.Is and errors.AsType.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Timeout reports whether the cause is a time limit: a deadline that passed or
// a server that stayed silent.
func (e *Error) Timeout() bool {
	if e == nil {
		return false
	}
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// Temporary is always true: a question without an answer can be asked again
// later. It is here for code written against package net.
func (e *Error) Temporary() bool { return true }

// about returns the error with the question that it belongs to.
func (e *Error) about(name string, qtype uint16) *Error {
	e.Name, e.Type = name, qtype
	return e
}

// asError finds an *Error in err; a nil one, as a careless Resolver returns, says nothing.
func asError(err error) (*Error, bool) {
	e, ok := errors.AsType[*Error](err)
	return e, ok && e != nil
}

// wrap makes sure that an error of any Resolver names the question.
func wrap(name string, qtype uint16, err error) error {
	if _, ok := asError(err); !ok {
		return &Error{Name: name, Type: qtype, Err: err}
	}
	return err
}

// contextError is the error of a question that its context ended. It wraps both
// what ended the context and the reason that its owner gave.
func contextError(ctx context.Context, name string, qtype uint16, server string) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &Error{Name: name, Type: qtype, Server: server, Err: err}
}
