package dnsfake_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

const editZones = `
$TTL 300
$ORIGIN example.test.
@       SOA   ns hostmaster 1 7200 900 1209600 60
@       NS    ns
@       MX    10 mail
mail    A     192.0.2.10
mail    A     192.0.2.11
mail    AAAA  2001:db8::10
www     CNAME mail
a.ent   A     192.0.2.20
*.wild  A     192.0.2.30
*.wild  TXT   "wild"
child   NS    ns.child
ns.child A    192.0.2.40
signed  CNAME mail
signed  NSEC  www CNAME NSEC
$ORIGIN child.example.test.
@       SOA   ns hostmaster 1 7200 900 1209600 30
@       NS    ns
mail    A     192.0.2.50
$ORIGIN bare.test.
only    A     192.0.2.60
`

// line returns an answer on one line.
func line(t *testing.T, r resolver.Resolver, name string, qtype uint16) string {
	t.Helper()
	answer, err := r.Lookup(t.Context(), name, qtype)
	if err != nil {
		return err.Error()
	}
	var data []string
	for _, rr := range slices.Concat(answer.Chain, answer.Records) {
		data = append(data, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	slices.Sort(data)
	return fmt.Sprint(answer.Status, data, int(answer.TTL.Seconds()))
}

func TestSetAndRemove(t *testing.T) {
	type answers map[string]string // by "name TYPE"
	for _, tt := range []struct {
		name string
		edit func(*dnsfake.Fake)
		want answers
	}{
		{"a set is replaced", func(f *dnsfake.Fake) { f.Set("mail.example.test. 60 A 192.0.2.99") },
			answers{"mail A": "NOERROR [192.0.2.99] 60", "mail AAAA": "NOERROR [2001:db8::10] 300", "www A": "NOERROR [192.0.2.99 mail.example.test.] 60"}},
		{"two records of one set", func(f *dnsfake.Fake) { f.Set("mail.example.test. A 192.0.2.1\nmail.example.test. A 192.0.2.2") },
			answers{"mail A": "NOERROR [192.0.2.1 192.0.2.2] 300"}},
		{"the same again", func(f *dnsfake.Fake) { f.Set("mail.example.test. A 192.0.2.10") }, answers{"mail A": "NOERROR [192.0.2.10] 300"}},
		{"a new name", func(f *dnsfake.Fake) { f.Set("x.y.example.test. A 192.0.2.1") },
			answers{"x.y A": "NOERROR [192.0.2.1] 300", "y A": "NOERROR [] 60", "z A": "NXDOMAIN [] 60"}},
		{"a new zone", func(f *dnsfake.Fake) { f.Set("$ORIGIN new.test.\n@ MX 0 .") }, answers{"new.test. MX": "NOERROR [0 .] 300", "mail A": "NOERROR [192.0.2.10 192.0.2.11] 300"}},
		{"an address in place of an alias", func(f *dnsfake.Fake) { f.Set("www.example.test. A 192.0.2.1") },
			answers{"www A": "NOERROR [192.0.2.1] 300", "www AAAA": "NOERROR [] 60", "www CNAME": "NOERROR [] 60"}},
		{"an alias in place of all else", func(f *dnsfake.Fake) { f.Set("mail.example.test. CNAME x.wild.example.test.") },
			answers{"mail A": "NOERROR [192.0.2.30 x.wild.example.test.] 300", "mail AAAA": "NOERROR [x.wild.example.test.] 60"}},
		{"signatures stay beside an alias", func(f *dnsfake.Fake) { f.Set("signed.example.test. NSEC x.example.test. CNAME NSEC") },
			answers{"signed CNAME": "NOERROR [mail.example.test.] 300", "signed NSEC": "NOERROR [x.example.test. CNAME NSEC] 300"}},
		{"an alias beside signatures", func(f *dnsfake.Fake) { f.Set("signed.example.test. CNAME www.example.test.") },
			answers{"signed CNAME": "NOERROR [www.example.test.] 300"}},
		{"the SOA of an apex", func(f *dnsfake.Fake) { f.Set("example.test. SOA ns hostmaster 2 7200 900 1209600 7") },
			answers{"nothing A": "NXDOMAIN [] 7", "child.example.test. A": "NOERROR [] 30"}},
		{"the SOA that was made up", func(f *dnsfake.Fake) { f.Set("bare.test. SOA ns hostmaster 2 7200 900 1209600 7") },
			answers{"x.bare.test. A": "NXDOMAIN [] 7"}},
		{"a zone has its apex, its delegation stays", func(f *dnsfake.Fake) { f.Set("child.example.test. NS other.example.test.") },
			answers{"child NS": "NOERROR [other.example.test.] 300", "mail.child A": "NOERROR [192.0.2.50] 300"}},
		{"a name beside a wildcard", func(f *dnsfake.Fake) { f.Set("x.wild.example.test. A 192.0.2.1") },
			answers{"x.wild A": "NOERROR [192.0.2.1] 300", "x.wild TXT": "NOERROR [] 60", "y.wild TXT": `NOERROR ["wild"] 300`}},
		{"the wildcard", func(f *dnsfake.Fake) { f.Set("*.wild.example.test. A 192.0.2.1") },
			answers{"x.wild A": "NOERROR [192.0.2.1] 300", "x.wild TXT": `NOERROR ["wild"] 300`}},

		{"a text", func(f *dnsfake.Fake) { f.AddTXT("mail.example.test", "one"); f.SetTXT("MAIL.example.test.", "two\"") },
			answers{"mail TXT": `NOERROR ["two\""] 300`, "mail A": "NOERROR [192.0.2.10 192.0.2.11] 300"}},
		{"a text in place of an alias", func(f *dnsfake.Fake) { f.SetTXT("www.example.test", "") },
			answers{"www TXT": `NOERROR [""] 300`, "www A": "NOERROR [] 60"}},

		{"one type is removed", func(f *dnsfake.Fake) { f.Remove("MAIL.example.test", dns.TypeAAAA) },
			answers{"mail AAAA": "NOERROR [] 60", "mail A": "NOERROR [192.0.2.10 192.0.2.11] 300"}},
		{"all of a name", func(f *dnsfake.Fake) { f.Remove("mail.example.test", dns.TypeANY) },
			answers{"mail A": "NXDOMAIN [] 60", "www A": "NXDOMAIN [mail.example.test.] 60"}},
		{"the last type of a name", func(f *dnsfake.Fake) { f.Remove("www.example.test", dns.TypeCNAME) }, answers{"www A": "NXDOMAIN [] 60"}},
		{"the last name below an empty one", func(f *dnsfake.Fake) { f.Remove("a.ent.example.test", dns.TypeA) },
			answers{"a.ent A": "NXDOMAIN [] 60", "ent A": "NXDOMAIN [] 60"}},
		{"a name with others below it", func(f *dnsfake.Fake) { f.Set("ent.example.test. A 192.0.2.1"); f.Remove("ent.example.test", dns.TypeA) },
			answers{"ent A": "NOERROR [] 60"}},
		{"the wildcard is removed", func(f *dnsfake.Fake) { f.Remove("*.wild.example.test", dns.TypeANY) },
			answers{"x.wild A": "NXDOMAIN [] 60", "wild A": "NXDOMAIN [] 60"}},
		{"a name that hid from a wildcard", func(f *dnsfake.Fake) {
			f.Set("x.wild.example.test. A 192.0.2.1")
			f.Remove("x.wild.example.test", dns.TypeANY)
		}, answers{"x.wild A": "NOERROR [192.0.2.30] 300"}},
		{"the SOA is removed", func(f *dnsfake.Fake) { f.Remove("example.test", dns.TypeSOA) },
			answers{"nothing A": "NXDOMAIN [] 300", "example.test. NS": "NOERROR [ns.example.test.] 300"}},
		{"all of an apex", func(f *dnsfake.Fake) { f.Remove("example.test", dns.TypeANY) },
			answers{"example.test. MX": "NOERROR [] 300", "mail A": "NOERROR [192.0.2.10 192.0.2.11] 300"}},
		{"all of a zone", func(f *dnsfake.Fake) { f.Remove("only.bare.test", dns.TypeA) }, answers{"only.bare.test. A": "NXDOMAIN [] 300"}},
		{"removed and set again", func(f *dnsfake.Fake) {
			f.Remove("mail.example.test", dns.TypeANY)
			f.Set("mail.example.test. AAAA 2001:db8::1")
		}, answers{"mail AAAA": "NOERROR [2001:db8::1] 300", "mail A": "NOERROR [] 60"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake, err := dnsfake.New(editZones)
			if err != nil {
				t.Fatal(err)
			}
			tt.edit(fake)
			got := make(answers)
			for q := range tt.want {
				name, rtype, _ := strings.Cut(q, " ")
				if !strings.HasSuffix(name, ".") {
					name += ".example.test."
				}
				got[q] = line(t, fake, name, dns.StringToType[rtype])
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Names are relative to the one zone, as for Add.
func TestSetRelative(t *testing.T) {
	fake := newFake(t)
	fake.Set("mail 60 A 192.0.2.1")
	if got := line(t, fake, "mail.example.test.", dns.TypeA); got != "NOERROR [192.0.2.1] 60" {
		t.Errorf("got %s", got)
	}
}

// The panic for a mistake in a test names the records that there are.
func TestEditMistakes(t *testing.T) {
	for _, tt := range []struct {
		edit func(*dnsfake.Fake)
		want string
	}{
		{func(f *dnsfake.Fake) { f.Remove("mial.example.test", dns.TypeA) }, "dnsfake: Remove: remove mial.example.test. A: the name does not exist"},
		{func(f *dnsfake.Fake) { f.Remove("mail.example.test", dns.TypeMX) }, "dnsfake: Remove: remove mail.example.test. MX: the name has no such records, but A, AAAA"},
		{func(f *dnsfake.Fake) { f.Remove("www.example.test", dns.TypeA) }, "dnsfake: Remove: remove www.example.test. A: the name has no such records, but CNAME"},
		{func(f *dnsfake.Fake) { f.Remove("ent.example.test", dns.TypeANY) }, "dnsfake: Remove: remove ent.example.test. ANY: the name has no records of its own"},
		{func(f *dnsfake.Fake) { f.Remove("x.wild.example.test", dns.TypeA) }, "dnsfake: Remove: remove x.wild.example.test. A: the name has no records of its own: it is answered from *.wild.example.test."},
		{func(f *dnsfake.Fake) { f.Remove("bare.test", dns.TypeSOA) }, "dnsfake: Remove: remove bare.test. SOA: the name has no records of its own"},
		{func(f *dnsfake.Fake) { f.Remove("mail.example.tset", dns.TypeA) }, "dnsfake: Remove: remove mail.example.tset. A: the name is in no zone"},
		{func(f *dnsfake.Fake) {
			f.Remove("mail.example.test", dns.TypeANY)
			f.Remove("mail.example.test", dns.TypeANY)
		},
			"dnsfake: Remove: remove mail.example.test. ANY: the name does not exist"},
		{func(f *dnsfake.Fake) { f.Remove("a..b", dns.TypeA) }, `dnsfake: Remove: not a DNS name: "a..b"`},
		{func(f *dnsfake.Fake) { f.Set("$ORIGIN example.test.\nmail A nonsense") }, "dnsfake: Set: line 2: A: expected an IPv4 address"},
		{func(f *dnsfake.Fake) { f.Set("mail.example.test. CNAME x.test.\nmail.example.test. A 192.0.2.1") }, "CNAME and other data at mail.example.test."},
		{func(f *dnsfake.Fake) { f.Set("bare.test. CNAME x.test.") }, "CNAME at bare.test., the apex of a zone"},
	} {
		fake, err := dnsfake.New(editZones)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}()
			tt.edit(fake)
		}()
		// And nothing has changed, nor is the lock held.
		if got := line(t, fake, "www.example.test.", dns.TypeCNAME); got != "NOERROR [mail.example.test.] 300" {
			t.Errorf("%s: got %s", tt.want, got)
		}
	}
}

// TestEditModel: after any edits a Fake answers like a new one with the text that is left.
func TestEditModel(t *testing.T) {
	names := []string{"@", "a", "b.a", "*.a", "c", "*"}
	data := map[string][]string{
		"A": {"192.0.2.1", "192.0.2.2", "192.0.2.3"}, "MX": {"1 a", "2 b.a"}, "TXT": {`"x"`, `"y"`}, "CNAME": {"c", "a", "mail.other.test."},
	}
	types := slices.Sorted(maps.Keys(data))
	const soa = "$ORIGIN example.test.\n$TTL 300\n@ SOA ns hostmaster 1 7200 900 1209600 60\n@ NS ns\n"
	const other = "$ORIGIN other.test.\nmail A 192.0.2.4\n"
	rapid.Check(t, func(rt *rapid.T) {
		fake, err := dnsfake.New(soa + other)
		if err != nil {
			t.Fatal(err)
		}
		model := make(map[string]map[string][]string) // by name and type
		for range rapid.IntRange(1, 8).Draw(rt, "edits") {
			name, rtype := rapid.SampledFrom(names).Draw(rt, "name"), rapid.SampledFrom(types).Draw(rt, "type")
			if name == "@" && rtype == "CNAME" {
				continue
			}
			if len(model[name][rtype]) > 0 && rapid.Bool().Draw(rt, "remove") {
				delete(model[name], rtype)
				fake.Remove(strings.TrimPrefix(name+".", "@.")+"example.test", dns.StringToType[rtype])
				continue
			}
			n := rapid.IntRange(1, len(data[rtype])).Draw(rt, "records")
			if rtype == "CNAME" {
				n = 1
				delete(model, name)
			}
			if model[name] == nil {
				model[name] = make(map[string][]string)
			}
			delete(model[name], "CNAME")
			model[name][rtype] = rapid.Permutation(data[rtype]).Draw(rt, "data")[:n]
			fake.Set("$ORIGIN example.test.\n" + text(name, rtype, model[name][rtype]))
		}
		left := soa
		for _, name := range names {
			for _, rtype := range types {
				left += text(name, rtype, model[name][rtype])
			}
		}
		want, err := resolver.ParseZones(left + other)
		if err != nil {
			rt.Fatalf("%v in\n%s", err, left)
		}
		for _, name := range []string{"", "a.", "b.a.", "x.a.", "c.", "x.", "*.a."} {
			for _, rtype := range append(types, "SOA", "ANY") {
				q := name + "example.test."
				if got, want := line(t, fake, q, dns.StringToType[rtype]), line(t, want, q, dns.StringToType[rtype]); got != want {
					rt.Fatalf("%s %s: got %s, want %s, zone\n%s", q, rtype, got, want, left)
				}
			}
		}
	})
}

// text is an RRset in zone text.
func text(name, rtype string, data []string) string {
	var b strings.Builder
	for _, d := range data {
		fmt.Fprintf(&b, "%s %s %s\n", name, rtype, d)
	}
	return b.String()
}

// Lookups that run meanwhile see each change whole: both records of a set or neither.
func TestEditConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					answer, err := fake.Lookup(t.Context(), "mail.example.test.", dns.TypeA)
					got := fmt.Sprint(answer.Addrs(), answer.Status, err)
					switch got {
					case "[192.0.2.10] NOERROR <nil>", "[192.0.2.1 192.0.2.2] NOERROR <nil>", "[] NOERROR <nil>":
					default:
						t.Errorf("got %s", got)
					}
				}
			})
		}
		for range 50 {
			fake.Set("mail A 192.0.2.1\nmail A 192.0.2.2")
			fake.Remove("mail.example.test", dns.TypeA)
			fake.Set("mail A 192.0.2.10")
		}
		wg.Wait()
	})
}

// Over sockets too, from the next question on.
func TestEditServed(t *testing.T) {
	fake := newFake(t)
	client := &resolver.Client{Servers: []netip.AddrPort{serve(t, fake).Addr}}
	fake.Set("mail A 192.0.2.1")
	if got := addrs(t, client); got != "[192.0.2.1 2001:db8::10] <nil>" {
		t.Errorf("after Set: %s", got)
	}
	fake.Remove("mail.example.test", dns.TypeANY)
	if got := addrs(t, client); got != "[] <nil>" {
		t.Errorf("after Remove: %s", got)
	}
}

// addrs are the addresses of mail.example.test and the error.
func addrs(t *testing.T, r resolver.Resolver) string {
	t.Helper()
	addrs, err := resolver.LookupAddrs(t.Context(), r, "mail.example.test")
	return fmt.Sprint(addrs, " ", err)
}
