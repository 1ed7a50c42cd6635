package audit_test

import (
	"slices"
	"strings"
	"testing"
)

// A record beside a CNAME record would make a zone unloadable: no fix is one, and the
// failure says what to do instead. The name of an address may be an alias (RFC 2317).
func TestNoFixAtAlias(t *testing.T) {
	rep := readScenario(t, "testdata/aliases.txtar").audit(t)
	targets := map[string]string{"post.example.test.": "host.provider.test.", "www.example.test.": "web.provider.test."}
	remedies := map[string][]string{
		"post.example.test.": {": give it addresses of its own instead.", ": replace the alias with addresses of its own and the TXT record.", ": replace the alias with addresses of its own and the RP record."},
		"www.example.test.":  {", whose owner publishes the MX record: leave it to the owner, or ask for a change there.", ", whose owner publishes the TXT record: leave it to the owner, or ask for a change there."},
	}
	said := make(map[string]int)
	for _, f := range rep.Findings {
		for _, record := range f.Fix {
			if name, _, _ := strings.Cut(record, " "); targets[name] != "" {
				t.Errorf("%s %s: fix %q at an alias", f.Rule, f.Subject, record)
			}
		}
		for name, target := range targets {
			for _, remedy := range remedies[name] {
				if strings.HasSuffix(f.Remedy, name+" is an alias of "+target+remedy) {
					said[name]++
				}
			}
		}
	}
	// helo-resolves, helo-spf, helo-rp, exim-helo and rspamd-helo; null-mx and null-spf.
	if said["post.example.test."] != 5 || said["www.example.test."] != 2 {
		t.Errorf("the remedy stands at %v", said)
	}
	for _, record := range published(rep) {
		if name, _, _ := strings.Cut(record, " "); targets[name] != "" {
			t.Errorf("%q is to be published at an alias", record)
		}
	}
	if ptr := "10.0-15.2.0.192.in-addr.arpa. 3600 IN PTR mta1.example.test."; !slices.Contains(published(rep), ptr) {
		t.Errorf("%s is not to be published", ptr)
	}
}
