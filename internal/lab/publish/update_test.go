//go:build interop

package publish_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/lab/debian"
	"github.com/bonafide-mta/bonafide/internal/lab/nameserver"
)

// nsupdate takes a script whatever the sizes of its records are: it ends a command at
// 128 KiB, and a message at 64 KiB.
func TestInteropUpdateOfAnySize(t *testing.T) {
	b := bind{nameserver.BIND(t, nameserver.Zone{Apex: "example.test.", Update: true, Text: "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns hostmaster 1 7200 900 1209600 300\n@ NS ns\nns A 127.0.0.1\n"}), debian.Program(t, "nsupdate", "bind9-dnsutils")}
	var changes []plan.Change
	for i, strs := range []int{1, 60, 124, 126, 200, 234} {
		rr := &dns.TXT{Hdr: dns.RR_Header{Name: fmt.Sprintf("n%d.example.test.", i), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 300}}
		for range strs {
			rr.Txt = append(rr.Txt, strings.Repeat(`\200`, 255))
		}
		changes = append(changes, plan.Change{Owner: plan.OwnerYou, Zone: "example.test.", Name: rr.Hdr.Name, Type: dns.TypeTXT, After: []dns.RR{rr}})
	}
	published := func() (n int) {
		for _, c := range changes {
			client := dns.Client{Net: "tcp"}
			answer, _, err := client.Exchange(new(dns.Msg).SetQuestion(c.Name, dns.TypeTXT), b.Addr.String())
			if err != nil {
				t.Fatal(err)
			}
			if len(answer.Answer) == 1 && dns.IsDuplicate(answer.Answer[0], c.After[0]) {
				n++
			}
		}
		return n
	}
	b.carryOut(t, changes)
	if n := published(); n != len(changes) {
		t.Errorf("%d of %d records published", n, len(changes))
	}
	// The same records in prerequisites and deletions are half as large at most.
	for i := range changes[:3] {
		changes[i].Before, changes[i].After = changes[i].After, nil
	}
	var script bytes.Buffer
	if err := plan.WriteUpdate(&script, changes[:2]); err != nil {
		t.Fatal(err)
	}
	if out, err := b.update(script.String()); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := plan.WriteUpdate(&script, changes[2:3]); err == nil || !strings.Contains(err.Error(), "change the zone by hand") {
		t.Errorf("a record of %d octets twice in a message: %v", dns.Len(changes[2].Before[0]), err)
	}
}
