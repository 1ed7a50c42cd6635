//go:build interop

package resolver_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// entries is how many entries are compared.
const entries = 10_000

// An entryDeviation is a kind of entry that named-checkzone and we read otherwise.
type entryDeviation struct {
	name, reason string
	is           func(e comparedEntry) bool
}

// A comparedEntry is an entry with what came of it: owner, type, TTL and data in wire
// form, "" where it was refused.
type comparedEntry struct {
	rtype, line  string
	ours, theirs string
	ourError     string
	unread       bool // we keep its owner and type only
}

// rareTypes are those whose data miekg/dns reads for us, or nobody.
var rareTypes = map[string]bool{"LOC": true, "APL": true, "SVCB": true, "HTTPS": true, "WKS": true, "NSAP": true, "IPSECKEY": true, "KEY": true, "NULL": true,
	"AMTRELAY": true, "DSYNC": true, "WALLET": true, "HHIT": true, "CLA": true}

var entryDeviations = []entryDeviation{
	{"unread", "a type that mail does not use, in a form that is not known here: owner and type stay, its questions fail",
		func(e comparedEntry) bool { return e.unread && rareTypes[e.rtype] }},
	{"rare types", "a fault in the data of a type that mail does not use never costs the zone",
		func(e comparedEntry) bool { return rareTypes[e.rtype] && e.theirs == "" }},
	{"non-ASCII words", "nobody would ask for a name with these octets: refused, with the character to write",
		func(e comparedEntry) bool { return e.ours == "" && strings.Contains(e.ourError, "non-ASCII octets") }},
	{"fingerprint of no octets", "BIND takes SSHFP data without a fingerprint as octets, and of kinds that it does not know",
		func(e comparedEntry) bool {
			return e.rtype == "SSHFP" && e.ours == ""
		}},
	{"flags of a key", "BIND reads the mnemonics of RFC 2535, and their beginnings, for the flags of keys",
		func(e comparedEntry) bool {
			return strings.HasSuffix(e.rtype, "DNSKEY") && strings.Contains(e.ourError, "mnemonic")
		}},
	{"a number with a sign", "BIND reads +1 as the number of a record type or an algorithm",
		func(e comparedEntry) bool { return e.ours == "" && strings.Contains(e.ourError, `, got "+`) }},
	{"EUI with more digits", "BIND reads the first digits and overlooks the others",
		func(e comparedEntry) bool { return strings.HasPrefix(e.rtype, "EUI") && e.ours == "" }},
	{"at a wildcard", "BIND does not load NS, NSEC3 and DNAME records at a wildcard, NSD and Knot do (RFC 4592, Section 4)",
		func(e comparedEntry) bool {
			return strings.HasPrefix(e.line, "*.") && slices.Contains([]string{"NS", "NSEC3", "DNAME"}, e.rtype) && e.theirs == ""
		}},
	{`\[`, "BIND has not read it as an escape since bit-string labels (RFC 2673, which is historic)",
		func(e comparedEntry) bool { return e.theirs == "" && strings.Contains(e.line, `\[`) }},
	{"NAPTR regexp", "BIND checks the regular expression of a NAPTR record, which mail does not use",
		func(e comparedEntry) bool { return e.rtype == "NAPTR" && e.theirs == "" }},
}

// TestInteropZoneText compares what ReadZone and named-checkzone of BIND 9.18 make of
// entries of zone text: whether they take them, and the data.
func TestInteropZoneText(t *testing.T) {
	program, err := exec.LookPath("named-checkzone")
	if err != nil {
		t.Fatal(err)
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	g := entryGen{rand.New(rand.NewPCG(seed, 0))}
	compared := make([]comparedEntry, entries)
	for i := range compared {
		rtype, line := g.entry(i)
		compared[i] = comparedEntry{rtype: rtype, line: line}
		ours(&compared[i])
	}
	theirs(t, program, compared)

	counts, types := make(map[string]int), make(map[string]int)
	deviating := make(map[string]int)
	taken, refused, different := 0, 0, 0
	for _, e := range compared {
		types[e.rtype]++
		switch {
		case e.ours == e.theirs && e.ours == "":
			refused++
			continue
		case e.ours == e.theirs:
			taken++
			continue
		}
		i := slices.IndexFunc(entryDeviations, func(d entryDeviation) bool { return d.is(e) })
		if i >= 0 {
			counts[entryDeviations[i].name]++
			deviating[e.rtype]++
			continue
		}
		if different++; different <= 40 {
			t.Errorf("%s\n  ours:   %s%s\n  theirs: %s", e.line, e.ours, e.ourError, e.theirs)
		}
	}
	t.Logf("again with: -interop.seed=%d", seed)
	t.Logf("seed %d: %d entries of %d types, %d taken and %d refused by both with the same data", seed, entries, len(types), taken, refused)
	for _, d := range entryDeviations {
		t.Logf("%6d  %s: %s", counts[d.name], d.name, d.reason)
	}
	t.Logf("deviations by type: %v", deviating)
	t.Logf("named-checkzone, seed %d, %d entries: %d unexplained differences", seed, entries, different)
}

var entryLabel = regexp.MustCompile(`(?i)(?:^|\.)"?e([0-9]+)`)

// ours reads an entry as a zone of its own.
func ours(e *comparedEntry) {
	zones, err := resolver.ReadZone("z.test", "", strings.NewReader(entryHead+e.line+"\n"))
	if err != nil {
		e.ourError = err.Error()
		return
	}
	var got []string
	for rr := range zones.Records() {
		name := rr.Header().Name
		if name == "z.test." && (rr.Header().Rrtype == dns.TypeSOA || strings.HasSuffix(rr.String(), "ns.other.test.")) {
			continue
		}
		buf := make([]byte, dns.Len(rr)+1)
		end, err := dns.PackRR(rr, buf, 0, nil, false)
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		if _, unread := rr.(*txt.Unread); unread {
			e.unread = true
		}
		got = append(got, fmt.Sprintf("%s %d %d %x", name, rr.Header().Ttl, rr.Header().Rrtype, dataOf(buf[:end])))
	}
	slices.Sort(got)
	e.ours = strings.Join(got, "|")
}

// dataOf returns the data of a packed record.
func dataOf(packed []byte) []byte {
	_, at, err := dns.UnpackDomainName(packed, 0)
	if err != nil {
		return nil
	}
	return packed[at+10:]
}

// errorLine finds the line of a message; those of bindWarnings are warnings.
var (
	errorLine    = regexp.MustCompile(`entries\.zone:([0-9]+): `)
	bindWarnings = regexp.MustCompile(`> MAXTTL, setting|is not a decimal dotted quad|old style DNSSEC|ignoring out-of-zone|TTL semantics|end with newline|signature has expired|warning`)
)

// spacing is how many lines an entry has: one that BIND reads on behind the end of its line
// takes the next one for a part of it.
const spacing = 4

// theirs has named-checkzone read all entries in one zone, without those that it refuses,
// which it names all in one run. One with a parenthesis that is
// refused may hide what is below it, and is read alone.
func theirs(t *testing.T, program string, compared []comparedEntry) {
	t.Helper()
	left := make(map[int]bool) // not in the zone: refused, or read alone
	for i := range compared {
		if e := compared[i]; e.ourError != "" && strings.Contains(e.line, "(") {
			left[i] = true
			checkZone(t, program, compared[i:i+1], nil, compared)
		}
	}
	for range 20 {
		before := len(left)
		out, ok := checkZone(t, program, compared, left, compared)
		if ok {
			return
		}
		for line := range strings.Lines(out) {
			m := errorLine.FindStringSubmatch(line)
			if m == nil || bindWarnings.MatchString(line) {
				continue
			}
			if n, _ := strconv.Atoi(m[1]); n > 3 && (n-4)/spacing < len(compared) {
				left[(n-4)/spacing] = true
			}
		}
		if len(left) == before {
			t.Fatalf("named-checkzone: %s", out[max(0, len(out)-4000):])
		}
	}
	t.Fatal("named-checkzone finds more errors each time")
}

// checkZone has named-checkzone read a zone of entries, and keeps what it makes of them, by
// the number in their owners.
func checkZone(t *testing.T, program string, entries []comparedEntry, left map[int]bool, compared []comparedEntry) (out string, ok bool) {
	t.Helper()
	var b strings.Builder
	b.WriteString(entryHead)
	for i, e := range entries {
		if !left[i] {
			b.WriteString(e.line)
		}
		b.WriteString(strings.Repeat("\n", spacing))
	}
	b.WriteString(strings.Repeat("\n", spacing)) // for errors at the end of the file
	dir := t.TempDir()
	file, raw := filepath.Join(dir, "entries.zone"), filepath.Join(dir, "raw")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-i", "none", "-F", "raw", "-o", raw}
	for _, check := range []string{"-k", "-m", "-r", "-M", "-S", "-n"} {
		args = append(args, check, "ignore")
	}
	said, err := exec.Command(program, append(args, "z.test", file)...).CombinedOutput()
	if err != nil {
		return string(said), false
	}
	fromRaw(t, raw, compared)
	return "", true
}

// fromRaw reads the records of a file in BIND's raw format.
func fromRaw(t *testing.T, file string, compared []comparedEntry) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[int][]string)
	u16 := func(at int) int { return int(binary.BigEndian.Uint16(data[at:])) }
	for data = data[24:]; len(data) > 0; { // behind the header
		whole := int(binary.BigEndian.Uint32(data))
		rtype, ttl, count := u16(6), binary.BigEndian.Uint32(data[10:]), int(binary.BigEndian.Uint32(data[14:]))
		name, _, err := dns.UnpackDomainName(data[20:20+u16(18)], 0)
		if err != nil {
			t.Fatal(err)
		}
		name, _ = resolver.Canonical(name)
		at := 20 + u16(18)
		for range count {
			size := u16(at)
			text := fmt.Sprintf("%s %d %d %s", name, ttl, rtype, hex.EncodeToString(data[at+2:at+2+size]))
			at += 2 + size
			m := entryLabel.FindStringSubmatch(name)
			if m == nil {
				continue // SOA and NS
			}
			n, _ := strconv.Atoi(m[1])
			got[n] = append(got[n], text)
		}
		data = data[whole:]
	}
	for n, texts := range maps.All(got) {
		slices.Sort(texts)
		compared[n].theirs = strings.Join(texts, "|")
	}
}
