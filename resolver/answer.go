package resolver

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/enum"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// An Answer is what DNS said to one question. The zero Answer means: the name
// exists, without records of this type.
type Answer struct {
	// Records are of the type asked, at the end of the alias chain (of every
	// type for a question of type ANY). As in every record of miekg/dns, names and
	// texts have the escapes of zone files, and names have A-labels. They are shared:
	// read them only.
	Records []dns.RR `json:"records,omitzero"`
	// Chain are the aliases followed, CNAME and DNAME, in order. A DNAME comes before
	// the CNAME that it makes. Read only.
	Chain []dns.RR `json:"chain,omitzero"`
	// Status is NoError unless the name does not exist.
	Status Status `json:"status"`
	// TTL is the time remaining for all that the answer rests on, negative
	// answers too. Zero means: do not cache.
	TTL time.Duration `json:"ttl,omitzero"`
	// Authentic is set when a resolver whose word is trusted validated the
	// answer by DNSSEC, or a test declares it so. That goes for all that the answer
	// rests on, the aliases too.
	Authentic bool `json:"authentic"`
	// Server says who answered, for evidence: an address, a file, "cache of" one.
	Server string `json:"server,omitzero"`
}

// Status tells an existing name from one that does not exist. Its zero value is
// NoError: unlike other enums of this module, where zero means unset.
type Status uint8

// The statuses of an answer.
const (
	NoError  Status = iota // the name exists; no records means NODATA (RFC 2308, Section 2.2)
	NXDomain               // the name does not exist, nor any below it (RFC 8020)
	NotFound               // no records, and the source cannot tell which: a *net.Resolver
)

var statusText = []string{NoError: "NOERROR", NXDomain: "NXDOMAIN", NotFound: "NOTFOUND"}

// String returns NOERROR, NXDOMAIN or NOTFOUND.
func (s Status) String() string { return enum.String(s, statusText) }

// MarshalText returns the text of String; an unknown value is an error.
func (s Status) MarshalText() ([]byte, error) { return enum.Marshal(s, statusText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (s *Status) UnmarshalText(text []byte) error { return enum.Unmarshal(s, text, statusText) }

// Records returns the records of an answer that have the Go type R, in order:
//
//	mx := resolver.Records[*dns.MX](answer)
//
// Records of another type than was asked, which a careless Resolver may let
// through, are so left out.
func Records[R dns.RR](a Answer) []R {
	var out []R
	for _, rr := range a.Records {
		if r, ok := rr.(R); ok && !isNil(rr) {
			out = append(out, r)
		}
	}
	return out
}

// Addrs returns the addresses of an answer to a question of type A or AAAA, in
// order, IPv4-mapped ones as IPv4.
func (a Answer) Addrs() []netip.Addr {
	var out []netip.Addr
	for _, rr := range a.Records {
		var addr netip.Addr
		if isNil(rr) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A:
			addr, _ = netip.AddrFromSlice(rr.A)
		case *dns.AAAA:
			addr, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if addr.IsValid() {
			out = append(out, addr.Unmap())
		}
	}
	return out
}

// TXT returns the texts of an answer to a question of type TXT, in order: the
// strings of each record joined without a separator (RFC 7208, Section 3.3), as
// the octets that were published, without the escapes of zone files.
func (a Answer) TXT() []string {
	var out []string
	for _, rr := range Records[*dns.TXT](a) {
		out = append(out, txt.Join(rr.Txt))
	}
	return out
}
