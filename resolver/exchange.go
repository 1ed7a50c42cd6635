package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"
)

// readSize is the largest datagram read. It is more than is offered, for the
// servers that send more nevertheless.
const readSize = 4096

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// exchange sends a query to a server over a socket of its own and returns the
// first message that answers it. Over UDP anybody can send us anything: what is
// no answer is ignored for as long as ctx lasts (RFC 5452, Section 9.1).
func exchange(ctx context.Context, network, server string, query *dns.Msg) (*dns.Msg, error) {
	query.Id = dns.Id() // RFC 5452, Section 9.2: unpredictable, as is the new socket's port
	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, server)
	if err != nil {
		return nil, networkError(network, err)
	}
	defer conn.Close()
	// The one thing that ends a read: a try's limit, the Lookup's, the caller's.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(longAgo) })
	defer stop()

	wire := &dns.Conn{Conn: conn, UDPSize: readSize}
	if _, err := wire.Write(packed); err != nil {
		return nil, networkError(network, err)
	}
	var ignored int
	var last error
	for {
		raw, err := wire.ReadMsgHeader(nil)
		if err != nil && !errors.Is(err, dns.ErrShortRead) {
			err = networkError(network, err)
			if ignored > 0 {
				err = fmt.Errorf("%w, %d messages ignored, the last: %w", err, ignored, last)
			}
			return nil, err
		}
		reply, err := parseReply(query, raw)
		switch {
		case err == nil:
			return reply, nil
		case network == "tcp": // nobody else speaks here, and nothing better will come
			return nil, err
		}
		ignored, last = ignored+1, err
	}
}

// networkError drops from an error of package net what an Error says anyway, and
// what differs each time, as our port does.
func networkError(network string, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("%s: %w", network, err)
}

// parseReply returns the message in raw if it answers the query. A truncated
// message may be cut anywhere behind the question, and is not to be used.
func parseReply(query *dns.Msg, raw []byte) (*dns.Msg, error) {
	reply := new(dns.Msg)
	err := reply.Unpack(raw)
	if err == nil {
		err = checkComplete(reply, raw)
	}
	if mismatch := checkReply(query, reply); mismatch != "" {
		return nil, fmt.Errorf("%w: %s", ErrMalformed, mismatch)
	}
	if err != nil && !reply.Truncated {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return reply, nil
}

// checkReply says why a message is no answer to the query (RFC 5452, Section
// 9.1), and "" if it is one.
func checkReply(query, reply *dns.Msg) string {
	switch {
	case !reply.Response:
		return "not a response"
	case reply.Id != query.Id:
		return "another ID"
	case reply.Opcode != query.Opcode:
		return "another opcode"
	case len(reply.Question) == 0 && reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		return "" // a failure may be the header alone; it says no more than silence would
	case len(reply.Question) != 1:
		return "not one question"
	}
	asked, got := query.Question[0], reply.Question[0]
	if got.Qtype != asked.Qtype || got.Qclass != asked.Qclass || canonicalOf(got.Name) != asked.Name {
		return "another question"
	}
	return ""
}

var (
	errCut   = errors.New("fewer records than its header says")
	errEmpty = errors.New("a record without data")
)

// checkComplete finds what [dns.Msg.Unpack] lets pass: a message that was cut
// between two records, and records without data, as in dynamic updates.
func checkComplete(reply *dns.Msg, raw []byte) error {
	for i, n := range []int{len(reply.Question), len(reply.Answer), len(reply.Ns), len(reply.Extra)} {
		if int(binary.BigEndian.Uint16(raw[4+2*i:])) != n { // RFC 1035, Section 4.1.1
			return errCut
		}
	}
	for _, rr := range reply.Answer {
		if _, unknown := rr.(*dns.RFC3597); unknown || rr.Header().Rdlength > 0 {
			continue
		}
		if t := rr.Header().Rrtype; t != dns.TypeNULL && t != dns.TypeAPL {
			return errEmpty
		}
	}
	return nil
}
