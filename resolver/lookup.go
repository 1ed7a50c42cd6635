package resolver

import (
	"context"
	"net/netip"

	"github.com/miekg/dns"
)

// LookupAddrs asks r for the addresses of name, A first, then AAAA. It returns what it
// has along with the error of a family that has no answer. A name without
// addresses, or that does not exist, is not an error: the slice is empty.
func LookupAddrs(ctx context.Context, r Resolver, name string) ([]netip.Addr, error) {
	v4 := Ask(ctx, r, name, dns.TypeA)
	v6 := Ask(ctx, r, name, dns.TypeAAAA)
	addrs := append(v4.Addrs(), v6.Addrs()...)
	if v4.Err != nil {
		return addrs, v4.Err
	}
	return addrs, v6.Err
}

// LookupTXT asks r for the texts of name, each the joined strings of one record as
// octets. No texts is not an error.
func LookupTXT(ctx context.Context, r Resolver, name string) ([]string, error) {
	reply := Ask(ctx, r, name, dns.TypeTXT)
	return reply.TXT(), reply.Err
}

// LookupMX asks r for the MX records of name, in the order of the answer. No records
// is not an error; a single record of "." is a Null MX (RFC 7505).
func LookupMX(ctx context.Context, r Resolver, name string) ([]*dns.MX, error) {
	return lookup[*dns.MX](ctx, r, name, dns.TypeMX)
}

// LookupSRV asks r for the SRV records of name, in the order of the answer.
func LookupSRV(ctx context.Context, r Resolver, name string) ([]*dns.SRV, error) {
	return lookup[*dns.SRV](ctx, r, name, dns.TypeSRV)
}

// LookupRP asks r for the RP records of name, in the order of the answer.
func LookupRP(ctx context.Context, r Resolver, name string) ([]*dns.RP, error) {
	return lookup[*dns.RP](ctx, r, name, dns.TypeRP)
}

// LookupPTR asks r for the names of addr, in the order of the answer and as the
// answer spells them. Whoever may write the reverse zone may write any name
// there: package fcrdns tells which of them are confirmed.
func LookupPTR(ctx context.Context, r Resolver, addr netip.Addr) ([]string, error) {
	records, err := lookup[*dns.PTR](ctx, r, ReverseName(addr), dns.TypePTR)
	var names []string
	for _, ptr := range records {
		names = append(names, ptr.Ptr)
	}
	return names, err
}

func lookup[R dns.RR](ctx context.Context, r Resolver, name string, qtype uint16) ([]R, error) {
	reply := Ask(ctx, r, name, qtype)
	return Records[R](reply.Answer), reply.Err
}
