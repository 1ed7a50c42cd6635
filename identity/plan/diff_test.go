package plan_test

import (
	"fmt"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Each archive has an organization and its zones, and what a plan makes of them:
// carefully, and adopting what is there. There may be options: what MTAs were observed to
// say (ADDRESS NAME a line), zones that are asked and not given, names to be denied, and names that are adopted.
func TestNew(t *testing.T) {
	files, err := filepath.Glob("testdata/diff/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := scenario{options: plan.Options{Observed: make(map[netip.Addr]string)}}
			for i, f := range archive.Files {
				switch text := string(f.Data); f.Name {
				case "org":
					s.org = parse(t, text)
				case "zone":
					s.zones = collected(parseZones(t, text))
				case "asked":
					s.asked = parseZones(t, text)
				case "deny-names":
					s.options.DenyNames = true
				case "adopt-names":
					s.options.AdoptNames = strings.Fields(text)
				case "observed":
					for line := range strings.Lines(text) {
						addr, name, _ := strings.Cut(strings.TrimSpace(line), " ")
						s.options.Observed[netip.MustParseAddr(addr)] = name
					}
				case "careful", "adopt":
					s.options.Adopt = f.Name == "adopt"
					got := s.check(t)
					if *update {
						archive.Files[i].Data = []byte(got)
					} else if diff := cmp.Diff(strings.Split(text, "\n"), strings.Split(got, "\n")); diff != "" {
						t.Errorf("%s, -update rewrites it (-want +got):\n%s", f.Name, diff)
					}
				default:
					t.Fatalf("unknown file %s", f.Name)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A scenario is what a plan is made of.
type scenario struct {
	org     *org.Organization
	zones   []dns.RR
	asked   *resolver.Zones // nil: nobody is asked
	options plan.Options
}

func (s scenario) plan(t testing.TB) *plan.Plan {
	t.Helper()
	current := whole(t, resolver.SeqOf(s.zones...))
	if s.asked != nil {
		var err error
		if current, err = current.WithAnswers(t.Context(), s.asked, s.org); err != nil {
			t.Fatal(err)
		}
	}
	p, err := plan.New(s.org, current, s.options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// check returns the text of the plan, which carried out leaves nothing to plan, whether
// at once or step by step.
func (s scenario) check(t *testing.T) string {
	t.Helper()
	p := s.plan(t)
	at := s
	at.zones = plan.Apply(s.zones, p.Changes)
	if s.asked != nil {
		var text strings.Builder
		for rr := range s.asked.Records() {
			if !slices.ContainsFunc(p.Changes, func(c plan.Change) bool { return slices.Contains(c.Before, rr) }) {
				fmt.Fprintln(&text, rr)
			}
		}
		for _, c := range p.Changes {
			for _, rr := range c.After {
				fmt.Fprintln(&text, rr)
			}
		}
		at.asked = parseZones(t, text.String())
	}
	again := at.plan(t)
	for _, c := range again.Changes {
		if c.Owner == plan.OwnerYou || s.asked != nil {
			t.Errorf("planned again: %+v", c)
		}
	}
	if diff := cmp.Diff(fmt.Sprint(p.Kept, p.Refused), fmt.Sprint(again.Kept, again.Refused)); diff != "" {
		t.Errorf("kept and refused, planned again:\n%s", diff)
	}
	stepwise := s.zones
	for _, step := range p.Steps {
		stepwise = plan.Apply(stepwise, step.Changes)
		ttls := make(map[resolver.Question]uint32) // RFC 2181, Section 5.2
		for _, rr := range stepwise {
			set := resolver.Question{Name: rr.Header().Name, Type: rr.Header().Rrtype}
			if ttl, ok := ttls[set]; ok && ttl != rr.Header().Ttl {
				t.Errorf("after step %s, two times to live: %d and of %v", step.Stage, ttl, rr)
			}
			ttls[set] = rr.Header().Ttl
		}
	}
	if diff := cmp.Diff(data(at.zones), data(stepwise)); diff != "" {
		t.Errorf("step by step (-at once +stepwise):\n%s", diff)
	}
	var out strings.Builder
	if err := p.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// data returns records as sorted text, without those whose serial number goes up.
func data(records []dns.RR) []string {
	var out []string
	for _, rr := range records {
		if rr.Header().Rrtype != dns.TypeSOA {
			out = append(out, rr.String())
		}
	}
	slices.Sort(out)
	return out
}

func parseZones(t tb, text string) *resolver.Zones {
	t.Helper()
	z, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// whole returns what zones hold, whose records are all there.
func whole(t tb, records iter.Seq2[dns.RR, error]) *plan.Published {
	t.Helper()
	current, err := plan.FromZones(records)
	if err != nil {
		t.Fatal(err)
	}
	return current
}

func collected(zones *resolver.Zones) []dns.RR {
	var records []dns.RR
	for rr := range zones.Records() {
		records = append(records, rr)
	}
	return records
}

// What cannot be planned upon is an error, and nothing comes with it.
func TestNewBad(t *testing.T) {
	good := parse(t, "domain: example.test\nmtas: [{addresses: [192.0.2.10], helo: post.example.test}]")
	for _, test := range []struct {
		name    string
		o       *org.Organization
		current *plan.Published
		want    string
	}{
		{"no organization", nil, new(plan.Published), "plan: no organization"},
		{"an invalid one", new(org.Organization), new(plan.Published), "plan: domain: expected a DNS name\nmtas: expected at least one MTA"},
		{"no zones", good, nil, "plan: nothing is known about what is published: expected a *Published"},
	} {
		if p, err := plan.New(test.o, test.current, plan.Options{}); p != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, %q", test.name, p, err)
		}
	}
	// The zero Published knows no zone: all is refused but what an ISP has.
	p, err := plan.New(good, new(plan.Published), plan.Options{})
	if err != nil || len(p.Changes) != 0 || len(p.Refused) == 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// What would do harm is refused, with the reason.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ name, described, zone, value, reason string }{
		{"Null MX on a name that sends", "names: [www.example.test]", "www A 192.0.2.80\nwww TXT \"v=spf1 a -all\"",
			"www.example.test. MX", "its SPF record authorizes senders, whose mail receivers would reject because of a Null MX"},
		{"Null MX on a name that gets mail", "names: [www.example.test]", "www MX 10 post",
			"www.example.test. MX", "it has mail servers: describe it as a mail domain, or remove its MX records"},
		{"HELO of the policy domain", "", "", "example.test.", "an MTA uses it in HELO, which a CSA policy would deny"},
		{"at an alias", "names: [www.example.test]", "www CNAME web.provider.test.",
			"www.example.test. TXT", "it is an alias of web.provider.test., whose owner publishes the TXT record: leave it to the owner, or ask for a change there"},
		{"below a delegation", "names: [www.sub.example.test]", "sub NS ns.provider.test.",
			"www.sub.example.test. TXT", "sub.example.test. is delegated to another zone: plan with that zone, too"},
		{"below a DNAME", "names: [www.old.example.test]", "old DNAME new",
			"www.old.example.test. TXT", "all names below old.example.test. are redirected by its DNAME record"},
		{"where a wildcard answers", "names: [www.example.test]", "* A 192.0.2.80",
			"www.example.test. TXT", "*.example.test. would no longer answer for www.example.test.: give it records of its own first"},
		{"a name with an underscore", "names: [_web.example.test]", "", "_web.example.test.", "no host and no mail domain has an underscore in its name"},
		{"a PTR name without the address", "", "mta1 CNAME host.provider.test.", "10.2.0.192.in-addr.arpa. PTR", "mta1.example.test. does not resolve to 192.0.2.10, and this plan does not change that"},
		{"a zone that is not described", "zones: [example.test]\nmail: [{domain: other.test}]", "$ORIGIN other.test.\n@ SOA ns hostmaster 1 1 1 1 60",
			"other.test. TXT", "it is in none of the zones described"},
	} {
		p := scenario{
			org:   parse(t, "domain: example.test\nmtas: [{addresses: [192.0.2.10], ptr: mta1.example.test, helo: example.test}]\n"+test.described),
			zones: collected(parseZones(t, "$TTL 300\n$ORIGIN example.test.\n@ SOA ns hostmaster 1 1 1 1 60\n"+test.zone)),
		}.plan(t)
		if !slices.ContainsFunc(p.Refused, func(r plan.Refusal) bool { return r.Value == test.value && r.Reason == test.reason }) {
			t.Errorf("%s: refused %+v", test.name, p.Refused)
		}
		for _, c := range p.Changes {
			if c.Name+" "+resolver.TypeString(c.Type) == test.value {
				t.Errorf("%s: planned %+v", test.name, c)
			}
		}
	}
}
