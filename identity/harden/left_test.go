package harden_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/harden"
)

const leftHead = "$TTL 300\n$ORIGIN x.test.\n@ SOA ns.else.test. h.else.test. 1 1 1 1 1\n"

// A name that has to do with mail is left alone, and so is the node that has its records.
func TestLeft(t *testing.T) {
	for _, tt := range []struct{ zone, name, want string }{
		{"@ MX 10 mail\nmail CNAME host\nhost A 192.0.2.1", "host", "its alias mail.x.test takes the mail of x.test: describe it, or list it in names if it has no mail"},
		{"@ MX 10 any\n* A 192.0.2.1", "*", "any.x.test, which it answers for, takes the mail of x.test: describe it, or list it in names if it has no mail"},
		{"@ MX 10 h.old\nold DNAME new\nh.new A 192.0.2.1", "h.new", "its alias h.old.x.test takes the mail of x.test: describe it, or list it in names if it has no mail"},
		{"@ MX 10 host\nhost A 192.0.2.1\nwww A 192.0.2.1", "www", "it has 192.0.2.1, an address of host.x.test: list it in names if nothing there uses it in HELO or sends as user@ it"},
		{"@ TXT \"v=spf1 a:host.x.test -all\"\nhost A 192.0.2.1\nwww A 192.0.2.1", "www", "it has 192.0.2.1, which the SPF record of x.test authorizes: list it in names if nothing there uses it in HELO or sends as user@ it"},
		{"_25._tcp.host TLSA 3 1 1 " + strings.Repeat("11", 32) + "\nhost A 192.0.2.1", "host", "it has _25._tcp.host.x.test: describe it, or list it in names if it has no mail"},
		{"host A 192.0.2.1\nhost TXT \"v=spf1 a -all\"", "host", "its SPF record does not deny everybody: describe it as a mail domain, or replace the record with v=spf1 -all if it has no mail"},
		{"host A 192.0.2.1\nhost TXT \"v=spf1; a -all\"", "host", "a text is meant to say who sends, but is not an SPF record: a semicolon after the version: write a space"},
		{"smtp A 192.0.2.1", "smtp", `its name has the word "smtp": describe it as an MTA, or list it in names`},
		{"sub NS ns.else.test.\nns.sub A 192.0.2.1", "ns.sub", "sub.x.test. is delegated to a zone of its own: harden the zone that has its records"},
		{"host A 192.0.2.1", "host", ""},
		{"@ A 192.0.2.1\n_dmarc TXT \"v=DMARC1; p=reject\"\n*._domainkey TXT \"v=DKIM1; p=\"", "@", ""},
	} {
		h := hardenedZones(t, parseZones(t, leftHead+tt.zone))
		name := strings.TrimPrefix(tt.name+".x.test.", "@.")
		got := ""
		for _, n := range h.Left {
			if n.Name == name {
				got = n.Text
			}
		}
		if got != tt.want || slices.Contains(h.Names, name) != (tt.want == "") {
			t.Errorf("%s\n%s: got  %q\nwant %q", tt.zone, tt.name, got, tt.want)
		}
	}
}

// A name without mail by the description waits for the flows that its records would hurt. Its
// records are comments, until a caller appends it to Names.
func TestNamesWait(t *testing.T) {
	zones := parseZones(t, leftHead+"@ MX 10 host\nhost A 192.0.2.1\nwww A 192.0.2.1\nftp A 192.0.2.1\nquiet A 192.0.2.9\nmail A 192.0.2.9\nsigns A 192.0.2.8\n_dmarc.signs TXT \"v=DMARC1; p=none\"\n"+
		"old A 192.0.2.7\n$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA ns.else.test. h.else.test. 1 1 1 1 1\n1 PTR old.x.test.")
	o := parse(t, "domain: x.test\nmtas: [{id: m, addresses: [192.0.2.1], helo: host.x.test}]\nnames: [www.x.test, quiet.x.test, signs.x.test, old.x.test, mail.x.test]\n")
	h, err := harden.Zones(zones.Records(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mail.x.test.", "quiet.x.test."}, h.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	want := []flow.Note{
		{Name: "old.x.test.", Text: "it is the PTR name of 192.0.2.1, an address of m"},
		{Name: "signs.x.test.", Text: "it has _dmarc.signs.x.test"},
		{Name: "www.x.test.", Text: "it has 192.0.2.1, an address of m"},
	}
	if diff := cmp.Diff(want, h.Waiting); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
	text := hardened(t, h)
	for _, line := range []string{"; waiting: www.x.test: it has 192.0.2.1, an address of m\n; www.x.test. 3600 IN MX 0 . ; null-mx\n; www.x.test. 3600 IN TXT \"v=spf1 -all\" ; null-spf\n", "; names without mail: 2, waiting: 3, "} {
		if !strings.Contains(text, line) {
			t.Errorf("missing: %s\nin\n%s", line, text)
		}
	}
	for r := range h.Records() {
		if slices.ContainsFunc(want, func(n flow.Note) bool { return n.Name == r.RR.Header().Name }) {
			t.Errorf("not waited for: %s", r)
		}
	}
	h.Names = append(h.Names, "www.x.test.")
	if text := fmt.Sprint(slices.Collect(h.Records())); !strings.Contains(text, "www.x.test. 3600 IN MX 0 .") {
		t.Errorf("appended to Names, without records: %s", text)
	}
	shared := []harden.Shared{{Addr: netip.MustParseAddr("192.0.2.1"), Server: "m", Names: []string{"ftp.x.test."}}}
	if got, want := fmt.Sprint(h.Shared), fmt.Sprint(shared); got != want {
		t.Errorf("shared: %s, want %s", got, want)
	}
}

// Many names with one reason do not hide the others, and all can be listed.
func TestMany(t *testing.T) {
	var zone strings.Builder
	zone.WriteString(leftHead + "@ MX 10 host\nhost A 192.0.2.1\n@ TXT \"v=spf1 include:_spf.esp.test a:out.esp.test ip4:198.51.100.0/24 -all\"\n@ DNSKEY 257 3 13 AAAA\n*.w CNAME host\n")
	for i := range 300 {
		fmt.Fprintf(&zone, "a%d CNAME host\nb%[1]d A 192.0.2.1\nc%[1]d A 198.51.100.%d\nd%[1]d MX 10 host\nd%[1]d A 192.0.2.2\ne%[1]d A 192.0.2.3\ne%[1]d HINFO a b\n", i, i%256)
	}
	h := hardenedZones(t, parseZones(t, zone.String()))
	var comments []string
	for line := range strings.SplitSeq(hardened(t, h), "\n") {
		if strings.HasPrefix(line, ";") {
			comments = append(comments, line)
		}
	}
	if len(comments) > 80 {
		t.Errorf("%d comments: too many to read", len(comments))
	}
	text := strings.Join(comments, "\n")
	for _, want := range []string{
		"; note: x.test: it is signed with DNSSEC: sign it again after you add records",
		"; note: *.w.x.test: it is an alias: names that do not exist have all records of host.x.test, those about mail too",
		"; not known: the servers that SPF records authorize by names outside the zones, and the names that these use. 2 in all: _spf.esp.test, out.esp.test",
		"; note: 192.0.2.1 is an address of host.x.test: its other names are left alone, because programs there may use them in HELO or send as user@ them. List in names those that are never used so. 300 in all: b0.x.test, b1.x.test, b10.x.test,",
		"; left alone: and 290 more: the records of its target count",
		"; note: and 290 more: it seems to be the name of a machine",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s\nin\n%s", want, text)
		}
	}
	h.ListAll = true
	all := hardened(t, h)
	for _, n := range h.Left {
		if !strings.Contains(all, "; left alone: "+n.String()+"\n") {
			t.Errorf("not listed: %s", n)
		}
	}
}
