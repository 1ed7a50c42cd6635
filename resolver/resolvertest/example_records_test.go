package resolvertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

// A Table is a Resolver over a map, without wildcards and DNAME records.
type Table map[resolver.Question][]dns.RR

// Lookup implements resolver.Resolver.
func (t Table) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	if ctx.Err() != nil {
		return resolver.Answer{}, ctx.Err()
	}
	if qtype == dns.TypeANY || qtype == dns.TypeDNAME {
		return resolver.Answer{}, fmt.Errorf("Table: %w", errors.ErrUnsupported)
	}
	var chain []dns.RR
	for range 16 {
		records := t[resolver.Question{Name: name, Type: qtype}]
		alias := t[resolver.Question{Name: name, Type: dns.TypeCNAME}]
		if len(records) > 0 || len(alias) == 0 {
			return resolver.Answer{Records: records, Chain: chain, Status: t.status(name), TTL: ttl(chain, records)}, nil
		}
		chain = append(chain, alias[0])
		var err error
		if name, err = resolver.Canonical(alias[0].(*dns.CNAME).Target); err != nil {
			return resolver.Answer{}, err
		}
	}
	return resolver.Answer{}, resolver.ErrChain
}

// status tells whether a name, or one below it, has records.
func (t Table) status(name string) resolver.Status {
	for q := range t {
		if q.Name == name || strings.HasSuffix(q.Name, "."+name) {
			return resolver.NoError
		}
	}
	return resolver.NXDomain
}

// ttl returns the lowest TTL of an answer, and 0 for a negative one, which is not cached.
func ttl(chain, records []dns.RR) time.Duration {
	if len(records) == 0 {
		return 0
	}
	shortest := records[0].Header().Ttl
	for _, rr := range slices.Concat(chain, records) {
		shortest = min(shortest, rr.Header().Ttl)
	}
	return time.Duration(shortest) * time.Second
}

// newTable returns a Table of the records of a zone text.
func newTable(t testing.TB, zoneText string) resolver.Resolver {
	if strings.Contains(zoneText, "*") || strings.Contains(zoneText, "DNAME") {
		t.Skip("a Table has no wildcards and no DNAME records")
	}
	zones, err := resolver.ParseZones(zoneText)
	if err != nil {
		t.Fatal(err)
	}
	table := make(Table)
	for rr, err := range zones.Records() {
		name, bad := resolver.Canonical(rr.Header().Name)
		if err := errors.Join(err, bad); err != nil {
			t.Fatal(err)
		}
		q := resolver.Question{Name: name, Type: rr.Header().Rrtype}
		table[q] = append(table[q], rr)
	}
	return table
}

// A resolver over a map passes the suite.
func ExampleTestRecords() {
	_ = func(t *testing.T) { // in a file of tests: func TestTable(t *testing.T)
		resolvertest.TestRecords(t, newTable)
	}
}
