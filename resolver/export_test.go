package resolver

import "net"

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
