//go:build interop

package mtas_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// receivers are the rules of the catalogue that predict Postfix and Exim, and the columns
// of what these do say.
var receivers = []struct {
	rule   rule.ID
	column string
}{
	{rule.PostfixReverseClient, "pf-reverse"},
	{rule.PostfixClient, "pf-client"},
	{rule.PostfixHeloSyntax, "pf-syntax"},
	{rule.PostfixHeloHostname, "pf-helo"},
	{rule.EximReverse, "exim-reverse"},
	{rule.EximHelo, "exim-helo"},
	{rule.EximCSA, "exim-csa"},
}

// A comparison counts what the rules say of clients, and where the servers differ.
type comparison struct {
	equal       map[rule.ID]map[rule.Status]int
	explained   map[string]int
	unexplained int
}

// compare audits an organization with one MTA, the client, and compares what the
// receivers' rules say with what the receivers say.
func (cmp *comparison) compare(t *testing.T, r resolver.Resolver, c client, theirs map[string]string) {
	t.Helper()
	rep, err := audit.Auditor{Resolver: r, AllowDocumentation: true}.Audit(t.Context(), &org.Organization{
		Domain: "example.test", MTAs: []org.MTA{{ID: "client", Addresses: []netip.Addr{netip.MustParseAddr(c.addr)}, Helo: c.helo}},
	})
	if err != nil {
		t.Errorf("line %d: %v", c.line, err)
		return
	}
	found := make(map[rule.ID]report.Finding)
	for _, f := range rep.Findings {
		found[f.Rule] = f
	}
	for _, q := range receivers {
		f, said := found[q.rule], theirs[q.column]
		if cmp.equal[q.rule] == nil {
			cmp.equal[q.rule] = make(map[rule.Status]int)
		}
		if agrees(f, said) {
			cmp.equal[q.rule][f.Status]++
			continue
		}
		if why := explanation(f, said, c); why != "" {
			cmp.explained[string(q.rule)+": "+why]++
			continue
		}
		cmp.unexplained++
		t.Errorf("line %d: %s %q: %s says %s, %s is %s %s: %s", c.line, c.addr, c.helo, q.column, said, q.rule, f.Status, f.Code, f.Message)
	}
}

// agrees reports whether a server does what the rule says.
func agrees(f report.Finding, said string) bool {
	switch f.Status {
	case rule.Pass:
		return said == "ok" && f.Code != rule.CodeUnknown || said == f.Code.String()
	case rule.Fail:
		return said == "fail" || said == "501" && f.Code == rule.CodeMalformed
	case rule.Undecided: // which is refused for now, or deferred
		return said == "fail" || said == "defer"
	}
	return false
}

// explanation returns why a server may say something else, "" if it should not.
func explanation(f report.Finding, said string, c client) string {
	switch {
	case f.Status == rule.NotApplicable:
		return "the client is not public"
	case said == "501":
		return "Exim refused the HELO before"
	case f.Code == rule.CodeSomeUnconfirmed && said == "ok":
		return "the name that comes first resolves back to the client"
	case f.Code == rule.CodeUnderscore && said == "ok":
		return "this Exim is older than 4.97"
	case f.Rule == rule.EximHelo && f.Code == rule.CodeMalformed && strings.Contains(c.helo, "_"):
		return "this Exim is told to take underscores"
	case strings.HasPrefix(string(f.Rule), "postfix-") && c.differs["pf-syntax"] == "sender-syntax":
		return "Postfix refused the sender"
	}
	return ""
}
