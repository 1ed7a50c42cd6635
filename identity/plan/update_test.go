package plan_test

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/resolver"
)

// nsupdate carries out a script as nsupdate and a server do (RFC 2136, Section 3), on
// zones in memory, and returns them. A message whose prerequisites do not hold fails the
// test.
func nsupdate(t *rapid.T, zones []dns.RR, script string) []dns.RR {
	parse := func(words string) dns.RR {
		rr, err := dns.NewRR(words)
		if err != nil || rr == nil {
			t.Fatalf("%q: %v", words, err)
		}
		return rr
	}
	var zone string
	var expected map[resolver.Question][]dns.RR
	now := slices.Clone(zones)
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		command, rest, _ := strings.Cut(line, " ")
		if what, more, ok := strings.Cut(rest, " "); ok && command != "zone" {
			command, rest = command+" "+what, more
		}
		switch {
		case strings.HasPrefix(line, ";"):
		case command == "zone":
			zone, expected = rest, make(map[resolver.Question][]dns.RR)
			if !slices.ContainsFunc(now, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA && rr.Header().Name == zone }) {
				t.Fatalf("%s: no such zone", line)
			}
		case command == "prereq nxrrset":
			words := strings.Fields(rest)
			if slices.ContainsFunc(now, func(rr dns.RR) bool {
				return rr.Header().Name == words[0] && rr.Header().Rrtype == dns.StringToType[words[2]]
			}) {
				t.Fatalf("%s: it does", line)
			}
		case command == "prereq yxrrset":
			rr := parse(rest)
			set := resolver.Question{Name: rr.Header().Name, Type: rr.Header().Rrtype}
			expected[set] = append(expected[set], rr)
		case command == "update delete", command == "update add":
			// RFC 2136, Section 3.2.3: the sets are compared whole, but for their TTL.
			for set, records := range expected {
				there := slices.DeleteFunc(slices.Clone(now), func(rr dns.RR) bool {
					return resolver.Question{Name: rr.Header().Name, Type: rr.Header().Rrtype} != set
				})
				if len(there) != len(records) || slices.ContainsFunc(there, func(rr dns.RR) bool { return !has(records, rr) }) {
					t.Fatalf("%s: prerequisite: %v, there is %v", set.Name, records, there)
				}
			}
			clear(expected)
			rr := parse(rest)
			if !dns.IsSubDomain(zone, rr.Header().Name) {
				t.Fatalf("%s: not in zone %s", line, zone)
			}
			switch there := has(now, rr); {
			case command == "update add" && there, command == "update delete" && !there:
				t.Fatalf("%s: does nothing", line)
			case there:
				now = slices.DeleteFunc(now, func(other dns.RR) bool { return dns.IsDuplicate(rr, other) })
			default:
				now = append(now, rr)
			}
		case command == "send":
		default:
			t.Fatalf("no such command: %q", line)
		}
	}
	return now
}

func has(records []dns.RR, rr dns.RR) bool {
	return slices.ContainsFunc(records, func(other dns.RR) bool { return dns.IsDuplicate(rr, other) })
}

// added returns the records of zone text.
func added(t *rapid.T, text string) []string {
	var out []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(text), "", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		out = append(out, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return data(out)
}

// changed returns what the changes that are not an ISP's add.
func changed(changes []plan.Change) []string {
	var out []dns.RR
	for _, c := range changes {
		if c.Owner != plan.OwnerISP {
			out = append(out, c.Added()...)
		}
	}
	return data(out)
}
