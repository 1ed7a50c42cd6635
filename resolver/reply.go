package resolver

import (
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"
)

// A query is a question and the message that puts it.
type query struct {
	name   string // canonical
	qtype  uint16
	packed []byte
}

// readReply returns what the message in raw says if it answers the query. Of a truncated
// message, which may be cut anywhere behind the question, it returns the header. It keeps
// nothing of raw.
func readReply(q query, raw []byte) (*message, error) {
	if mismatch := checkReply(q.packed, raw); mismatch != "" {
		return nil, fmt.Errorf("%w: %s", ErrMalformed, mismatch)
	}
	m, err := parseMessage(q.name, q.qtype, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return m, nil
}

// checkReply says why a message does not answer the query (RFC 5452, Section
// 9.1), and "" if it is one. It looks at octets: a forged message is not worth
// parsing, and in both the question stands first, so it is not compressed.
func checkReply(query, reply []byte) string {
	if mismatch := checkHeader(query, reply); mismatch != "" {
		return mismatch
	}
	rcode := int(reply[3] & 0x0f)
	if questions(reply) == 0 && rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return "" // a failure may be the header alone; it says no more than silence would
	}
	return checkQuestion(query, reply)
}

func checkHeader(query, reply []byte) string {
	switch {
	case len(reply) < headerSize:
		return "no header"
	case reply[2]&0x80 == 0: // QR
		return "not a response"
	case reply[0] != query[0] || reply[1] != query[1]:
		return "another ID"
	case (reply[2]^query[2])&0x78 != 0:
		return "another opcode"
	}
	return ""
}

func checkQuestion(query, reply []byte) string {
	switch {
	case questions(reply) != 1:
		return "not one question"
	case !sameQuestion(questionOf(query), reply[headerSize:]):
		return "another question"
	}
	return ""
}

func questions(message []byte) uint16 { return binary.BigEndian.Uint16(message[4:]) }

func truncated(message []byte) bool { return message[2]&0x02 != 0 }

// questionOf returns the question of a query, which is all there is between the
// header and the OPT record.
func questionOf(query []byte) []byte {
	end := headerSize
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	return query[headerSize : end+1+4]
}

// sameQuestion reports whether a message goes on with a question of ours, its name
// in any case (RFC 4343). Lengths of labels are below the letters.
func sameQuestion(question, message []byte) bool {
	if len(message) < len(question) {
		return false
	}
	for i := range question {
		b := message[i]
		if inName := i < len(question)-4; inName && 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != question[i] {
			return false
		}
	}
	return true
}
