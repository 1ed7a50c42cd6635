package resolver_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

func TestClientAnswers(t *testing.T) {
	chain20 := func() (lines []string) {
		for i := range 20 {
			lines = append(lines, fmt.Sprintf("c%d.example.test. 300 IN CNAME c%d.example.test.", i, i+1))
		}
		return lines
	}()
	long := strings.Repeat("a.", 100)

	for _, tt := range []struct {
		name  string
		ask   string // www.example.test.
		qtype uint16 // A
		rcode int
		lines []string
		want  outcome
		err   error
		code  int // of the error
	}{
		{
			name:  "records, the least TTL",
			lines: []string{www, "www.example.test. 60 IN A 192.0.2.11"},
			want:  outcome{Records: []string{www, "www.example.test. 60 IN A 192.0.2.11"}, TTL: time.Minute},
		},
		{
			name:  "any spelling of the question",
			ask:   `WWW.Ex\097mple.test`,
			lines: []string{www},
			want:  outcome{Records: []string{www}, TTL: 5 * time.Minute},
		},
		{
			name:  "owners in another case, kept as received",
			lines: []string{"WWW.Example.TEST. 300 IN A 192.0.2.10"},
			want:  outcome{Records: []string{"WWW.Example.TEST. 300 IN A 192.0.2.10"}, TTL: 5 * time.Minute},
		},
		{
			name:  "duplicates dropped",
			lines: []string{www, "WWW.example.test. 100 IN A 192.0.2.10", www},
			want:  outcome{Records: []string{"www.example.test. 100 IN A 192.0.2.10"}, TTL: 100 * time.Second},
		},
		{
			name:  "records of others, other types and other classes are not the answer",
			lines: []string{"evil.example. 300 IN A 192.0.2.66", "www.example.test. 300 CH A 192.0.2.66", "www.example.test. 300 IN TXT x", www},
			want:  outcome{Records: []string{www}, TTL: 5 * time.Minute},
		},
		{
			name:  "a TTL with the highest bit is zero",
			lines: []string{"www.example.test. 2147483648 IN A 192.0.2.10"},
			want:  outcome{Records: []string{"www.example.test. 2147483648 IN A 192.0.2.10"}},
		},
		{
			name:  "escapes survive",
			qtype: dns.TypeTXT,
			lines: []string{`www.example.test. 300 IN TXT "a\"b\\c\195\169"`},
			want:  outcome{Records: []string{`www.example.test. 300 IN TXT "a\"b\\c\195\169"`}, TTL: 5 * time.Minute},
		},
		{name: "NXDOMAIN", rcode: dns.RcodeNameError, lines: []string{soa}, want: outcome{Status: resolver.NXDomain, TTL: 10 * time.Minute}},
		{name: "NXDOMAIN without SOA", rcode: dns.RcodeNameError, lines: []string{"aa"}, want: outcome{Status: resolver.NXDomain}},
		{name: "NODATA", lines: []string{soa}, want: outcome{TTL: 10 * time.Minute}},
		{name: "NODATA without SOA", lines: []string{"ra"}, want: outcome{}},
		{
			name:  "the SOA with the lowest TTL",
			lines: []string{soa, "auth test. 300 IN SOA ns.test. h.test. 1 2 3 4 600", "auth . 2147483648 IN SOA ns.test. h.test. 1 2 3 4 600"},
			want:  outcome{},
		},
		{
			name:  "NXDOMAIN with records is no answer",
			rcode: dns.RcodeNameError,
			lines: []string{www},
			err:   resolver.ErrMalformed,
		},
		{
			name: "chain in any order",
			ask:  "a.example.test.",
			lines: []string{
				"C.example.test. 300 IN A 192.0.2.10",
				"B.example.test. 60 IN CNAME c.Example.test.",
				"b.example.test. 60 IN CNAME C.example.test.",
				"a.example.test. 120 IN CNAME b.example.test.",
			},
			want: outcome{
				Records: []string{"C.example.test. 300 IN A 192.0.2.10"},
				Chain:   []string{"a.example.test. 120 IN CNAME b.example.test.", "B.example.test. 60 IN CNAME c.Example.test."},
				TTL:     time.Minute,
			},
		},
		{
			name:  "chain to NODATA",
			lines: []string{"www.example.test. 60 IN CNAME a.example.test.", soa},
			want:  outcome{Chain: []string{"www.example.test. 60 IN CNAME a.example.test."}, TTL: time.Minute},
		},
		{
			name:  "chain to NXDOMAIN",
			rcode: dns.RcodeNameError,
			lines: []string{"www.example.test. 3600 IN CNAME a.example.test.", soa},
			want: outcome{Status: resolver.NXDomain,
				Chain: []string{"www.example.test. 3600 IN CNAME a.example.test."}, TTL: 10 * time.Minute},
		},
		{
			name:  "chain to a reserved name is not asked further",
			lines: []string{"www.example.test. 3600 IN CNAME a.onion."},
			want: outcome{Status: resolver.NXDomain,
				Chain: []string{"www.example.test. 3600 IN CNAME a.onion."}, TTL: time.Hour},
		},
		{
			name:  "chain off the way",
			lines: []string{"a.example.test. 60 IN CNAME www.example.test.", "www.example.test. 60 IN CNAME b.example.test.", "b.example.test. 60 IN A 192.0.2.1"},
			want: outcome{Records: []string{"b.example.test. 60 IN A 192.0.2.1"},
				Chain: []string{"www.example.test. 60 IN CNAME b.example.test."}, TTL: time.Minute},
		},
		{
			name: "DNAME and its CNAME, which lasts as long whatever its TTL (RFC 6672, Section 3.1)",
			lines: []string{
				"example.test. 200 IN DNAME Example.net.",
				"www.example.test. 0 IN CNAME www.example.NET.",
				"www.example.net. 300 IN A 192.0.2.10",
			},
			want: outcome{
				Records: []string{"www.example.net. 300 IN A 192.0.2.10"},
				Chain:   []string{"example.test. 200 IN DNAME Example.net.", "www.example.test. 0 IN CNAME www.example.NET."},
				TTL:     200 * time.Second,
			},
		},
		{
			name:  "DNAME alone",
			lines: []string{"test. 200 IN DNAME .", "www.example. 300 IN A 192.0.2.10"},
			want: outcome{
				Records: []string{"www.example. 300 IN A 192.0.2.10"},
				Chain:   []string{"test. 200 IN DNAME .", "www.example.test. 200 IN CNAME www.example."},
				TTL:     200 * time.Second,
			},
		},
		{
			name:  "a DNAME that did not make the CNAME is left out",
			lines: []string{"example.test. 20 IN DNAME example.net.", "www.example.test. 100 IN CNAME a.test.", "a.test. 300 IN A 192.0.2.10"},
			want: outcome{Records: []string{"a.test. 300 IN A 192.0.2.10"},
				Chain: []string{"www.example.test. 100 IN CNAME a.test."}, TTL: 100 * time.Second},
		},
		{
			name:  "DNAME makes too long a name",
			ask:   long + "example.test.",
			lines: []string{"example.test. 20 IN DNAME " + long + "test."},
			code:  dns.RcodeYXDomain,
		},
		{
			name:  "two CNAME",
			lines: []string{"www.example.test. 60 IN CNAME a.test.", "www.example.test. 60 IN CNAME b.test."},
			err:   resolver.ErrMalformed,
		},
		{
			name:  "two DNAME",
			lines: []string{"example.test. 60 IN DNAME a.test.", "example.test. 60 IN DNAME b.test."},
			err:   resolver.ErrMalformed,
		},
		{
			name:  "loop of one",
			lines: []string{"www.example.test. 60 IN CNAME WWW.example.test."},
			err:   resolver.ErrChain, code: dns.RcodeServerFailure,
		},
		{
			name:  "loop of two",
			lines: []string{"www.example.test. 60 IN CNAME a.test.", "a.test. 60 IN CNAME www.example.test."},
			err:   resolver.ErrChain, code: dns.RcodeServerFailure,
		},
		{name: "17 aliases", ask: "c3.example.test.", lines: chain20, err: resolver.ErrChain, code: dns.RcodeServerFailure},
		{
			name: "16 aliases", ask: "c4.example.test.", lines: append(chain20, "c20.example.test. 300 IN A 192.0.2.10"),
			want: outcome{Records: []string{"c20.example.test. 300 IN A 192.0.2.10"}, TTL: 5 * time.Minute,
				Chain: texts(say(new(dns.Msg), 0, chain20[4:]...).Answer)},
		},
		{
			name: "CNAME questions are not followed", qtype: dns.TypeCNAME,
			lines: []string{"www.example.test. 60 IN CNAME a.test.", "a.test. 60 IN CNAME b.test."},
			want:  outcome{Records: []string{"www.example.test. 60 IN CNAME a.test."}, TTL: time.Minute},
		},
		{
			name: "CNAME question below a DNAME", qtype: dns.TypeCNAME,
			lines: []string{"example.test. 60 IN DNAME test.", "www.example.test. 0 IN CNAME www.test."},
			want: outcome{Records: []string{"www.example.test. 0 IN CNAME www.test."},
				Chain: []string{"example.test. 60 IN DNAME test."}, TTL: time.Minute},
		},
		{
			name: "DNAME question at an alias", qtype: dns.TypeDNAME, rcode: dns.RcodeNameError,
			lines: []string{"www.example.test. 60 IN CNAME a.test."},
			want:  outcome{Chain: []string{"www.example.test. 60 IN CNAME a.test."}, TTL: time.Minute},
		},
		{
			name: "DNAME question", qtype: dns.TypeDNAME,
			lines: []string{"www.example.test. 60 IN DNAME a.test."},
			want:  outcome{Records: []string{"www.example.test. 60 IN DNAME a.test."}, TTL: time.Minute},
		},
		{
			name: "ANY", qtype: dns.TypeANY,
			lines: []string{www, "www.example.test. 60 IN TXT x", "a.test. 1 IN TXT x"},
			want:  outcome{Records: []string{www, `www.example.test. 60 IN TXT "x"`}, TTL: time.Minute},
		},
		{name: "an unknown rcode", rcode: 12, code: 12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := resolver.Client{Servers: []netip.AddrPort{startServer(t, always(tt.rcode, tt.lines...))}, Rounds: 1}
			if tt.ask == "" {
				tt.ask = "www.example.test."
			}
			if tt.qtype == 0 {
				tt.qtype = dns.TypeA
			}
			got, err := c.Lookup(t.Context(), tt.ask, tt.qtype)
			if tt.err != nil || tt.code != 0 {
				e := failure(t, err)
				if tt.err != nil && !errors.Is(err, tt.err) || e.RCode != tt.code || e.Server != c.Servers[0].String() {
					t.Fatalf("error %#v, want rcode %d of %s with %v", e, tt.code, c.Servers[0], tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, outcomeOf(got)); diff != "" {
				t.Error("(-want +got)\n" + diff)
			}
			if got.Server != c.Servers[0].String() {
				t.Errorf("Server = %q, want %s", got.Server, c.Servers[0])
			}
		})
	}
}

// A server that speaks for its own zones only leaves chains open: their ends are
// asked for.
func TestClientChase(t *testing.T) {
	zones := map[string][]string{
		"www.example.test.":  {"www.example.test. 300 IN CNAME a.example.net.", "a.example.net. 300 IN CNAME B.example.org."},
		"b.example.org.":     {"b.example.org. 200 IN CNAME c.example.com.", "auth . 100 IN NS ns.test."},
		"c.example.com.":     {"c.example.com. 100 IN A 192.0.2.10"},
		"dead.example.test.": {"dead.example.test. 300 IN CNAME end.example.net."},
		"end.example.net.":   {"ra"},
		"lost.example.test.": {"lost.example.test. 300 IN CNAME servfail.example.net."},
		"loop.example.test.": {"loop.example.test. 300 IN CNAME pool.example.test."},
		"pool.example.test.": {"pool.example.test. 300 IN CNAME loop.example.test."},
	}
	insecure := "b.example.org."
	authority := func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
		lines, ok := zones[r.Question[0].Name]
		if !ok {
			return say(r, dns.RcodeServerFailure)
		}
		m := say(r, dns.RcodeSuccess, lines...)
		m.AuthenticatedData = r.Question[0].Name != insecure
		return m
	}
	c := resolver.Client{
		Servers: []netip.AddrPort{startServer(t, always(dns.RcodeRefused)), startServer(t, authority)},
		TrustAD: true,
	}

	t.Run("to records", func(t *testing.T) {
		a, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
		if err != nil {
			t.Fatal(err)
		}
		want := outcome{
			Records: []string{"c.example.com. 100 IN A 192.0.2.10"},
			Chain: []string{"www.example.test. 300 IN CNAME a.example.net.", "a.example.net. 300 IN CNAME B.example.org.",
				"b.example.org. 200 IN CNAME c.example.com."},
			TTL: 100 * time.Second,
		}
		if diff := cmp.Diff(want, outcomeOf(a)); diff != "" {
			t.Error("one link is not authentic (-want +got)\n" + diff)
		}
	})
	t.Run("to nothing", func(t *testing.T) {
		a, err := c.Lookup(t.Context(), "dead.example.test.", dns.TypeA)
		if err != nil {
			t.Fatal(err)
		}
		want := outcome{Chain: []string{"dead.example.test. 300 IN CNAME end.example.net."}, Authentic: true}
		if diff := cmp.Diff(want, outcomeOf(a)); diff != "" {
			t.Error("(-want +got)\n" + diff)
		}
	})
	t.Run("to a failure", func(t *testing.T) {
		_, err := c.Lookup(t.Context(), "lost.example.test.", dns.TypeA)
		e := failure(t, err)
		if e.Name != "lost.example.test." || e.RCode != dns.RcodeServerFailure || !strings.Contains(e.Error(), "asked for its alias servfail.example.net.") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("to silence", func(t *testing.T) {
		c := resolver.Client{TryTimeout: 200 * time.Millisecond, Rounds: 1}
		c.Servers = []netip.AddrPort{startServer(t, func(_ dns.ResponseWriter, r *dns.Msg) *dns.Msg {
			if r.Question[0].Name != "www.example.test." {
				return nil
			}
			return say(r, dns.RcodeSuccess, "www.example.test. 300 IN CNAME mute.test.")
		})}
		_, err := c.Lookup(t.Context(), "www.example.test.", dns.TypeA)
		if e := failure(t, err); !e.Timeout() || !strings.Contains(e.Error(), "asked for its alias mute.test.: udp: i/o timeout") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("in a circle", func(t *testing.T) {
		if _, err := c.Lookup(t.Context(), "loop.example.test.", dns.TypeA); !errors.Is(err, resolver.ErrChain) {
			t.Errorf("error %v, want ErrChain", err)
		}
	})
}
