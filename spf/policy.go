package spf

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A policy is what a record says of one client: its terms, without the networks
// that the client is not in, up to the one that surely matches. It is small,
// whatever the length of the record.
type policy struct {
	terms         []Term
	few           [2]Term // what terms lie in, mostly
	redirect, exp *Term   // nil where there is none
	err           error
}

// policyOf selects the record of an answer (RFC 7208, Section 4.5) and reads it for
// a client, of whom most terms may need DNS. It is nil where there is none.
func policyOf(answer resolver.Answer, client netip.Addr, most int) *policy {
	var record *dns.TXT
	for _, rr := range answer.Records {
		t, ok := rr.(*dns.TXT)
		if !ok || !isRecord(txt.Head(t.Txt, len(version)+1)) {
			continue
		}
		if record != nil {
			return &policy{err: ErrRecords}
		}
		record = t
	}
	if record == nil {
		return nil
	}
	p := new(policy)
	p.read(txt.Join(record.Txt), client, most)
	return p
}

// read checks the whole of a record before any of it is evaluated (RFC 7208,
// Section 4.6), and keeps what may decide.
func (p *policy) read(text string, client netip.Addr, most int) {
	p.terms = p.few[:0]
	decided, redirects := false, true
	s := scanner{text: text}
	var t Term
	for {
		problem, ok := s.next(&t)
		if !ok {
			break
		}
		if problem.Reason != "" {
			*p = policy{err: &SyntaxError{[]Problem{problem}}}
			return
		}
		switch t.Kind {
		case Exp:
			exp := t
			p.exp = &exp
		case Redirect:
			redirect := t
			p.redirect = &redirect
		case All:
			redirects = false // RFC 7208, Section 6.1: wherever it stands
		}
		if decided || t.Qualifier == 0 {
			continue // behind what decides, or a modifier
		}
		sure := t.Kind == All || t.Prefix.Contains(client)
		// One more than the limit suffices to break it.
		if sure || t.Kind.looksUp() && len(p.terms) <= most {
			if len(p.terms) == cap(p.terms) {
				p.terms = slices.Grow(p.terms, DefaultMaxLookups) // mostly all there will be
			}
			p.terms = append(p.terms, t)
		}
		decided = sure
	}
	if decided || !redirects {
		p.redirect = nil
	}
}
