package resolver

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// errPanic is in the error of a question at which the Resolver panicked.
var errPanic = errors.New("panic in the Resolver")

// guarded asks a Resolver that may return anything, and makes sure that what comes of it is
// what the interface promises: an answer to the question and no other, or an error whose
// methods can be called. Anything in an answer that cannot belong to it makes it no answer,
// as for a server's message: records that were left out could have been the ones that
// decide, and an answer without records denies.
func guarded(ctx context.Context, r Resolver, name string, qtype uint16) (answer Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = Answer{}, fmt.Errorf("%w: %v%s", errPanic, p, panicSite())
		}
	}()
	answer, err = r.Lookup(ctx, name, qtype)
	switch {
	case err != nil && isBroken(err):
		return Answer{}, &Error{Name: name, Type: qtype}
	case err != nil:
		return Answer{}, err
	case ctx.Err() != nil: // and who asked may have been answered by somebody else
		return Answer{}, contextError(ctx, name, qtype, answer.Server)
	}
	if answer, err = answer.to(name, qtype); err != nil {
		return Answer{}, &Error{Name: name, Type: qtype, Server: answer.Server, Err: err}
	}
	return answer, nil
}

// panicSite returns the function that has panicked, " in " before it.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	for panicked := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf(" in %s (%s:%d)", f.Function, path.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// maxCauses is how deep an error may wrap others.
const maxCauses = 100

// isBroken reports whether the methods of an error, or of one that it wraps, cannot be
// called: a nil pointer in an error is not nil.
func isBroken(err error) (broken bool) {
	defer func() { broken = broken || recover() != nil }()
	_ = err.Error()
	return hasNil(err, maxCauses)
}

func hasNil(err error, depth int) bool {
	if v := reflect.ValueOf(err); depth == 0 || v.Kind() == reflect.Pointer && v.IsNil() {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		cause := e.Unwrap()
		return cause != nil && hasNil(cause, depth-1)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(cause error) bool { return cause == nil || hasNil(cause, depth-1) })
	}
	return false
}

// to returns the answer as one to a question, or the answer as it is and why it is none.
func (a Answer) to(name string, qtype uint16) (Answer, error) {
	switch {
	case a.Status > NotFound:
		return a, fmt.Errorf("%w: the status %d", ErrMalformed, a.Status)
	case a.Status != NoError && len(a.Records) > 0:
		return a, fmt.Errorf("%w: %s with records", ErrMalformed, a.Status)
	}
	end, chain, err := a.aliases(name, qtype)
	if err != nil {
		return a, err
	}
	if !followed(qtype) { // the aliases that are not followed, if the name has no records
		if len(a.Records) > 0 && end != name {
			return a, fmt.Errorf("%w: records beside an alias", ErrMalformed)
		}
		end = name
	}
	records, err := a.owned(end, qtype)
	if err != nil {
		return a, err
	}
	a.Chain, a.Records = chain, once(records)
	// RFC 2181, Section 8: 31 bits of seconds.
	a.TTL = max(0, min(a.TTL, math.MaxInt32*time.Second))
	return a, nil
}

// aliases returns the aliases of an answer, those among its records too, and the name at
// their end.
func (a Answer) aliases(name string, qtype uint16) (end string, chain []dns.RR, err error) {
	end, chain = name, a.Chain
	for _, rr := range a.Chain {
		if end, err = next(end, rr); err != nil {
			return "", nil, err
		}
	}
	for _, rr := range a.Records { // as a message has them
		if !followed(qtype) || isNil(rr) || rr.Header().Rrtype != dns.TypeCNAME && rr.Header().Rrtype != dns.TypeDNAME {
			continue
		}
		if end, err = next(end, rr); err != nil {
			return "", nil, err
		}
		chain = append(slices.Clip(chain), rr)
	}
	return end, chain, nil
}

// next returns where an alias leads from a name; a DNAME, to the CNAME that it makes.
func next(name string, rr dns.RR) (string, error) {
	if err := readable(rr); err != nil {
		return "", err
	}
	owner := rr.Header().Name
	switch rr := rr.(type) {
	case *dns.CNAME:
		if isOf(rr, name) {
			return Canonical(rr.Target)
		}
	case *dns.DNAME:
		if isAbove(rr, name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%w: %.300q is not an alias on the way from the name asked", ErrMalformed, owner+" "+TypeString(rr.Header().Rrtype))
}

// isOf reports whether a record is one of a name, in class IN.
func isOf(rr dns.RR, name string) bool {
	h := rr.Header()
	return h.Class == dns.ClassINET && (h.Name == name || dnsname.CanonicalOrEmpty(h.Name) == name)
}

// isAbove reports whether a record is one of a name above another, in class IN.
func isAbove(rr dns.RR, name string) bool {
	above := dnsname.CanonicalOrEmpty(rr.Header().Name)
	return rr.Header().Class == dns.ClassINET && above != "" && above != name && dnsname.Under(name, above)
}

// owned returns the records that answer a question about the name at the end of the
// aliases.
func (a Answer) owned(end string, qtype uint16) ([]dns.RR, error) {
	beside := 0 // what may come with them
	for _, rr := range a.Records {
		if err := readable(rr); err != nil {
			return nil, err
		}
		switch h := rr.Header(); {
		case (h.Rrtype == qtype || qtype == dns.TypeANY) && isOf(rr, end):
		case h.Rrtype == dns.TypeDNAME && qtype == dns.TypeANY && isAbove(rr, end):
		case h.Rrtype == dns.TypeRRSIG, followed(qtype) && (h.Rrtype == dns.TypeCNAME || h.Rrtype == dns.TypeDNAME):
			beside++
		default:
			return nil, fmt.Errorf("%w: %.300q is not what was asked for", ErrMalformed, h.Name+" "+dns.Class(h.Class).String()+" "+TypeString(h.Rrtype))
		}
	}
	switch {
	case beside == 0:
		return a.Records, nil
	case beside == len(a.Records): // the records may be in another message
		return nil, fmt.Errorf("%w: aliases or signatures without the records", ErrMalformed)
	}
	return slices.DeleteFunc(slices.Clone(a.Records), func(rr dns.RR) bool {
		return rr.Header().Rrtype != qtype && qtype != dns.TypeANY
	}), nil
}

// fewRecords is how many records are compared with each other.
const fewRecords = 16

// once returns the records, each once (RFC 2181, Section 5). Of many, only those that are
// spelled alike are seen to be the same.
func once(records []dns.RR) []dns.RR {
	if len(records) <= fewRecords {
		return firsts(records, func(before []dns.RR, rr dns.RR) bool {
			return slices.ContainsFunc(before, func(other dns.RR) bool { return dns.IsDuplicate(rr, other) })
		})
	}
	// Answers of thousands are hostile, or honest: the hashes take a tenth of the memory.
	hashes := make([]uint64, len(records))
	for i, rr := range records {
		hashes[i] = maphash.Comparable(hashSeed, spellingOf(rr))
	}
	slices.Sort(hashes)
	if len(slices.Compact(hashes)) == len(records) {
		return records
	}
	seen := make(map[spelling]bool)
	return firsts(records, func(_ []dns.RR, rr dns.RR) bool {
		key := spellingOf(rr)
		again := seen[key]
		seen[key] = true
		return again
	})
}

// firsts returns the records that are not the same as one before them.
func firsts(records []dns.RR, same func(before []dns.RR, rr dns.RR) bool) []dns.RR {
	out := records
	for i, rr := range records {
		switch {
		case same(out[:min(i, len(out))], rr):
			if len(out) == len(records) {
				out = slices.Clone(records[:i])
			}
		case len(out) < len(records):
			out = append(out, rr)
		}
	}
	return out
}

var hashSeed = maphash.MakeSeed()

// A spelling is the data of a record as they are written.
type spelling struct {
	addr       [16]byte
	numbers    [3]uint16
	text, more string
}

func spellingOf(rr dns.RR) (s spelling) {
	switch rr := rr.(type) {
	case *dns.A:
		copy(s.addr[:], rr.A)
	case *dns.AAAA:
		copy(s.addr[:], rr.AAAA)
	case *dns.MX:
		s.numbers[0], s.text = rr.Preference, rr.Mx
	case *dns.PTR:
		s.text = rr.Ptr
	case *dns.RP:
		s.text, s.more = rr.Mbox, rr.Txt
	case *dns.SRV:
		s.numbers, s.text = [3]uint16{rr.Priority, rr.Weight, rr.Port}, rr.Target
	case *dns.TXT:
		s.text = strings.Join(rr.Txt, "\" \"")
	default:
		s.text = txt.Key(rr)
	}
	return s
}

// isNil reports whether a record is not there: a nil pointer in a dns.RR is not nil.
func isNil(rr dns.RR) bool {
	if rr == nil {
		return true
	}
	v := reflect.ValueOf(rr)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// readable returns why a record is none that a message could hold, nil for one that is: the
// header says of which Go type it is, and names in its data are names.
func readable(rr dns.RR) error {
	if isNil(rr) {
		return fmt.Errorf("%w: a nil record", ErrMalformed)
	}
	ok := false
	switch rr := rr.(type) {
	case *dns.A:
		addr, _ := netip.AddrFromSlice(rr.A)
		ok = rr.Hdr.Rrtype == dns.TypeA && addr.Unmap().Is4()
	case *dns.AAAA:
		ok = rr.Hdr.Rrtype == dns.TypeAAAA && len(rr.AAAA) == 16
	case *dns.CNAME:
		ok = rr.Hdr.Rrtype == dns.TypeCNAME && areNames(rr.Target)
	case *dns.MX:
		ok = rr.Hdr.Rrtype == dns.TypeMX && areNames(rr.Mx)
	case *dns.PTR:
		ok = rr.Hdr.Rrtype == dns.TypePTR && areNames(rr.Ptr)
	case *dns.RP:
		ok = rr.Hdr.Rrtype == dns.TypeRP && areNames(rr.Mbox, rr.Txt)
	case *dns.SRV:
		ok = rr.Hdr.Rrtype == dns.TypeSRV && areNames(rr.Target)
	case *dns.TXT:
		ok = rr.Hdr.Rrtype == dns.TypeTXT
	default:
		ok = isPackable(rr)
	}
	if !ok {
		return fmt.Errorf("%w: a record of the Go type %T that no message could hold", ErrMalformed, rr)
	}
	return nil
}

func areNames(names ...string) bool {
	for _, name := range names {
		if !isName(name) {
			return false
		}
	}
	return true
}

// isName reports whether a text has a canonical form, which it does not make of a plain one:
// an answer may have thousands.
func isName(name string) bool {
	for i := range len(name) {
		if name[i] >= 0x80 || name[i] == '\\' {
			_, err := Canonical(name)
			return err == nil
		}
	}
	_, ok := dns.IsDomainName(name)
	return ok && len(strings.TrimSuffix(name, ".")) < 254 // RFC 1035, Section 2.3.4: 255 octets in wire form
}

// isPackable reports whether a record of a type that mail rarely uses has the Go type of its
// header, and can be packed and printed.
func isPackable(rr dns.RR) (ok bool) {
	defer func() { ok = recover() == nil && ok }()
	want := reflect.TypeOf(new(dns.RFC3597)) // of a type that has none of its own
	if made := dns.TypeToRR[rr.Header().Rrtype]; made != nil {
		want = reflect.TypeOf(made())
	}
	_, octets := rr.(*dns.RFC3597) // as zone text keeps data that the Go type would lose
	if reflect.TypeOf(rr) != want && (!octets || lossless[rr.Header().Rrtype]) {
		return false
	}
	_, err := txt.Wire(rr)
	return err == nil && rr.String() != ""
}
