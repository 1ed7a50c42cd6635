package identity_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity"
)

func readFile(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// filterWords are the keywords of all levels and reasons: no two are the same, or a rule could not tell
// them apart.
func filterWords() []string {
	var all []string
	for _, l := range identity.Levels() {
		all = append(all, l.String())
	}
	for _, r := range identity.Reasons() {
		all = append(all, r.String())
	}
	return all
}

// The table of docs/logs.md has every reason and level, each once.
func TestLogsTable(t *testing.T) {
	var rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]*)` \\| (`[^|]+) \\| (`[^|]+) \\|[^|]*\\|$").FindAllStringSubmatch(readFile(t, "../docs/logs.md"), -1) {
		rows = append(rows, row[1])
		own := "`BONAFIDE_" + strings.ReplaceAll(strings.ToUpper(row[1]), "-", "_") + "`"
		for _, symbol := range row[2:] {
			if strings.Contains(symbol, "BONAFIDE") && symbol != own {
				t.Errorf("%s: %s, expected %s", row[1], symbol, own)
			}
		}
	}
	want := filterWords()
	slices.Sort(rows)
	slices.Sort(want)
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q, expected %q", rows, want)
	}
}

// Its Go code is that of the examples, except for what needs another module.
func TestLogsSnippets(t *testing.T) {
	page, example := readFile(t, "../docs/logs.md"), readFile(t, "example_counters_test.go")
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(snippets) < 3 {
		t.Fatalf("%d snippets", len(snippets))
	}
	for _, snippet := range snippets {
		if lines := strings.Count(snippet[1], "\n"); lines > 12 {
			t.Errorf("%d lines:\n%s", lines, snippet[1])
		}
		if !strings.Contains(snippet[1], "prometheus.") && !strings.Contains(example, "\n\n"+snippet[1]) {
			t.Errorf("example_counters_test.go does not have:\n%s", snippet[1])
		}
	}
}

// Its log line is that of the example.
func TestLogsLine(t *testing.T) {
	page, example := readFile(t, "../docs/logs.md"), readFile(t, "example_counters_test.go")
	line := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(page)
	if line == nil || !strings.Contains(example, "\t// Output:\n\t// "+line[1]+"}") {
		t.Errorf("example_counters_test.go does not have the output %q", line)
	}
}

// filterRules returns the regular expression that docs/logs.md has for a keyword, for each
// filter.
func filterRules(t testing.TB, keyword string) map[string]*regexp.Regexp {
	t.Helper()
	page := readFile(t, "../docs/logs.md")
	spamAssassin := regexp.MustCompile(`(?m)^header +BONAFIDE_NO_PTR +X-Bonafide =~ /(.*)/$`).FindStringSubmatch(page)
	level := regexp.MustCompile(`(?m)^header +BONAFIDE_ANONYMOUS +X-Bonafide =~ /(.*)/$`).FindStringSubmatch(page)
	rspamd := regexp.MustCompile(`(?m)^ +re = string.format\('X-Bonafide=/(.*)/H', keyword\),$`).FindStringSubmatch(page)
	if spamAssassin == nil || level == nil || rspamd == nil {
		t.Fatalf("rules %q, %q, %q", spamAssassin, level, rspamd)
	}
	pattern := strings.Replace(spamAssassin[1], identity.NoPTR.String(), keyword, 1)
	if new(identity.Level).UnmarshalText([]byte(keyword)) == nil {
		pattern = strings.Replace(level[1], identity.Anonymous.String(), keyword, 1)
	}
	// A bracket in brackets is one to Lua's and Perl's expressions, and a class to Go's.
	inClass := strings.NewReplacer("[[ ]", `[\[ ]`, "[] ]", `[\] ]`)
	return map[string]*regexp.Regexp{
		"SpamAssassin": regexp.MustCompile(pattern),
		"rspamd":       regexp.MustCompile(inClass.Replace(fmt.Sprintf(rspamd[1], keyword))),
	}
}

// The rules find the level and the reasons that are in a field, and no other.
func TestLogsRules(t *testing.T) {
	rules := make(map[string]map[string]*regexp.Regexp)
	for _, keyword := range filterWords() {
		rules[keyword] = filterRules(t, keyword)
	}
	if all := filterField(&identity.Verdict{Level: identity.NotApplicable, Reasons: identity.Reasons()}); len(all) > 900 {
		t.Errorf("a field of %d octets", len(all))
	}
	rapid.Check(t, func(t *rapid.T) {
		v := &identity.Verdict{Level: rapid.SampledFrom(identity.Levels()).Draw(t, "level")}
		for _, r := range identity.Reasons() {
			if rapid.Bool().Draw(t, r.String()) {
				v.Reasons = append(v.Reasons, r)
			}
		}
		field := filterField(v)
		for keyword, byFilter := range rules {
			is := keyword == v.Level.String() || slices.ContainsFunc(v.Reasons, func(r identity.Reason) bool { return r.String() == keyword })
			for filter, rule := range byFilter {
				if rule.MatchString(field) != is {
					t.Errorf("%s: %q finds %s in %q: %t", filter, rule, keyword, field, !is)
				}
			}
		}
	})
}
