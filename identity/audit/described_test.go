package audit_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

// What the documentation of package org says how to describe: a load balancer before two
// servers, a HELO name in a second domain, a server that another company runs by a name of
// ours, one that has names of its own, a provider's subdomain, a domain that sends as another
// does, a wildcard, an RFC 2317 zone, and an exception for all addresses of an MTA.
const describedKinds = `
domain: firm.test
mtas:
  - {id: balancer, addresses: [192.0.2.5, "2001:db8::5"], ptr: mx.firm.test, roles: [inbound]}
  - {id: out1, addresses: [192.0.2.10], ptr: mta1.firm.test, helo: post.firm.test, roles: [outbound]}
  - {id: out2, addresses: [192.0.2.11, "2001:db8::11"], ptr: mta2.second.test, helo: smtp.second.test, roles: [outbound]}
  - {id: shop, addresses: [203.0.113.40], ptr: store.firm.test, helo: mail.store.firm.test, roles: [outbound]}
mail:
  - {domain: firm.test, networks: [203.0.113.16/28]}
  - {domain: news.firm.test, mtas: [], includes: [_spf.letters.test]}
  - {domain: old.test, mtas: [], includes: [firm.test]}
names: [www.firm.test, "*.dev.firm.test"]
zones: [firm.test, second.test, old.test, 0/26.2.0.192.in-addr.arpa]
exceptions:
  - {rule: ptr-static, subject: out2, reason: the contract says that its addresses stay}
contacts:
  mta: {name: Support, email: postmaster}
`

// Two exchangers are another organization's, one name is a provider's by an alias.
const describedZones = `
$TTL 300
$ORIGIN firm.test.
@ SOA ns hostmaster 1 1 1 1 60
@ MX 10 mx
@ MX 20 mx.friends.test.
@ TXT "v=spf1 a:out1.firm.test ip4:203.0.113.16/28 ~all"
mx A 192.0.2.5
mx AAAA 2001:db8::5
out1 A 192.0.2.10
www A 192.0.2.80
*.dev A 192.0.2.81
calendar CNAME hosted.friends.test.
news MX 10 in.letters.test.
news TXT "v=spf1 include:_spf.letters.test -all"
bounce CNAME in.letters.test.
$ORIGIN second.test.
@ SOA ns.firm.test. hostmaster.firm.test. 1 1 1 1 60
$ORIGIN old.test.
@ SOA ns.firm.test. hostmaster.firm.test. 1 1 1 1 60
@ MX 10 mx.firm.test.
@ TXT "v=spf1 include:firm.test -all"
$ORIGIN 0/26.2.0.192.in-addr.arpa.
@ SOA ns.firm.test. hostmaster.firm.test. 1 1 1 1 60
5 PTR mx.firm.test.
10 PTR out1.firm.test.
`

const describedOthers = `
$TTL 300
$ORIGIN .
@ SOA a b 1 1 1 1 60
mx.friends.test. A 198.51.100.25
hosted.friends.test. A 198.51.100.26
in.letters.test. A 203.0.113.129
in.letters.test. MX 10 in.letters.test.
in.letters.test. TXT "v=spf1 include:_spf.letters.test -all"
_spf.letters.test. TXT "v=spf1 ip4:203.0.113.128/28 -all"
5.2.0.192.in-addr.arpa. CNAME 5.0/26.2.0.192.in-addr.arpa.
10.2.0.192.in-addr.arpa. CNAME 10.0/26.2.0.192.in-addr.arpa.
11.2.0.192.in-addr.arpa. CNAME 11.0/26.2.0.192.in-addr.arpa.
`

// The plan of such a description passes every audit; its gates wait for no server that only
// receives.
func TestDescribedKinds(t *testing.T) {
	o, err := org.Parse("org.yaml", []byte(describedKinds))
	if err != nil {
		t.Fatal(err)
	}
	zones, all := parseZones(t, describedZones), parseZones(t, describedZones+describedOthers)
	observed := make(map[netip.Addr]string)
	for _, seen := range []bool{false, true} {
		for _, m := range o.MTAs {
			if m.Sends() && seen {
				for _, addr := range m.Addresses {
					observed[addr] = m.Helo
				}
			}
		}
		current, err := plan.FromZones(zones.Records())
		if err != nil {
			t.Fatal(err)
		}
		if current, err = current.WithAnswers(t.Context(), all, o); err != nil {
			t.Fatal(err)
		}
		p, err := plan.New(o, current, plan.Options{Adopt: true, Observed: observed})
		if err != nil {
			t.Fatal(err)
		}
		waits := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Stage == plan.Observe })
		for _, s := range p.Steps {
			if s.Stage == plan.Observe && slices.ContainsFunc(s.Hosts, func(h plan.Host) bool { return h.MTA == "balancer" }) {
				t.Error("a gate waits for the HELO name of a server that sends nothing")
			}
			for _, ch := range s.Changes {
				if ch.Name == "firm.test." && ch.Type == dns.TypeMX {
					t.Errorf("the exchangers change: %v", ch)
				}
				if strings.HasPrefix(ch.Name, "bounce.") || strings.HasPrefix(ch.Name, "calendar.") {
					t.Errorf("an alias of a provider's name changes: %s", ch.Name)
				}
			}
		}
		if waits == seen || len(p.Refused) > 0 {
			t.Errorf("observed: %t, waits: %t, refused: %v", seen, waits, p.Refused)
		}
		proof, err := audit.Auditor{Resolver: all, AllowDocumentation: true}.Prove(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		waived := 0
		for _, f := range proof.After.Findings {
			if f.Rule == rule.PTRStatic && f.Status == rule.Waived {
				waived++
			}
			if f.Status == rule.Fail {
				t.Errorf("%s %s: %s", f.Rule, f.Subject, f.Message)
			}
		}
		if waived != 2 {
			t.Errorf("%d of 2 addresses are static by the exception for their MTA", waived)
		}
	}
}
