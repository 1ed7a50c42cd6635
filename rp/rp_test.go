package rp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
	"github.com/bonafide-mta/bonafide/rp"
)

const zone = `
$TTL 300
$ORIGIN example.test.
post   RP . _mtacontact
_mtacontact TXT "John Smith (email administrator), phone:+35311234567, email:postmaster, web:http://www.example.test/"
@      RP hostmaster _mtacontact
@      RP . _abusecontact
@      RP Action\.domains .
_abusecontact TXT "support dept " "(abuse contact)"
_abusecontact TXT "another text"
none   A 192.0.2.1
nobody RP . .
dangling RP . nowhere
nodata RP john\.smith none
moved  CNAME post
alias  RP . text-alias
text-alias CNAME _mtacontact
space  RP a\032b.example.test. .
quote  RP a\"\\b.example.test. .
dots   RP \.a\.\.b.example.test. .
eight  RP a\255.example.test. .
single RP root. .
hidden RP . contact.mail.local.
sub    TXT "a name below has no person"
below.post A 192.0.2.2
`

func TestLookup(t *testing.T) {
	r := resolvertest.New(t, zone)
	for _, tt := range []struct {
		name string
		want []string // mailbox, name of the text, texts or error
	}{
		{"post.example.test", []string{` | _mtacontact.example.test. | ["John Smith (email administrator), phone:+35311234567, email:postmaster, web:http://www.example.test/"]`}},
		{"Example.TEST.", []string{
			` | _abusecontact.example.test. | ["another text" "support dept (abuse contact)"]`,
			`action.domains@example.test |  | []`, // the case is lost, as with servers
			`hostmaster@example.test | _mtacontact.example.test. | ["John Smith (email administrator), phone:+35311234567, email:postmaster, web:http://www.example.test/"]`,
		}},
		{"none.example.test", nil},
		{"nothing.example.test", nil},
		{"below.post.example.test", nil}, // no inheritance
		{"nobody.example.test", []string{" |  | []"}},
		{"dangling.example.test", []string{" | nowhere.example.test. | rp: there is no TXT record where the RP record points to: nowhere.example.test.: NXDOMAIN"}},
		{"nodata.example.test", []string{"john.smith@example.test | none.example.test. | rp: there is no TXT record where the RP record points to: none.example.test.: NOERROR"}},
		{"moved.example.test", []string{` | _mtacontact.example.test. | ["John Smith (email administrator), phone:+35311234567, email:postmaster, web:http://www.example.test/"]`}},
		{"alias.example.test", []string{` | text-alias.example.test. | ["John Smith (email administrator), phone:+35311234567, email:postmaster, web:http://www.example.test/"]`}},
		{"space.example.test", []string{`"a b"@example.test |  | []`}},
		{"quote.example.test", []string{`"a\"\\b"@example.test |  | []`}},
		{"dots.example.test", []string{`".a..b"@example.test |  | []`}},
		{"eight.example.test", []string{" |  | []"}},
		{"single.example.test", []string{" |  | []"}},
		{"hidden.example.test", []string{" | contact.mail.local. | rp: there is no TXT record where the RP record points to: contact.mail.local.: NXDOMAIN"}},
	} {
		persons, err := rp.Lookup(t.Context(), r, tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var got []string
		for _, p := range persons {
			texts := fmt.Sprintf("%q", p.Texts)
			if p.Err != nil {
				texts = p.Err.Error()
			}
			got = append(got, fmt.Sprintf("%s | %s | %s", p.Mailbox, p.Text, texts))
			if p.RR == nil {
				t.Errorf("%s: no record", tt.name)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if persons, err := rp.Lookup(t.Context(), r, "dangling.example.test"); err != nil || !errors.Is(persons[0].Err, rp.ErrDangling) {
		t.Errorf("%v, %v", persons, err)
	}
}

func TestLookupFails(t *testing.T) {
	if persons, err := rp.Lookup(t.Context(), nil, "example.test"); !errors.Is(err, resolver.ErrNoResolver) || persons != nil {
		t.Errorf("%v, %v", persons, err)
	}
	if persons, err := rp.Lookup(t.Context(), nil, "a..b"); !errors.Is(err, resolver.ErrName) || persons != nil {
		t.Errorf("%v, %v", persons, err)
	}
	for _, kind := range dnsfake.Kinds() {
		r := resolvertest.New(t, zone)
		r.Fail("post.example.test", dns.TypeRP, kind)
		if persons, err := rp.Lookup(t.Context(), r, "post.example.test"); err == nil || persons != nil {
			t.Errorf("%s: %v, %v", kind, persons, err)
		}
		r = resolvertest.New(t, zone)
		r.Fail("_abusecontact.example.test", dns.TypeTXT, kind)
		persons, err := rp.Lookup(t.Context(), r, "example.test")
		if err != nil || len(persons) != 3 || persons[0].Err == nil || errors.Is(persons[0].Err, rp.ErrDangling) || persons[2].Err != nil {
			t.Errorf("%s: %v, %v", kind, persons, err)
		}
	}
}

// Two round trips, however many persons, and no more questions than are stated.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := 0
		r := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			asked++
			var a resolver.Answer
			for i := range 500 {
				if qtype == dns.TypeRP {
					a.Records = append(a.Records, &dns.RP{Hdr: dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET}, Mbox: ".", Txt: fmt.Sprintf("t%d.test.", i)})
				}
			}
			return a, nil
		})
		start := time.Now()
		persons, err := rp.Lookup(t.Context(), r, "example.test")
		if took := time.Since(start); err != nil || len(persons) != 500 || !errors.Is(persons[499].Err, rp.ErrTooManyPersons) || asked != 1+rp.MaxPersons || took != 20*time.Millisecond {
			t.Errorf("%d persons, %d questions in %s, %v", len(persons), asked, took, err)
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	zones, err := resolver.ParseZones(zone)
	if err != nil {
		t.Fatal(err)
	}
	shuffled := dnsfake.Shuffle(zones, seed)
	texts := func(r resolver.Resolver) string {
		persons, err := rp.Lookup(t.Context(), r, "example.test")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, p := range persons {
			fmt.Fprintf(&b, "%q %q %q\n", p.Mailbox, p.Text, p.Texts)
		}
		return b.String()
	}
	want := texts(zones)
	for range 20 {
		if diff := cmp.Diff(want, texts(shuffled)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestEntry(t *testing.T) {
	for _, tt := range []struct {
		entry rp.Entry
		want  string
	}{
		{rp.Entry{Name: "Post.Bücher.example", Text: "_mtacontact.bücher.example", TTL: 300}, "post.xn--bcher-kva.example.\t300\tIN\tRP\t. _mtacontact.xn--bcher-kva.example."},
		{rp.Entry{Name: "example.test", Mailbox: "John.Smith@Example.test"}, `example.test.	0	IN	RP	john\.smith.example.test. .`},
		{rp.Entry{Name: "example.test", Mailbox: `"a b"@example.test`}, `example.test.	0	IN	RP	a\ b.example.test. .`},
		{rp.Entry{Name: "example.test", Mailbox: `"a\"@b"@example.test`}, `example.test.	0	IN	RP	a\"\@b.example.test. .`},
		{rp.Entry{Name: "example.test", Mailbox: strings.Repeat("a", 63) + "@example.test"}, "example.test.\t0\tIN\tRP\t" + strings.Repeat("a", 63) + ".example.test. ."},
		{rp.Entry{Name: "example.test", Mailbox: "postmaster@localhost"}, "example.test.\t0\tIN\tRP\tpostmaster.localhost. ."},
	} {
		if rr, err := tt.entry.RR(); err != nil || rr.String() != tt.want {
			t.Errorf("%+v:\n%v, %v; expected\n%s", tt.entry, rr, err, tt.want)
		}
	}
	for _, tt := range []struct {
		entry rp.Entry
		want  string
	}{
		{rp.Entry{}, "not a DNS name"},
		{rp.Entry{Name: "example.test"}, "would say nothing"},
		{rp.Entry{Name: "a..b", Mailbox: "a@example.test"}, "not a DNS name"},
		{rp.Entry{Name: "example.test", Text: "a..b"}, "not a DNS name"},
		{rp.Entry{Name: "example.test", Text: "."}, "would say nothing"},
		{rp.Entry{Name: "example.test", Mailbox: "postmaster"}, "expected local-part@domain"},
		{rp.Entry{Name: "example.test", Mailbox: "a@"}, "not a DNS name"},
		{rp.Entry{Name: "example.test", Mailbox: "a@b..c"}, "not a DNS name"},
		{rp.Entry{Name: "example.test", Mailbox: "a@[192.0.2.1]"}, "no domain of an address"},
		{rp.Entry{Name: "example.test", Mailbox: "a@192.0.2.1"}, "no domain of an address"},
		{rp.Entry{Name: "example.test", Mailbox: "@example.test"}, "expected a local part"},
		{rp.Entry{Name: "example.test", Mailbox: "a..b@example.test"}, "expected a local part"},
		{rp.Entry{Name: "example.test", Mailbox: "a b@example.test"}, "quotes"},
		{rp.Entry{Name: "example.test", Mailbox: "jürgen@example.test"}, "ASCII"},
		{rp.Entry{Name: "example.test", Mailbox: "a\x00@example.test"}, "ASCII"},
		{rp.Entry{Name: "example.test", Mailbox: `"a"b"@example.test`}, "quotation mark"},
		{rp.Entry{Name: "example.test", Mailbox: `"ab@example.test`}, "quotation mark"},
		{rp.Entry{Name: "example.test", Mailbox: `"@example.test`}, "quotation mark"},
		{rp.Entry{Name: "example.test", Mailbox: `""@example.test`}, "quotation mark"},
		{rp.Entry{Name: "example.test", Mailbox: strings.Repeat("a", 64) + "@example.test"}, "64 octets: a label holds 63"},
	} {
		if rr, err := tt.entry.RR(); err == nil || !strings.HasPrefix(err.Error(), "rp: ") || !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\x00\n") {
			t.Errorf("%+v: %v, %v; expected %s", tt.entry, rr, err, tt.want)
		}
	}
}

// Property 2 of the design: what is built, packed, unpacked and published is looked
// up as it was written, but for upper case.
func TestEntryRoundTrip(t *testing.T) {
	label := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?`)
	rapid.Check(t, func(rt *rapid.T) {
		name := label.Draw(rt, "name") + ".test"
		entry := rp.Entry{Name: name, TTL: 300}
		if rapid.Bool().Draw(rt, "mailbox") {
			local := rapid.OneOf(rapid.StringMatching("[a-zA-Z0-9+_-]{1,20}([.][a-zA-Z0-9]{1,20}){0,2}"), rapid.Custom(func(rt *rapid.T) string {
				text := rapid.StringMatching(`[ -~]{1,63}`).Draw(rt, "text")
				return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
			})).Draw(rt, "local part")
			entry.Mailbox = local + "@" + label.Draw(rt, "domain") + ".test"
		}
		contact := rp.Contact{
			Name: rapid.StringMatching("([A-Z][a-z]{1,9} ?){1,2}[a-z]").Draw(rt, "person"), Role: rapid.StringMatching("[a-z]{0,9}").Draw(rt, "role"),
			Phone: rapid.StringMatching("([+][0-9]{5,12})?").Draw(rt, "phone"), Email: rapid.StringMatching("([a-z]{1,9}@[a-z]{1,9}[.]test)?").Draw(rt, "email"),
			Web: rapid.StringMatching("(https?://[a-z]{1,9}[.]test/[a-z]{0,200})?").Draw(rt, "web"),
		}
		var published []string
		publish := func(rr dns.RR, err error) {
			if err != nil {
				rt.Fatal(err)
			}
			wire := make([]byte, 4096)
			n, err := dns.PackRR(rr, wire, 0, nil, false)
			if err != nil {
				rt.Fatal(err)
			}
			back, _, err := dns.UnpackRR(wire[:n], 0)
			if err != nil || back.String() != rr.String() {
				rt.Fatalf("%v came back as %v, %v", rr, back, err)
			}
			published = append(published, back.String())
		}
		if entry.Mailbox == "" || rapid.Bool().Draw(rt, "text") {
			entry.Text = "_contact." + name
			rr, err := contact.RR(entry.Text, 300)
			publish(rr, err)
		}
		rr, err := entry.RR()
		publish(rr, err)
		zones, err := resolver.ParseZones("$ORIGIN test.\n" + strings.Join(published, "\n"))
		if err != nil {
			rt.Fatal(err)
		}
		persons, err := rp.Lookup(t.Context(), zones, name)
		if err != nil || len(persons) != 1 || persons[0].Err != nil {
			rt.Fatalf("%v: %v, %v", published, persons, err)
		}
		p := persons[0]
		again := rp.Entry{Name: name, Mailbox: p.Mailbox, Text: p.Text, TTL: 300}
		if back, err := again.RR(); err != nil || back.String() != rr.String() {
			rt.Fatalf("%q came back as %q: %v, %v", entry.Mailbox, p.Mailbox, back, err)
		}
		if entry.Text != "" && (len(p.Texts) != 1 || rp.ParseContact(p.Texts[0]) != contact) {
			rt.Fatalf("%+v came back as %q", contact, p.Texts)
		}
	})
}

func TestParseContact(t *testing.T) {
	for text, want := range map[string]rp.Contact{
		"": {},
		"John Smith (email administrator), phone:+35387xxxxxxx, email:postmaster, web:http://www.your-domain.tld/staff/john-smith/": {
			Name: "John Smith", Role: "email administrator", Phone: "+35387xxxxxxx", Email: "postmaster", Web: "http://www.your-domain.tld/staff/john-smith/"},
		"Tom Smith (director), phone:+35387xxxxxxx, web:http://www.your-domain.tld/staff/tom-smith/": {
			Name: "Tom Smith", Role: "director", Phone: "+35387xxxxxxx", Web: "http://www.your-domain.tld/staff/tom-smith/"},
		"support dept (abuse contact), phone:+35301xxxxxxx, web:http://www.your-domain.tld/contact-abuse/": {
			Name: "support dept", Role: "abuse contact", Phone: "+35301xxxxxxx", Web: "http://www.your-domain.tld/contact-abuse/"},
		"phone:+353": {Phone: "+353"},
		"support, address:1 Main Street, Dublin 2, Ireland, web:http://a.test/": {
			Name: "support", Address: "1 Main Street, Dublin 2, Ireland", Web: "http://a.test/"},
		"address:1 Main Street": {Address: "1 Main Street"},
		"address:1, Phone:2, 3": {Address: "1", Phone: "2", Text: "address:1, Phone:2, 3"},
		// Nobody is named: the text stays, and no field says anything.
		"-": {Text: "-"}, "v=spf1 -all": {Text: "v=spf1 -all"}, " V=DMARC1; p=none": {Text: " V=DMARC1; p=none"},
		// Another form, or more: the fields that there are, and the text.
		"web:http://a.test/, Phone: +353": {Phone: "+353", Web: "http://a.test/", Text: "web:http://a.test/, Phone: +353"},
		"call us":                         {Name: "call us"},
		"John, 2nd floor, phone:+353":     {Name: "John", Phone: "+353", Text: "John, 2nd floor, phone:+353"},
		"phone:1, phone:2":                {Phone: "1", Text: "phone:1, phone:2"},
		"John (a":                         {Name: "John (a"},
		" (a)":                            {Name: "(a)", Text: " (a)"},
		"John ()":                         {Name: "John ()"},
		"\x00\n\xff":                      {Name: "\x00\n\xff"},
		", ":                              {Text: ", "},
	} {
		got := rp.ParseContact(text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if got.String() != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}

func TestContactRR(t *testing.T) {
	long := rp.Contact{Text: strings.Repeat("x", 300) + `"\` + "\n"}
	rr, err := long.RR("_mtacontact.example.test", 300)
	if err != nil || len(rr.Txt) != 2 || rr.Hdr.Ttl != 300 {
		t.Errorf("%v, %v", rr, err)
	}
	for _, c := range []rp.Contact{{}, {Role: "a role alone"}, {Name: "a, phone:1"}, {Name: "a (b)"}, {Phone: "1, web:x"}, {Address: "1, web:x"}, {Name: "-"}, {Text: "v=spf1 -all"}, {Text: strings.Repeat("x", 65026)}} {
		if rr, err := c.RR("_mtacontact.example.test", 300); err == nil {
			t.Errorf("%+v: %v", c, rr)
		}
	}
	if rr, err := long.RR("a..b", 300); err == nil {
		t.Errorf("a bad name: %v", rr)
	}
	// The largest text fits a record.
	rr, err = rp.Contact{Text: strings.Repeat("x", 65025)}.RR("a.test", 300)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dns.PackRR(rr, make([]byte, 1<<16+100), 0, nil, false); err != nil {
		t.Error(err)
	}
}

func TestNamesNobody(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "-": true, " . ": true, "–": true, "v=spf1 -all": true, ` "v=spf1 -all"`: true, "V = DKIM1; p=": true, "v=STSv1; id=1": true,
		"John": false, "phone:+353": false, "山田": false, "1": false, "\xfc": false, "vv=1": false, "a=v": false, "http://a.test/?v=1": false,
	} {
		if got := rp.NamesNobody(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	for _, tt := range []struct {
		person rp.Person
		want   bool
	}{
		{rp.Person{}, false}, {rp.Person{Mailbox: "a@b.test"}, true}, {rp.Person{Text: "t.", Texts: []string{"-"}}, false},
		{rp.Person{Texts: []string{"-", "John"}}, true}, {rp.Person{Mailbox: "a@b.test", Texts: []string{"-"}}, true},
	} {
		if got := tt.person.NamesSomebody(); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.person, got, tt.want)
		}
	}
}

// What a contact with fields of any sort publishes is read back as the same fields, a postal
// address with its commas too, or it is refused.
func TestContactReadsBack(t *testing.T) {
	field := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"", "John", " ", ", ", ",", "phone:", "web:x", "address:", "(", ")", "v=spf1", "1 Main Street", "-", "Dublin"}), 0, 4).Draw(t, "pieces"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		c := rp.Contact{Name: field.Draw(t, "name"), Role: field.Draw(t, "role"), Phone: field.Draw(t, "phone"), Email: field.Draw(t, "email"), Address: field.Draw(t, "address"), Web: field.Draw(t, "web")}
		rr, err := c.RR("_mtacontact.example.test", 300)
		if err != nil {
			return
		}
		if diff := cmp.Diff(c, rp.ParseContact(strings.Join(rr.Txt, ""))); diff != "" {
			t.Fatalf("-published +read:\n%s", diff)
		}
	})
	c := rp.Contact{Name: "John", Address: "1 Main Street, Dublin 2", Web: "http://a.test/"}
	if _, err := c.RR("_mtacontact.example.test", 300); err != nil {
		t.Error(err)
	}
}

// FuzzParseContact: nothing panics and nothing is lost; what the fields say is read
// again as it was.
func FuzzParseContact(f *testing.F) {
	f.Add("John Smith (email administrator), phone:+353, email:postmaster, web:http://a.test/")
	f.Add("web:x, phone:y, a, b")
	f.Fuzz(func(t *testing.T, text string) {
		c := rp.ParseContact(text)
		if c.String() != text {
			t.Errorf("%q came back as %q", text, c.String())
		}
		c.Text = ""
		if rr, err := c.RR("a.test", 1); err == nil {
			if again := rp.ParseContact(c.String()); again != c {
				t.Errorf("%v: %+v came back as %+v", rr, c, again)
			}
		}
	})
}

// FuzzEntry: no mailbox panics; one that is accepted comes back.
func FuzzEntry(f *testing.F) {
	f.Add("john.smith@example.test")
	f.Add(`"a\"b c"@example.test`)
	f.Fuzz(func(t *testing.T, mailbox string) {
		rr, err := rp.Entry{Name: "a.test", Mailbox: mailbox, Text: "b.test"}.RR()
		if err != nil {
			return
		}
		r := resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
			return resolver.Answer{Records: []dns.RR{rr}}, nil
		})
		persons, err := rp.Lookup(t.Context(), r, "a.test")
		if err != nil || len(persons) != 1 || (mailbox == "") != (persons[0].Mailbox == "") {
			t.Fatalf("%q: %+v, %v", mailbox, persons, err)
		}
		if again, err := (rp.Entry{Name: "a.test", Mailbox: persons[0].Mailbox, Text: "b.test"}).RR(); err != nil || again.String() != rr.String() {
			t.Errorf("%q is %v, and %q is %v, %v", mailbox, rr, persons[0].Mailbox, again, err)
		}
	})
}
