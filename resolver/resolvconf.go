package resolver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// The caps of resolv.conf(5).
const (
	maxServers      = 3
	maxOptionTime   = 30
	maxOptionRounds = 5
)

// SystemClient returns a Client for the servers of /etc/resolv.conf, read as
// [ReadResolvConf] does. A file that does not exist is an error: where there is
// none, as on Windows, the system has other ways to name its servers.
func SystemClient() (*Client, error) {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	defer f.Close()
	return ReadResolvConf(f.Name(), f)
}

// ReadResolvConf returns a Client as a resolv.conf(5) says that is read from r.
// The name of the file is for errors, which say file and line.
//
//   - nameserver: the first three count. The address may have a port, as
//     [ParseServer] reads it. Without any it is 127.0.0.1.
//   - options timeout:n is TryTimeout in seconds, 1 to 30; attempts:n is Rounds,
//     1 to 5. Numbers beyond are set to these limits.
//   - options rotate is Rotate, and trust-ad is TrustAD.
//
// What the file does not say stays zero: the Client's defaults. Timeout is set
// when all the tries may together take longer than its default. All else is
// ignored, search and domain by design: names are absolute.
func ReadResolvConf(file string, r io.Reader) (*Client, error) {
	c := new(Client)
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		if err := c.configure(lines.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", untrusted.Line(file), n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", untrusted.Line(file), n+1, err)
	}
	if len(c.Servers) == 0 {
		c.Servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53)}
	}
	tries := orDefault(c.Rounds, defaultRounds) * len(c.Servers)
	if all := orDefault(c.TryTimeout, defaultTryTimeout) * time.Duration(tries); all > defaultTimeout {
		c.Timeout = all
	}
	return c, nil
}

// configure does what one line of a resolv.conf says.
func (c *Client) configure(line string) error {
	if comment := strings.IndexAny(line, ";#"); comment >= 0 {
		line = line[:comment]
	}
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return nil
	}
	switch fields[0] {
	case "nameserver":
		if len(fields) == 1 {
			return errors.New("nameserver without an address")
		}
		server, err := ParseServer(fields[1])
		if err != nil {
			return err
		}
		if len(c.Servers) < maxServers {
			c.Servers = append(c.Servers, server)
		}
	case "options":
		for _, option := range fields[1:] {
			if err := c.option(option); err != nil {
				return err
			}
		}
	}
	return nil
}

// option does what one of the options says. There are many that do not concern
// us, and there may be new ones.
func (c *Client) option(option string) (err error) {
	name, value, _ := strings.Cut(option, ":")
	switch name {
	case "timeout":
		var seconds int
		seconds, err = optionNumber(option, value, maxOptionTime)
		c.TryTimeout = time.Duration(seconds) * time.Second
	case "attempts":
		c.Rounds, err = optionNumber(option, value, maxOptionRounds)
	case "rotate":
		c.Rotate = true
	case "trust-ad":
		c.TrustAD = true
	}
	return err
}

func optionNumber(option, value string, limit int) (int, error) {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("option %q: want a number of 1 to %d", option, limit)
	}
	return min(max(int(n), 1), limit), nil
}

// ParseServer reads the address of a DNS server as people write it: an IP
// address, or an address and a port. The port of an IPv6 address needs brackets;
// without a port it is 53.
//
//	192.0.2.53   192.0.2.53:5353   2001:db8::53   [2001:db8::53]:5353   fe80::1%eth0
func ParseServer(s string) (netip.AddrPort, error) {
	if server, err := netip.ParseAddrPort(s); err == nil && server.Port() != 0 {
		return server, nil
	}
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil || bare != s && addr.Is4() {
		return netip.AddrPort{}, fmt.Errorf("%q is no DNS server: want an IP address, also with a port as in 192.0.2.53:5353 or [2001:db8::53]:5353", s)
	}
	return netip.AddrPortFrom(addr, 53), nil
}
