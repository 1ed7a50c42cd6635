package resolver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// transferSilence is how long a transfer waits for a server's next message.
const transferSilence = 10 * time.Second

// Transfer yields the records of a zone as one of its servers gives them to a
// secondary (AXFR, RFC 5936): the SOA record first and once, the others in the
// server's order. Port 0 means 53; the zone may be in any form that [Canonical]
// accepts. Most servers allow transfers to some addresses only.
//
// The zone is complete when the loop ends without an error; till then what was
// yielded may be a part of it, or of two versions. An error comes last, with a nil
// record, and is an [*Error]: what the server answered instead, as REFUSED; a
// connection that ended too early; a message or a record that has no place in a
// transfer of this zone, which wraps [ErrMalformed]; the context's error as soon
// as ctx is done.
//
// The records are not collected: memory holds one message, of 64 KiB, and one record
// of it, which takes up to 8 MiB while it is unpacked, or 40 MiB if it is a HIP record of
// many names. How many records there are is up to the server, which may take 10 s for each
// message. So ctx bounds the time, and a loop that counts and breaks bounds the rest. A
// loop that ends early closes the connection. Each loop over the result is a new transfer.
func Transfer(ctx context.Context, server netip.AddrPort, zone string) iter.Seq2[dns.RR, error] {
	return transferWithin(ctx, transferSilence, server, zone)
}

func transferWithin(ctx context.Context, silence time.Duration, server netip.AddrPort, zone string) iter.Seq2[dns.RR, error] {
	return func(yield func(dns.RR, error) bool) {
		name, err := Canonical(zone)
		if err != nil {
			yield(nil, &Error{Name: zone, Type: dns.TypeAXFR, Err: err})
			return
		}
		if !server.IsValid() {
			yield(nil, &Error{Name: name, Type: dns.TypeAXFR, Err: ErrNoServer})
			return
		}
		server := withPort(server)
		stopped, err := transfer(ctx, silence, server, name, yield)
		switch {
		case stopped || err == nil:
		case ctx.Err() != nil:
			yield(nil, contextError(ctx, name, dns.TypeAXFR, server.String()))
		default:
			e, ok := asError(err)
			if !ok {
				e = &Error{Err: err}
			}
			e.Name, e.Type, e.Server = name, dns.TypeAXFR, server.String()
			yield(nil, e)
		}
	}
}

// transfer yields the records of a zone. It is stopped when yield says so.
func transfer(ctx context.Context, silence time.Duration, server netip.AddrPort, zone string, yield func(dns.RR, error) bool) (stopped bool, err error) {
	query, err := new(dns.Msg).SetAxfr(zone).Pack()
	if err != nil {
		return false, err
	}
	conn, done, err := askTCP(ctx, time.Now().Add(silence), server, query) // RFC 5936, Section 4.1
	if err != nil {
		return false, networkError("tcp", err)
	}
	defer done()
	copied := zoneCopy{apex: zone}
	for first := true; !copied.complete; first = false {
		if err := conn.SetDeadline(time.Now().Add(silence)); err != nil {
			return false, networkError("tcp", err)
		}
		raw, err := readMessage(conn)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return false, networkError("tcp", err)
		}
		l, err := transferred(query, raw, first)
		if err != nil {
			return false, err
		}
		for r := range l.records(l.answers) {
			rr, err := r.unpack(raw)
			if err == nil {
				err = copied.add(rr)
			}
			if err != nil {
				return false, fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			if copied.complete {
				continue // to see that nothing follows
			}
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if !yield(rr, nil) {
				return true, nil
			}
		}
	}
	return false, nil
}

// transferred returns one message of a transfer.
func transferred(query, raw []byte, first bool) (l layout, err error) {
	mismatch := checkHeader(query, raw)
	// RFC 5936, Section 2.2.2: all but the first message may do without a question.
	// So may a failure.
	if mismatch == "" && questions(raw) != 0 {
		mismatch = checkQuestion(query, raw)
	}
	if mismatch != "" {
		return l, fmt.Errorf("%w: %s", ErrMalformed, mismatch)
	}
	l, err = layOut(raw)
	switch {
	case err != nil:
		return l, fmt.Errorf("%w: %v", ErrMalformed, err)
	case l.rcode != dns.RcodeSuccess: // RFC 5936, Section 2.2.1: ends it, also half-way
		return l, &Error{RCode: l.rcode, Extended: l.extendedErrors()}
	case first && questions(raw) == 0:
		return l, fmt.Errorf("%w: not one question", ErrMalformed)
	case truncated(raw):
		return l, fmt.Errorf("%w: truncated over TCP", ErrMalformed)
	case l.answers.n == 0:
		return l, fmt.Errorf("%w: a message without records", ErrMalformed)
	}
	return l, nil
}

// A zoneCopy is what is known of a zone while its records come.
type zoneCopy struct {
	apex     string
	soa      dns.RR
	complete bool // the SOA record came again
}

// add takes the next record, or says why no copy of the zone has it there.
func (z *zoneCopy) add(rr dns.RR) error {
	_, isSOA := rr.(*dns.SOA)
	owner := dnsname.CanonicalOrEmpty(rr.Header().Name)
	what := owner + " " + TypeString(rr.Header().Rrtype)
	switch {
	case z.complete:
		return fmt.Errorf("%s after the end", what)
	case rr.Header().Class != dns.ClassINET || !dnsname.Under(owner, z.apex):
		return fmt.Errorf("%s of another zone", what)
	case isSOA && owner != z.apex:
		return fmt.Errorf("%s within the zone", what)
	// RFC 5936, Section 2.2: the SOA record is the first and the last, and nowhere
	// between.
	case z.soa == nil && !isSOA:
		return fmt.Errorf("%s before the SOA record", what)
	case z.soa == nil:
		z.soa = rr
	case isSOA && !dns.IsDuplicate(z.soa, rr):
		return errors.New("it ends with another SOA record than it began with")
	case isSOA:
		z.complete = true
	}
	return nil
}
