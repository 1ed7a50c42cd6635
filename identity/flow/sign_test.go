package flow_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/resolver"
)

// ways to a name: zone text, the name, and the node that has its address, 192.0.2.10.
var ways = []struct{ way, zone, name, node string }{
	{"itself", "n A 192.0.2.10", "n.x.test.", "n.x.test."},
	{"an alias", "n CNAME host\nhost A 192.0.2.10", "n.x.test.", "host.x.test."},
	{"a chain of aliases", "n CNAME m\nm CNAME o.y.test.\no.y.test. CNAME host\nhost A 192.0.2.10", "n.x.test.", "host.x.test."},
	{"a name without records above", "n.dc A 192.0.2.10", "n.dc.x.test.", "n.dc.x.test."},
	{"a delegation to a zone at hand", "sub NS ns.else.test.\n$ORIGIN sub.x.test.\n@ SOA ns.else.test. h 1 1 1 1 1\nn A 192.0.2.10", "n.sub.x.test.", "n.sub.x.test."},
	{"a DNAME", "old DNAME new\nn.new A 192.0.2.10", "n.old.x.test.", "n.new.x.test."},
	{"a wildcard", "*.w A 192.0.2.10", "n.w.x.test.", "*.w.x.test."},
	{"a wildcard that is an alias", "*.w CNAME host\nhost A 192.0.2.10", "n.w.x.test.", "host.x.test."},
	{"a wildcard below a DNAME", "old DNAME new\n*.new A 192.0.2.10", "n.old.x.test.", "*.new.x.test."},
}

// signs of flows: zone text about NN. Those below the name cannot be with a wildcard or a DNAME.
var signs = []struct {
	sign  flow.Sign
	kind  flow.Kind
	text  string
	below bool
	by    string
}{
	{flow.MX, flow.Helo, "d MX 10 NN", false, "d.x.test."},
	{flow.MX, flow.Helo, "*.d MX 10 NN", false, "*.d.x.test."},
	{flow.CSA, flow.Helo, "_client._smtp.NN SRV 1 2 1 NN", true, "_client._smtp.NN"},
	{flow.SPF, flow.Helo, `d TXT "v=spf1 a:NN -all"`, false, "d.x.test."},
	{flow.SPF, flow.Helo, `d TXT "v=spf1 ?A:NN/24//64 -all"`, false, "d.x.test."},
	{flow.SPF, flow.Helo, `d TXT "v=spf1 mx:NN -all"`, false, "d.x.test."},
	{flow.SPF, flow.Helo, "@ TXT \"v=spf1 ptr -all\"\n10.2.0.192.in-addr.arpa. PTR NN", false, "x.test."},
	{flow.Include, flow.Sender, `d TXT "v=spf1 include:NN -all"`, false, "d.x.test."},
	{flow.Include, flow.Sender, `d TXT "v=spf1 exists:NN -all"`, false, "d.x.test."},
	{flow.Include, flow.Sender, `d TXT "v=spf1 redirect=NN"`, false, "d.x.test."},
	{flow.SRV, flow.Helo, "_submission._tcp SRV 0 0 587 NN", false, "_submission._tcp.x.test."},
	{flow.SRV, flow.Helo, "_imaps._tcp SRV 0 0 993 NN", false, "_imaps._tcp.x.test."},
	{flow.TLSA, flow.Helo, "_25._tcp.NN TLSA 3 1 1 " + strings.Repeat("11", 32), true, "_25._tcp.NN"},
	{flow.TLSA, flow.Helo, "*._tcp.NN TLSA 3 1 1 " + strings.Repeat("11", 32), true, "*._tcp.NN"},
	{flow.TLSA, flow.Helo, "_25._tcp.NN CNAME dane.x.test.", true, "_25._tcp.NN"},
	{flow.MTASTS, flow.Inbound, `_mta-sts.NN TXT "v=STSv1; id=1"`, true, "_mta-sts.NN"},
	{flow.TLSRPT, flow.Inbound, `_smtp._tls.NN TXT "v=TLSRPTv1; rua=mailto:a@b.test"`, true, "_smtp._tls.NN"},
	{flow.DKIM, flow.Sender, `s1._domainkey.NN TXT "k=rsa; p=MIIB"`, true, "s1._domainkey.NN"},
	{flow.DKIM, flow.Sender, `a.b._domainkey.NN CNAME a.esp.test.`, true, "a.b._domainkey.NN"},
	{flow.DKIM, flow.Sender, "_domainkey.NN NS ns.esp.test.", true, "_domainkey.NN"},
	{flow.DMARC, flow.Sender, `_dmarc.NN TXT "v=DMARC1; p=quarantine"`, true, "_dmarc.NN"},
	{flow.DMARC, flow.Sender, `_dmarc.NN CNAME dmarc.esp.test.`, true, "_dmarc.NN"},
	{flow.PTR, flow.Helo, "d MX 10 mx.y.test.\nmx.y.test. A 192.0.2.99\n99.2.0.192.in-addr.arpa. PTR NN", false, "mx.y.test."},
	{flow.PTR, flow.Helo, "d MX 10 mx.y.test.\nmx.y.test. A 192.0.2.99\n99.2.0.192.in-addr.arpa. CNAME 99.part.y.test.\n99.part.y.test. PTR NN", false, "mx.y.test."}, // RFC 2317
	{flow.Address, flow.Helo, "d MX 10 mx.y.test.\nmx.y.test. A 192.0.2.10", false, "mx.y.test."},
	{flow.Address, flow.Helo, "_client._smtp.shown SRV 1 2 1 target\ntarget A 192.0.2.10", false, "shown.x.test."},
	{flow.Described, flow.Helo, "HELO", false, "mta"},
	{flow.Described, flow.Helo, "PTR", false, "mta"},
	{flow.Described, flow.Sender, "MAIL", false, ""},
	{flow.Observed, flow.Helo, "OBSERVED", false, ""},
}

// Each sign is found at the node that has the records of the name, whatever the way there.
func TestSigns(t *testing.T) {
	seen := make(map[flow.Sign]bool)
	for _, way := range ways {
		for _, sign := range signs {
			if sign.below && (strings.Contains(way.way, "wildcard") || strings.Contains(way.way, "DNAME")) {
				continue
			}
			s := surveyOf(t, sign.text, way.name, way.zone)
			want := flow.Flow{Kind: sign.kind, Name: way.name, Node: way.node, Sign: sign.sign, By: strings.ReplaceAll(sign.by, "NN", way.name)}
			switch sign.sign {
			case flow.Include:
				want.Name = want.By
			case flow.Address:
				want.Name = way.node
			}
			if !slices.ContainsFunc(s.At(way.node), func(f flow.Flow) bool {
				return want == flow.Flow{Kind: f.Kind, Name: f.Name, Node: f.Node, Sign: f.Sign, By: f.By}
			}) {
				t.Errorf("%s, by way of %s: got %+v, want %+v", sign.text, way.way, s.At(way.node), want)
			}
			seen[sign.sign] = true
		}
	}
	for sign := flow.Described; sign < flow.Authorized; sign++ {
		if !seen[sign] && sign != flow.SPFMX {
			t.Errorf("no test for %s", sign)
		}
	}
}

// surveyOf reads zones with a sign of mail for a name and the way to the name.
func surveyOf(t *testing.T, sign, name, way string) *flow.Survey {
	t.Helper()
	var o *org.Organization
	var seen []flow.Observation
	addr := netip.MustParseAddr("198.51.100.1")
	mta := org.MTA{ID: "mta", Addresses: []netip.Addr{addr}, Helo: "other.y.test"}
	switch sign {
	case "HELO":
		mta.Helo = name
	case "PTR":
		mta.PTR = name
	case "MAIL":
		o = &org.Organization{Mail: []org.MailDomain{{Domain: name}}}
	case "OBSERVED":
		seen = append(seen, flow.Observation{Addr: addr, Helo: strings.ToUpper(strings.TrimSuffix(name, "."))})
	}
	switch sign {
	case "HELO", "PTR", "MAIL", "OBSERVED":
		if o == nil {
			o = new(org.Organization)
		}
		o.Domain, o.MTAs, sign = "x.test", []org.MTA{mta}, ""
	}
	zones, err := resolver.ParseZones(`
$TTL 300
$ORIGIN 2.0.192.in-addr.arpa.
@ SOA ns.else.test. h.else.test. 1 1 1 1 1
$ORIGIN y.test.
@ SOA ns.else.test. h.else.test. 1 1 1 1 1
$ORIGIN x.test.
@ SOA ns.else.test. h.else.test. 1 1 1 1 1
` + strings.NewReplacer("NN/", strings.TrimSuffix(name, ".")+"/", `"v=spf1 redirect=NN"`, `"v=spf1 redirect=`+strings.TrimSuffix(name, ".")+`"`, "NN", name).Replace(sign) + "\n" + way + "\n")
	if err != nil {
		t.Fatal(err)
	}
	s, err := flow.Read(zones.Records(), o, seen...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a name without mail has is not a sign of mail.
func TestNoSigns(t *testing.T) {
	for _, text := range []string{
		`_dmarc.n TXT "v=DMARC1; p=reject; sp=reject"`,
		`s1._domainkey.n TXT "v=DKIM1; p="`,
		`*._domainkey.n TXT "v=DKIM1; k=rsa; p = "`,
		`_domainkey.n TXT "o=-; t=y"`,
		`_dmarc.n TXT "google-site-verification=1"`,
		`x_dmarc.n TXT "v=DMARC1; p=none"`,
		`n._report._dmarc.y.test. TXT "v=DMARC1"`,
		`_mta-sts.n TXT "token"`,
		`_443._tcp.n TLSA 3 1 1 ` + strings.Repeat("11", 32),
		`_sip._tcp SRV 0 0 5060 n`,
		`_client._smtp.n SRV 1 1 0 n`,
		`d TXT "v=spf1 -a:n.x.test -all"`,
		`d TXT "v=spf1 ip4:0.0.0.0/0 -all"`,
		`d TXT "v=spf1 a:%{i}.n.x.test exists:%{h}.x.test -all"`,
		`n MX 0 .`,
		`n TXT "v=spf1 -all"`,
		`10.2.0.192.in-addr.arpa. PTR n.x.test.`,
	} {
		s := surveyOf(t, text, "unused.test.", "n A 192.0.2.10")
		if got := append(s.At("n.x.test."), s.Authorized("n.x.test.")...); len(got) > 0 {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// An address that SPF authorizes ties all its names to mail, whatever the notation.
func TestAuthorized(t *testing.T) {
	for _, terms := range []string{
		"ip4:192.0.2.10", "ip4:192.0.2.0/28", "a", "a:host", "a:alias", "a:host/30", "mx", "mx:other", "?mx/24", "a:%{d}", "~a:any.wild",
	} {
		for _, text := range []string{`@ TXT "v=spf1 TERMS -all"`, "@ TXT \"v=spf1 include:_spf.x.test -all\"\n_spf TXT \"v=spf1 TERMS -all\"", "@ TXT \"v=spf1 redirect=_spf.x.test\"\n_spf TXT \"v=spf1 TERMS ~all\""} {
			replaced := strings.NewReplacer("host", "host.x.test", "alias", "alias.x.test", "other", "other.x.test", "any.wild", "any.wild.x.test").Replace(terms)
			if strings.Contains(text, "_spf") && (terms == "a" || terms == "mx" || terms == "?mx/24" || terms == "a:%{d}") {
				replaced = strings.NewReplacer("a:%{d}", "a:x.test", "?mx/24", "?mx:x.test/24").Replace(replaced)
				replaced = map[string]string{"a": "a:x.test", "mx": "mx:x.test"}[replaced] + map[bool]string{true: "", false: replaced}[replaced == "a" || replaced == "mx"]
			}
			s := surveyOf(t, strings.ReplaceAll(text, "TERMS", replaced), "unused.test.",
				"@ A 192.0.2.10\nhost A 192.0.2.10\nalias CNAME host\n*.wild CNAME alias\n@ MX 10 alias\nother MX 10 host\nsibling A 192.0.2.10")
			flows := append(s.At("sibling.x.test."), s.Authorized("sibling.x.test.")...)
			if len(flows) == 0 {
				t.Errorf("%s, %s: nothing ties another name of the address to mail", text, replaced)
			}
			if s.Authorizer(netip.MustParseAddr("192.0.2.10")) == "" {
				t.Errorf("%s, %s: nobody authorizes the address", text, replaced)
			}
		}
	}
}

// Clients are where the hosts of a flow have addresses.
func TestClients(t *testing.T) {
	s := surveyOf(t, `d TXT "v=spf1 ip4:198.51.100.0/24 a:host.x.test/28 mx:alias.x.test include:esp.test -all"`, "unused.test.",
		"host A 192.0.2.10\nhost AAAA 2001:db8::10\nalias CNAME mail\nmail MX 10 in\nmail MX 20 host\nin A 192.0.2.20\n_client._smtp.says SRV 1 2 1 host")
	want := map[string]string{
		"sender spf ":                   "[198.51.100.0/24]",
		"sender spf host.x.test.":       "[192.0.2.0/28 2001:db8::10/128]",
		"sender spf-mx alias.x.test.":   "[192.0.2.10/32 192.0.2.20/32 2001:db8::10/128]",
		"sender include esp.test.":      "[]",
		"helo spf host.x.test.":         "",
		"helo mx in.x.test.":            "[192.0.2.20/32]",
		"helo csa says.x.test.":         "[192.0.2.10/32 2001:db8::10/128]",
		"inbound mx mail.x.test.":       "[]",
		"inbound mx mail.x.test. other": "",
	}
	got := make(map[string]string)
	for f := range s.Flows() {
		subject := f.Host
		if f.Kind != flow.Sender {
			subject = f.Name
		}
		key := fmt.Sprintf("%s %s %s", f.Kind, f.Sign, subject)
		if want[key] != "" {
			got[key] = fmt.Sprint(s.Clients(f))
		}
	}
	for key, value := range want {
		if value != "" && got[key] != value {
			t.Errorf("%s: %s, want %s", key, got[key], value)
		}
	}
	if diff := cmp.Diff([]string{"esp.test."}, slices.Collect(s.Foreign())); diff != "" {
		t.Errorf("foreign names (-want +got):\n%s", diff)
	}
}
