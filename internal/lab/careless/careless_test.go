package careless_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/fcrdns"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/draft"
	"github.com/bonafide-mta/bonafide/identity/helo"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/lab/careless"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/rp"
	"github.com/bonafide-mta/bonafide/spf"
	"github.com/bonafide-mta/bonafide/spf/blitiri"
)

var (
	runs = flag.Int("careless.runs", 1, "how many times each kind of carelessness is tried")
	seed = flag.Uint64("careless.seed", 0, "the first seed; 0 for a new one")
)

const world = `$TTL 300
$ORIGIN example.test.
@         SOA  ns hostmaster 1 7200 900 1209600 60
@         NS   ns
ns        A    192.0.2.53
@         TXT  "a text beside it"
@         TXT  "v=spf1 mx a:mta1.example.test include:_spf.example.test -all"
@         MX   10 smtp
@         MX   20 other
@         RP   postmaster _mtacontact
_mtacontact TXT "Ann (postmaster)"
_spf      TXT  "v=spf1 ip4:198.51.100.0/24 ?all"
mta1      A    192.0.2.10
mta1      A    192.0.2.11
smtp      A    192.0.2.10
smtp      A    192.0.2.12
smtp      TXT  "v=spf1 a -all"
other     A    192.0.2.99
_client._smtp.smtp SRV 1 2 1 smtp
_client._smtp.both SRV 1 2 1 both
_client._smtp.both SRV 1 1 1 both
both      A    192.0.2.10
_client._smtp.alias SRV 1 2 0 pointer
alias     CNAME smtp
pointer   CNAME mta1
null      MX   0 .
null      TXT  "v=spf1 -all"
null      A    192.0.2.80
soft      TXT  "v=spf1 exists:%{ir}.list.example.test ~all"
redirect  TXT  "v=spf1 redirect=null.example.test"
$ORIGIN 2.0.192.in-addr.arpa.
10  PTR mta1.example.test.
10  PTR other.example.test.
11  CNAME 11.sub
11.sub PTR mta1.example.test.
12  PTR 192-0-2-12.dsl.isp.test.
13  PTR nowhere.example.test.
$ORIGIN isp.test.
192-0-2-12.dsl A 192.0.2.12
`

var (
	clients = []string{"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.99"}
	helos   = []string{"smtp.example.test", "alias.example.test", "both.example.test", "192-0-2-12.dsl.isp.test", "null.example.test"}
	senders = []string{"a@example.test", "a@null.example.test", "a@soft.example.test", "a@redirect.example.test"}
)

var described = func() *org.Organization {
	o, err := org.Parse("org.yaml", []byte("domain: example.test\nmtas:\n  - {id: mx1, addresses: [192.0.2.10, 192.0.2.12], ptr: mta1.example.test, helo: smtp.example.test}\nnames: [null.example.test]\n"))
	if err != nil {
		panic(err)
	}
	return o
}()

// milder are the verdicts that a failure of DNS may make of any: what is temporary, and for
// the advice what neither accepts nor rejects.
var milder = []string{"temperror", "undetermined", "undecided", "score", "defer", "error"}

// probes put a Resolver to use. Each returns verdicts, in the same order each time.
var probes = map[string]func(ctx context.Context, r resolver.Resolver) []string{
	"identity": func(ctx context.Context, r resolver.Resolver) (out []string) {
		policy := identity.Policy{Reasons: map[identity.Reason]identity.Action{
			identity.NoPTR: identity.Reject, identity.Unconfirmed: identity.Reject, identity.ReverseUnknown: identity.Defer, identity.MailFromFail: identity.Reject,
		}}
		v := identity.Verifier{Resolver: r, Policy: policy}
		for i, client := range clients {
			for j, heloName := range helos {
				s := v.Session(ctx, netip.MustParseAddr(client))
				s.Connect(ctx)
				s.Helo(ctx, heloName)
				verdict := s.MailFrom(ctx, senders[(i+j)%len(senders)])
				s.Close()
				_, _ = verdict.LogValue().String(), verdict.LogDetails().String()
				out = append(out, verdict.Level.String(), verdict.Advice.Action.String())
			}
		}
		return out
	},
	"mechanisms": func(ctx context.Context, r resolver.Resolver) (out []string) {
		for _, client := range clients {
			addr := netip.MustParseAddr(client)
			out = append(out, fcrdns.Checker{Resolver: r}.Check(ctx, addr).Status.String())
			for _, name := range helos {
				out = append(out, spf.Checker{Resolver: r}.CheckHelo(ctx, addr, name).Status.String(), csa.Checker{Resolver: r}.Check(ctx, addr, name).Status.String(),
					csa.Checker{Resolver: r, Sequential: true}.Check(ctx, addr, name).Status.String(), helo.Checker{Resolver: r}.Check(ctx, name, addr).Status.String())
			}
			for _, sender := range senders {
				out = append(out, spf.Checker{Resolver: r, Speculate: spf.SpeculateAll}.CheckMailFrom(ctx, addr, "smtp.example.test", sender).Status.String(),
					blitiri.Checker{Resolver: r}.Check(ctx, addr, "smtp.example.test", sender).Status.String())
			}
		}
		for _, sender := range senders {
			domain := sender[2:]
			mx := nullmx.Checker{Resolver: r}.Check(ctx, domain)
			out = append(out, mx.Status.String(), spf.Analyze(ctx, r, domain).Status(netip.MustParseAddr("192.0.2.10")).String())
			nullmx.Checker{Resolver: r}.Targets(ctx, mx)
		}
		persons, err := rp.Lookup(ctx, r, "example.test")
		for _, p := range persons {
			if err = errors.Join(err, p.Err); p.Err == nil {
				out = append(out, fmt.Sprint(p.Mailbox, p.Texts))
			}
		}
		return append(out, orError(err, ""))
	},
	"audit": func(ctx context.Context, r resolver.Resolver) (out []string) {
		rep, err := audit.Auditor{Resolver: r, AllowDocumentation: true, Now: func() time.Time { return time.Unix(0, 0) }}.Audit(ctx, described)
		if err != nil {
			return []string{"error"}
		}
		if err := rep.WriteText(io.Discard); err != nil {
			return []string{"error"}
		}
		for _, f := range rep.Findings {
			out = append(out, f.Status.String())
		}
		return out
	},
	"plan": func(ctx context.Context, r resolver.Resolver) []string {
		pub, err := new(plan.Published).WithAnswers(ctx, r, described)
		if err != nil {
			return []string{"error"}
		}
		p, err := plan.New(described, pub, plan.Options{})
		if err != nil {
			return []string{"error"}
		}
		var text bytes.Buffer
		err = p.WriteText(&text)
		if over, e := p.Overlay(r); e == nil {
			spf.Analyze(ctx, over, "example.test")
		}
		_, _ = audit.Auditor{Resolver: r, AllowDocumentation: true}.Prove(ctx, p)
		for _, step := range p.Steps {
			step.Waiting(ctx, identity.Verifier{Resolver: r})
		}
		return []string{orError(err, text.String())}
	},
	"draft": func(ctx context.Context, r resolver.Resolver) []string {
		o, comments, err := draft.FromDNS(ctx, r, "example.test", nil, nil)
		unknown := func(c org.Comment) bool { return strings.HasPrefix(c.Text, "not known: ") }
		if err != nil || slices.ContainsFunc(comments, unknown) {
			return []string{"error"}
		}
		var text bytes.Buffer
		err = o.WriteYAML(&text)
		return []string{orError(err, text.String())}
	},
	"roleaddr": func(ctx context.Context, r resolver.Resolver) []string {
		refused := roleaddr.Checker{Resolver: r, AllowPrivate: true, Dial: func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, errors.New("nobody there") }}
		return []string{refused.Check(ctx, "example.test").Status.String(), refused.Check(ctx, "null.example.test").Status.String()}
	},
	"adapters": func(ctx context.Context, r resolver.Resolver) (out []string) {
		zones, err := resolver.ParseZones("$TTL 300\n$ORIGIN over.test.\n@ A 192.0.2.1\nwww CNAME alias.example.test.\n")
		if err != nil {
			return []string{"error"}
		}
		patch := resolver.Patch{Add: []dns.RR{&dns.MX{Hdr: dns.RR_Header{Name: "new.example.test.", Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: "smtp.example.test."}}}
		for _, wrapped := range []resolver.Resolver{
			r, &resolver.Cache{Resolver: r}, &resolver.Overlay{Base: r}, &resolver.Overlay{Base: r, Zones: zones}, &resolver.Overlay{Base: r, Patch: patch},
			&resolver.Overlay{Base: &resolver.Cache{Resolver: r}, Zones: zones, Patch: patch}, dnsfake.Shuffle(r, 1), dnsfake.Record(r, io.Discard),
			resolver.FromNet{Resolver: resolver.AsNet{Resolver: r}},
		} {
			for _, name := range []string{"example.test.", "smtp.example.test.", "alias.example.test.", "new.example.test.", "no.new.example.test.", "www.over.test.", "10.2.0.192.in-addr.arpa.", "11.2.0.192.in-addr.arpa."} {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeSRV, dns.TypePTR, dns.TypeRP, dns.TypeCNAME} {
					for range 2 { // from a cache, too
						response := resolver.Ask(ctx, wrapped, name, qtype)
						_ = response.String()
						out = append(out, orError(response.Err, data(response.Answer)))
					}
				}
			}
		}
		_ = resolver.Ask(ctx, r, "example.test", dns.TypeANY).String() // any record answers it
		n := resolver.AsNet{Resolver: r}
		txt, err := n.LookupTXT(ctx, "example.test")
		out = append(out, orError(temporary(err), fmt.Sprint(sorted(txt))))
		addrs, err := n.LookupIPAddr(ctx, "alias.example.test")
		out = append(out, orError(temporary(err), fmt.Sprint(len(addrs))))
		mx, err := n.LookupMX(ctx, "example.test")
		out = append(out, orError(temporary(err), fmt.Sprint(len(mx))))
		names, err := n.LookupAddr(ctx, "192.0.2.11")
		out = append(out, orError(temporary(err), fmt.Sprint(sorted(names))))
		hosts, err := n.LookupHost(ctx, "smtp.example.test")
		out = append(out, orError(temporary(err), fmt.Sprint(sorted(hosts))))
		for _, network := range []string{"ip", "ip4", "ip6"} {
			netips, err := n.LookupNetIP(ctx, network, "alias.example.test")
			out = append(out, orError(temporary(err), fmt.Sprint(len(netips))))
			ips, err := n.LookupIP(ctx, network, "alias.example.test")
			out = append(out, orError(temporary(err), fmt.Sprint(len(ips))))
		}
		cname, err := n.LookupCNAME(ctx, "alias.example.test")
		out = append(out, orError(temporary(err), strings.ToLower(cname)))
		ns, err := n.LookupNS(ctx, "example.test")
		out = append(out, orError(temporary(err), fmt.Sprint(len(ns))))
		_, srv, err := n.LookupSRV(ctx, "client", "smtp", "smtp.example.test")
		return append(out, orError(temporary(err), fmt.Sprint(len(srv))))
	},
}

func orError(err error, otherwise string) string {
	if err != nil {
		return "error"
	}
	return otherwise
}

// temporary returns the errors that say that there is no answer.
func temporary(err error) error {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return nil
	}
	return err
}

func sorted(texts []string) []string { return slices.Sorted(slices.Values(texts)) }

// data is what an answer says, in any order.
func data(a resolver.Answer) string {
	var lines []string
	for _, rr := range slices.Concat(a.Chain, a.Records) {
		lines = append(lines, rr.String())
	}
	return a.Status.String() + " " + strings.Join(sorted(lines), "; ")
}

// Whatever a Resolver returns, nothing panics, and each verdict is that of an honest one or
// temporary.
func TestCareless(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	honest := honestly(t)
	verdicts := 0
	for name, probe := range probes {
		t.Run(name, func(t *testing.T) {
			want := probe(t.Context(), honest)
			for i, kind := range careless.Kinds() {
				for run := range *runs {
					percent := []int{100, 30, 5}[(i+run+int(*seed%3))%3]
					got := probe(t.Context(), kind.Around(honest, percent, *seed+uint64(run)))
					if len(got) > 1 && len(got) != len(want) && name != "mechanisms" {
						t.Errorf("%s, %d%%: %d verdicts, honest %d", kind.Name, percent, len(got), len(want))
						continue
					}
					verdicts += len(got)
					if j := worse(got, want); j >= 0 {
						t.Errorf("%s, %d%%: verdict %d is %q, honest %q", kind.Name, percent, j, got[j], want[min(j, len(want)-1)])
					}
				}
			}
		})
	}
	t.Logf("%d kinds, %d verdicts", len(careless.Kinds()), verdicts)
}

// An answer that comes when nobody waits any more counts for nothing.
func TestLateAnswers(t *testing.T) {
	late := resolver.Func(func(ctx context.Context, _ string, _ uint16) (resolver.Answer, error) {
		<-ctx.Done()
		return resolver.Answer{Status: resolver.NXDomain}, nil
	})
	honest := honestly(t)
	for name, probe := range probes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := probe(t.Context(), honest)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				got := probe(ctx, late)
				if j := worse(got, want); j >= 0 {
					t.Errorf("verdict %d is %q, honest %q", j, got[j], want[min(j, len(want)-1)])
				}
			})
		})
	}
}

// honestly returns a Resolver that answers for the world, outside of which nothing exists.
func honestly(t *testing.T) resolver.Resolver {
	zones, err := resolver.ParseZones(world)
	if err != nil {
		t.Fatal(err)
	}
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		response := resolver.Ask(ctx, zones, name, qtype)
		if errors.Is(response.Err, resolver.ErrNoZone) {
			return resolver.Answer{Status: resolver.NXDomain}, nil
		}
		return response.Answer, response.Err
	})
}

// worse returns the index of the first verdict that is neither that of an honest Resolver
// nor temporary, -1 for none.
func worse(got, honest []string) int {
	for i, verdict := range got {
		if !slices.Contains(milder, verdict) && !(i < len(honest) && verdict == honest[i]) {
			return i
		}
	}
	return -1
}
