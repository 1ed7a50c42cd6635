package resolver

import (
	"net"

	"github.com/miekg/dns"
)

// KeptSockets returns the sockets that a Client keeps, for tests of how many there
// are and of what happens when they break.
func (c *Client) KeptSockets() []net.Conn {
	c.sockets.mu.Lock()
	defer c.sockets.mu.Unlock()
	var conns []net.Conn
	for _, s := range c.sockets.idle {
		conns = append(conns, s.conn)
	}
	return conns
}

// TransferWithin is Transfer from a server that may be silent for so long.
var TransferWithin = transferWithin

// A Reading is what a Client reads of a message.
type Reading struct {
	RCode           int
	AA, RA, AD, TC  bool
	Extended        []ExtendedError
	Names           []string
	Chain, Records  []dns.RR
	Found           bool
	TTL             uint32
	Useless         error
	Others, SOA, NS bool
	Negative        uint32
}

// ReadMessage reads a message as a Client does, whatever its question is.
func ReadMessage(name string, qtype uint16, raw []byte) (Reading, error) {
	m, err := parseMessage(name, qtype, raw)
	if err != nil {
		return Reading{}, err
	}
	return Reading{
		m.rcode, m.authoritative, m.recursive, m.validated, m.truncated, m.extended, m.names,
		m.chain, m.records, m.found, m.ttl, m.useless, m.others, m.soa, m.ns, m.negative,
	}, nil
}
