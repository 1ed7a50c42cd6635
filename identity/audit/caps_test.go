package audit_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// No rule fails for what was not looked up: the mail exchanger that takes mail, the PTR name
// described, the CSA record that authorizes and the RP record of a contact count wherever
// they are in sets of 1 to 30.
func TestCapIsNoFailure(t *testing.T) {
	never := map[rule.ID]bool{
		rule.PTRConfirmed: true, rule.PTROneName: true, rule.HeloCSA: true, rule.MailRoute: true, rule.MXHosts: true, rule.HeloRP: true, rule.DomainRP: true,
	}
	o := oneMTA()
	o.Contacts.Admin = &org.Contact{Name: "Ann", Email: "ann@example.test"}
	contact := org.AdminLabel + o.Domain + "."
	undescribed := oneMTA()
	undescribed.MTAs[0].PTR = ""
	undescribed.MTAs[0].Addresses = append(undescribed.MTAs[0].Addresses, netip.MustParseAddr("192.0.2.11"))
	rapid.Check(t, func(t *rapid.T) {
		var text, reverse strings.Builder
		text.WriteString("$TTL 300\n$ORIGIN example.test.\npost A 192.0.2.10\npost A 192.0.2.11\n_text TXT \"a text\"\n")
		set := func(what string, write func(i int, good bool)) {
			n := rapid.IntRange(1, 30).Draw(t, what)
			good := rapid.IntRange(0, n-1).Draw(t, what+": the good one")
			for i := range n {
				write(i, i == good)
			}
		}
		set("MX", func(i int, good bool) {
			for _, name := range []string{"@", "post"} {
				fmt.Fprintf(&text, "%s MX %d mx%d\n", name, i, i)
			}
			if good {
				fmt.Fprintf(&text, "mx%d A 192.0.2.10\n", i)
			}
		})
		set("CSA", func(i int, good bool) {
			addr := "192.0.2.99"
			if good {
				addr = "192.0.2.10\n" + fmt.Sprintf("csa%d A 192.0.2.11", i)
			}
			fmt.Fprintf(&text, "_client._smtp.post SRV 1 2 0 csa%d\ncsa%[1]d A %s\n", i, addr)
		})
		set("PTR", func(i int, good bool) {
			name := fmt.Sprintf("h%02d.example.test.", i)
			if good {
				name = "mta1.example.test."
				fmt.Fprintf(&text, "%s A 192.0.2.11\n", name)
				fmt.Fprintf(&reverse, "11 PTR %s\n", name)
			}
			fmt.Fprintf(&text, "%s A 192.0.2.10\n", name)
			fmt.Fprintf(&reverse, "10 PTR %s\n", name)
		})
		set("RP", func(i int, good bool) {
			name, mailbox := "_text.example.test.", fmt.Sprintf("p%02d", i)
			if good {
				name, mailbox = contact, "ann"
			}
			fmt.Fprintf(&text, "@ RP %s %s\npost RP %[1]s %s\n", mailbox, name)
		})
		fmt.Fprintf(&text, "%s TXT Ann\n$ORIGIN 2.0.192.in-addr.arpa.\n", contact)
		zones, err := resolver.ParseZones(text.String() + reverse.String())
		if err != nil {
			t.Fatal(err)
		}
		described := o
		if rapid.Bool().Draw(t, "no PTR name is described") {
			described = undescribed
		}
		rep, err := audit.Auditor{Resolver: zones, AllowDocumentation: true}.Audit(t.Context(), described)
		if err != nil {
			t.Fatal(err)
		}
		// The other PTR names and exchangers without an address were seen.
		seen := []rule.Code{rule.CodeSeveralNames, rule.CodeNoAddress}
		for _, f := range rep.Findings {
			if never[f.Rule] && f.Status == rule.Fail && !slices.Contains(seen, f.Code) {
				t.Errorf("%s %s: %s %s", f.Rule, f.Subject, f.Code, f.Message)
			}
		}
	})
}
