package audit_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
)

const remedyOrg = `
domain: example.test
mtas:
  - {id: mx1, addresses: [192.0.2.10], ptr: mta.example.test, helo: post.example.test}
`

const remedyZone = `
$TTL 300
$ORIGIN provider.test.
@ SOA ns hostmaster 1 1 1 1 60
host A 192.0.2.99
bounces MX 10 host
bounces TXT "v=spf1 ip4:192.0.2.99 -all"
$ORIGIN 2.0.192.in-addr.arpa.
@ SOA ns.provider.test. hostmaster.provider.test. 1 1 1 1 60
$ORIGIN example.test.
@ SOA ns hostmaster 1 1 1 1 60
mta A 192.0.2.10
`

// The remedy fits the record, where it can be, and who publishes it.
func TestRemedies(t *testing.T) {
	const idn = "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10], helo: pöst.example.test}]"
	const two = "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10, \"2001:db8::10\"], ptr: mta.example.test, helo: post.example.test}]"
	const v6 = "$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa.\n@ SOA ns.provider.test. hostmaster.provider.test. 1 1 1 1 60\n"
	const reverse = "$ORIGIN 2.0.192.in-addr.arpa.\n"
	const none = ""
	for _, test := range []struct {
		name, described, more string
		rule                  rule.ID
		subject, fix, remedy  string // the start of the first record, and a part of the remedy
	}{
		{"a wildcard alias", remedyOrg, "@ A 192.0.2.7\n* CNAME @\n", rule.HeloCSA, "mx1", "_client._smtp.post.example.test. 3600 IN SRV", "Publish the record."},
		{"a wildcard alias and addresses", remedyOrg, "@ A 192.0.2.7\n* CNAME @\n", rule.HeloResolves, "mx1", "post.example.test. 3600 IN A 192.0.2.10", "Point the HELO name"},
		{"a wildcard alias of a name with mail", remedyOrg, "@ A 192.0.2.7\n@ MX 10 mta\n* CNAME @\n", rule.Wildcards, "example.test.", none, "The wildcard is an alias of example.test.: remove it"},
		{"a wildcard that takes mail", remedyOrg, "* MX 10 mta\n", rule.Wildcards, "example.test.", none, "Remove the wildcard MX record"},
		{"an alias beside a wildcard alias", remedyOrg, "@ A 192.0.2.7\npost CNAME @\n* CNAME @\n", rule.HeloSPF, "mx1", none, "post.example.test. is an alias of example.test.: replace the alias with addresses of its own and the TXT record."},
		{"an alias of a CSA name", remedyOrg, "post A 192.0.2.10\n_client._smtp.post CNAME csa.provider.test.\n", rule.HeloCSA, "mx1", none, "whose owner publishes the SRV record: leave it to the owner"},
		{"below a DNAME", "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10], ptr: mta.example.test, helo: post.old.example.test}]",
			"old DNAME new.example.test.\npost.new A 192.0.2.10\n", rule.HeloSPF, "mx1", none, "post.old.example.test. is an alias of post.new.example.test."},
		{"a mail domain that is the provider's alias", remedyOrg + "mail: [{domain: bounce.example.test}]", "bounce CNAME bounces.provider.test.\n", rule.MailSPF, "bounce.example.test.", none,
			"bounce.example.test. is an alias of bounces.provider.test., whose owner publishes the TXT record: leave it to the owner"},
		{"a PTR name behind an alias", remedyOrg, "post A 192.0.2.10\n" + reverse + "10 CNAME 10.0/28\n0/28 NS ns.provider.test.\n$ORIGIN 0/28.2.0.192.in-addr.arpa.\n@ SOA ns h 1 1 1 1 60\n10 PTR old.example.test.\n",
			rule.PTRConfirmed, "mx1/192.0.2.10", "10.0/28.2.0.192.in-addr.arpa. 3600 IN PTR mta.example.test.", "Give the PTR name"},
		{"a PTR record that is there", remedyOrg, "post A 192.0.2.10\n" + reverse + "10 PTR mta.example.test.\n10 PTR old.example.test.\n", rule.PTROneName, "mx1", none, "Have the PTR records of the other names removed"},
		{"several SPF records", remedyOrg, "post A 192.0.2.10\npost TXT \"v=spf1 ip4:192.0.2.10 -all\"\npost TXT \"v=spf1 a -all\"\n", rule.HeloSPF, "mx1", none, "Repair what spf-valid names."},
		{"no contact", remedyOrg, "", rule.HeloRP, "mx1", none, "the contact mta"},
		{"a name of another organization", "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10], helo: host.provider.test}]", "", rule.HeloSPF, "mx1", none, `No record can be made of "host.provider.test": not a name of example.test`},
		{"an IPv6 address without a name", two, v6, rule.PTRExists, "mx1/2001:db8::10", "0.1.0", "Or let the MTA send over IPv4 alone."},
		{"an IPv6 address that HELO lacks", two, "post A 192.0.2.10\n" + v6, rule.HeloResolves, "mx1", "post.example.test. 3600 IN AAAA", "Or let the MTA send over IPv4 alone."},
		{"an IPv6 address that SPF denies", two, "post A 192.0.2.10\npost TXT \"v=spf1 ip4:192.0.2.10 -all\"\n" + v6, rule.HeloSPF, "mx1", "post.example.test. 3600 IN TXT", "Or let the MTA send over IPv4 alone."},
		{"a HELO name in U-labels", idn, "", rule.HeloName, "mx1", none, "xn--pst-sna.example.test"},
		{"an exchanger's IPv6 address without a name", two, "@ MX 10 post\npost A 192.0.2.10\npost AAAA 2001:db8::10\n" + reverse + "10 PTR mta.example.test.\n" + v6, rule.MXHosts, "example.test.", "0.1.0", "Or let the MTA send over IPv4 alone, and remove the AAAA record."},
		{"a PTR name in U-labels", remedyOrg, reverse + "10 PTR p\\195\\182st.example.test.\n", rule.PTRSyntax, "mx1/192.0.2.10", none, "xn--pst-sna.example.test"},
		{"an exchanger in U-labels", remedyOrg, "@ MX 10 p\\195\\182st\n", rule.MXHosts, "example.test.", none, "xn--pst-sna.example.test"},
		{"a HELO name in U-labels at Exim", idn, "", rule.EximHelo, "mx1", none, "xn--pst-sna.example.test"},
		{"an MTA that only sends", "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10], ptr: mta.example.test, helo: post.example.test, roles: [outbound]}]", "post A 192.0.2.10\n",
			rule.MailRoute, "post.example.test.", none, "describe one with the role inbound"},
		{"an MTA that receives beside it", "domain: example.test\nmtas: [{id: mx1, addresses: [192.0.2.10], ptr: mta.example.test, helo: post.example.test, roles: [outbound]}, {id: in, addresses: [192.0.2.11], ptr: in.example.test, roles: [inbound]}]",
			"post A 192.0.2.10\n", rule.MailRoute, "post.example.test.", "post.example.test. 3600 IN MX 10 in.example.test.", "Publish the MX records of the fix"},
	} {
		rep := auditOf(t, test.described, remedyZone+test.more)
		i := slices.IndexFunc(rep.Findings, func(f report.Finding) bool { return f.Rule == test.rule && f.Subject.String() == test.subject })
		if i < 0 {
			t.Fatalf("%s: no finding", test.name)
		}
		f := rep.Findings[i]
		fix := strings.Join(f.Fix, "\n")
		if f.Status != rule.Fail || !strings.Contains(f.Remedy, test.remedy) || !strings.HasPrefix(fix, test.fix) || (fix == "") != (test.fix == "") {
			t.Errorf("%s: %s %s\nfix %q\nremedy %s", test.name, f.Status, f.Message, f.Fix, f.Remedy)
		}
	}
}

// Who publishes a PTR record depends on the zone that it is in.
func TestWhosePTR(t *testing.T) {
	const zones = remedyZone + "post A 192.0.2.10\n$ORIGIN 2.0.192.in-addr.arpa.\n10 CNAME 10.0/28\n0/28 NS ns.provider.test.\n$ORIGIN 0/28.2.0.192.in-addr.arpa.\n@ SOA ns h 1 1 1 1 60\n"
	for described, title := range map[string]string{"": "At your ISP", "zones: [example.test, \"0/28.2.0.192.in-addr.arpa\"]\n": "At your DNS host, in the zone 0/28.2.0.192.in-addr.arpa"} {
		rep := auditOf(t, remedyOrg+described, zones)
		var text bytes.Buffer
		if err := rep.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		_, text2, _ := strings.Cut(text.String(), "Records to publish")
		_, part, _ := strings.Cut(text2, title+":")
		part, _, _ = strings.Cut(part, ":\n")
		if !strings.Contains(part, "10.0/28.2.0.192.in-addr.arpa. 3600 IN PTR mta.example.test.") {
			t.Errorf("not under %s:\n%s", title, text2)
		}
	}
}

// What the audit calls a second PTR name, the plan removes.
func TestSecondPTRName(t *testing.T) {
	const zones = remedyZone + "post A 192.0.2.10\nold A 192.0.2.10\n$ORIGIN 2.0.192.in-addr.arpa.\n10 PTR mta.example.test.\n10 PTR old.example.test.\n"
	rep := auditOf(t, remedyOrg, zones)
	p := newPlan(t, parseOrg(t, remedyOrg), whole(t, parseZones(t, zones).Records()))
	removed := ""
	for _, c := range p.Changes {
		for _, rr := range c.Removed() {
			removed += rule.Record{RR: rr}.String()
		}
	}
	i := slices.IndexFunc(rep.Findings, func(f report.Finding) bool { return f.Code == rule.CodeSeveralNames })
	if i < 0 || !strings.Contains(rep.Findings[i].Message, "mta.example.test., which is described, and old.example.test. at 192.0.2.10") || !strings.Contains(removed, "PTR old.example.test.") {
		t.Errorf("finding %d of %s\nremoved %q", i, lines(rep), removed)
	}
}
