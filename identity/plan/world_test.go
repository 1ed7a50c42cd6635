package plan_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A tb is a test, rapid's or not.
type tb interface {
	Helper()
	Fatal(args ...any)
	Context() context.Context
}

// drawn has rapid throw the dice, which then finds the smallest failure itself.
type drawn struct{ t *rapid.T }

func (d drawn) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(d.t, "") }

// A world is an organization and all zones that there are, in some of which it has, or
// others have, published something.
type world struct {
	org     *org.Organization
	records []dns.RR        // of all zones
	given   map[string]bool // the apexes of the whole zones that are planned upon
	asked   bool            // the rest is asked
	options plan.Options
}

// randomWorld returns an organization and zones that hold what is wanted in part, and
// what may stand in its way, if there is to be any.
func randomWorld(r dice, obstacles bool) *world {
	o := random(r)
	domain, _ := dnsname.Canonical(o.Domain)
	apex := domain
	if r.IntN(2) == 0 {
		apex = organizational(domain) // the zone of a friendly organization
	}
	w := &world{org: o, given: map[string]bool{apex: true}, asked: r.IntN(3) == 0}
	w.options = plan.Options{Adopt: r.IntN(2) == 0, DenyNames: r.IntN(4) == 0}
	b := &builder{dice: r, sets: make(map[string][]string)}
	wanted, _ := plan.Want(o)
	names := make(map[string]bool)
	for _, record := range wanted {
		if r.IntN(3) == 0 {
			b.add(record.String())
		}
		if name := record.RR.Header().Name; record.RR.Header().Rrtype != dns.TypePTR {
			names[strings.TrimPrefix(name, "_client._smtp.")] = true
		}
	}
	sorted := slices.SortedFunc(func(yield func(string) bool) {
		for name := range names {
			if !yield(name) {
				return
			}
		}
	}, dnsname.Compare)
	for _, name := range sorted {
		b.others(name, apex, obstacles)
	}
	reverse := r.IntN(4) > 0 || w.asked // whether the addresses have had names
	for _, m := range o.MTAs {
		for _, addr := range m.Addresses {
			b.before(addr.Unmap(), domain, reverse)
		}
	}
	if r.IntN(3) == 0 {
		b.add("*." + apex + " 300 " + b.one(`A 192.0.2.200`, `TXT "v=spf1 -all"`, `MX 10 mail.isp.test.`, `AAAA 2001:db8::99`))
	}
	if obstacles && r.IntN(4) == 0 {
		b.add(b.one("deep", "other") + "." + apex + " 300 DNAME isp.test.")
	}
	if obstacles && r.IntN(4) == 0 {
		b.add("deep." + apex + " 300 NS ns.isp.test.")
	}
	apexes := []string{apex, "2.0.192.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa.", "other.test.", "provider.test.", "isp.test.", "."}
	if classless := "0-15.2.0.192.in-addr.arpa."; reverse && r.IntN(3) == 0 { // RFC 2317
		apexes = append(apexes, classless)
		w.given[classless] = true
		b.classless(classless)
	}
	b.add(`_spf.provider.test. 300 TXT "v=spf1 ip4:203.0.113.1 -all"`)
	for i, zone := range apexes {
		w.given[zone] = w.given[zone] || i < 4 && r.IntN(4) > 0
		b.add(zone + " 300 SOA ns.isp.test. hostmaster.isp.test. 1 1 1 1 60")
	}
	if !w.asked && !w.given["2.0.192.in-addr.arpa."] || !w.given["8.b.d.0.1.0.0.2.ip6.arpa."] && !w.asked {
		// What nobody has shown to the plan it takes for absent.
		for owner := range b.sets {
			if (strings.HasSuffix(owner, ".arpa. PTR") || strings.HasSuffix(owner, ".arpa. CNAME")) && !w.given[enclosing(apexes, strings.Fields(owner)[0])] {
				delete(b.sets, owner)
			}
		}
		if isp := "2.0.192.in-addr.arpa."; !w.asked && !w.given[isp] && w.given["0-15."+isp] {
			b.aliases(o, isp, "0-15."+isp) // it takes these for there
		}
	}
	if r.IntN(4) == 0 { // the organization says which zones it writes
		o.Zones = []string{apex, "other.test", []string{"2.0.192.in-addr.arpa", "198.51.100.in-addr.arpa"}[r.IntN(2)]}
	}
	text := b.text()
	zones, err := resolver.ParseZones(text)
	if err != nil {
		panic(err.Error() + "\n" + text)
	}
	w.records = collected(zones)
	return w
}

// organizational returns the last two labels of a name.
func organizational(name string) string {
	for dns.CountLabel(name) > 2 {
		name = dnsname.Parent(name)
	}
	return name
}

// enclosing returns the deepest of some apexes that a name is under.
func enclosing(apexes []string, name string) string {
	deepest := ""
	for _, apex := range apexes {
		if dnsname.Under(name, apex) && len(apex) > len(deepest) {
			deepest = apex
		}
	}
	return deepest
}

// A builder collects zone text. A CNAME stands alone, or not at all.
type builder struct {
	dice
	sets  map[string][]string // lines, by "owner TYPE"
	order []string
}

func (b *builder) one(choices ...string) string { return choices[b.IntN(len(choices))] }

func (b *builder) add(line string) {
	rr, err := dns.NewRR(line)
	if err != nil {
		panic(err)
	}
	name, _ := dnsname.Canonical(rr.Header().Name)
	key := name + " " + resolver.TypeString(rr.Header().Rrtype)
	if b.sets[key] == nil {
		b.order = append(b.order, key)
	}
	if !slices.Contains(b.sets[key], line) {
		b.sets[key] = append(b.sets[key], line)
	}
}

func (b *builder) text() string {
	taken := make(map[string]bool)
	for _, key := range b.order {
		if name, rtype, _ := strings.Cut(key, " "); rtype != "CNAME" && len(b.sets[key]) > 0 {
			taken[name] = true
		}
	}
	var out strings.Builder
	for _, key := range b.order {
		name, rtype, _ := strings.Cut(key, " ")
		lines := b.sets[key]
		if rtype == "CNAME" || rtype == "DNAME" {
			if rtype == "CNAME" && taken[name] {
				continue
			}
			lines = lines[:min(1, len(lines))]
		}
		for _, line := range lines {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// others adds what others may have published at a name.
func (b *builder) others(name, apex string, obstacles bool) {
	if b.IntN(2) == 0 {
		return
	}
	for range 1 + b.IntN(2) {
		switch b.IntN(12) {
		case 0:
			b.add(name + ` 300 TXT "` + b.one("v=spf1 a -all", "V=SPF1 mx ?all", "v=spf1 -all", "v=spf1 ip4:192.0.2.0/24 ~all", "v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all", "v=spf1 oops", "v=spf1") + `"`)
		case 1:
			b.add(name + ` 300 TXT "token=` + b.one("1", "2", `\"\\;`, strings.Repeat("x", 249)+`" "y`) + `"`)
		case 2:
			b.add(name + " 300 MX " + b.one("0 .", "10 .", "10 mail.isp.test."))
			b.add("mail.isp.test. 300 A 203.0.113.26")
		case 3:
			if rr, err := dns.NewRR("_client._smtp." + name + " 300 SRV " + b.one("1 1 0 ", "1 1 1 ", "1 2 1 ", "1 3 1 ", "2 2 0 ") + name); err == nil {
				b.add(rr.String())
			}
		case 4:
			b.add(name + " 300 " + b.one("A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1", "A 192.0.2.80"))
		case 5:
			b.add(name + " 300 RP jane.isp.test. " + b.one("jane.isp.test.", "jane.isp.test.", "gone."+apex))
			b.add(`jane.isp.test. 300 TXT "Jane Doe"`)
		case 6:
			if name != apex && obstacles {
				b.add(name + " 300 CNAME host1.isp.test.")
			}
		case 7:
			if name != apex && obstacles && dnsname.Under(name, apex) {
				b.add(name + " 300 NS ns.isp.test.")
			}
		case 8:
			b.add("_token." + name + " 300 TXT x") // makes the name an empty non-terminal
		}
	}
}

// before adds what an address was called before: by its provider, by the organization,
// not at all. The provider's names lead to it, and so do some others.
func (b *builder) before(addr netip.Addr, domain string, reverse bool) {
	rtype := "A"
	if addr.Is6() {
		rtype = "AAAA"
	}
	n := last(addr)
	for _, name := range []string{fmt.Sprintf("host%d.isp.test.", n), fmt.Sprintf("%s.dsl.isp.test.", strings.NewReplacer(".", "-", ":", "-").Replace(addr.String())), fmt.Sprintf("old%d.%s", n%2, domain), "old.third.test."} {
		forward := b.IntN(4) > 0
		if forward && b.IntN(2) == 0 {
			b.add(fmt.Sprintf("%s 300 %s %s", name, rtype, addr))
		}
		if reverse && b.IntN(3) == 0 {
			b.add(resolver.ReverseName(addr) + " 300 PTR " + name)
		}
	}
}

func last(addr netip.Addr) int { octets := addr.AsSlice(); return int(octets[len(octets)-1]) }

// classless moves PTR records to a zone below, to which aliases lead.
func (b *builder) classless(zone string) {
	b.add(zone + " 300 NS ns.isp.test.")
	for _, key := range slices.Clone(b.order) {
		name, rtype, _ := strings.Cut(key, " ")
		if rtype != "PTR" || !strings.HasSuffix(name, ".2.0.192.in-addr.arpa.") || b.IntN(4) == 0 {
			continue
		}
		target := strings.TrimSuffix(name, "2.0.192.in-addr.arpa.") + zone
		for _, line := range b.sets[key] {
			b.add(target + strings.TrimPrefix(line, name))
		}
		delete(b.sets, key)
		b.add(name + " 300 CNAME " + target)
	}
}

// aliases gives the reverse names of all MTAs in a zone an alias in another (RFC 2317).
func (b *builder) aliases(o *org.Organization, zone, into string) {
	for _, m := range o.MTAs {
		for _, addr := range m.Addresses {
			if host, ok := strings.CutSuffix(dnsname.Reverse(addr.Unmap()), zone); ok && addr.Unmap().As4()[3] < 16 {
				b.add(host + zone + " 300 CNAME " + host + into)
			}
		}
	}
}

// apexes returns those of all zones.
func (w *world) apexes() []string {
	var out []string
	for _, rr := range w.records {
		if _, ok := rr.(*dns.SOA); ok {
			out = append(out, rr.Header().Name)
		}
	}
	return out
}

// whole returns the records of the zones that are given.
func (w *world) whole() []dns.RR {
	apexes := w.apexes()
	return slices.DeleteFunc(slices.Clone(w.records), func(rr dns.RR) bool {
		name, rtype := rr.Header().Name, rr.Header().Rrtype
		zone := enclosing(apexes, name)
		if rtype == dns.TypeNS && name == zone && zone != "." {
			return !w.given[zone] && !w.given[enclosing(slices.DeleteFunc(slices.Clone(apexes), func(a string) bool { return a == zone }), name)]
		}
		return !w.given[zone]
	})
}

func (w *world) plan(t tb) *plan.Plan {
	t.Helper()
	current := whole(t, resolver.SeqOf(w.whole()...))
	if w.asked {
		var err error
		if current, err = current.WithAnswers(t.Context(), w.zones(t), w.org); err != nil {
			return nil // a delegation to where nobody answers: nothing is planned
		}
	}
	p, err := plan.New(w.org, current, w.options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// zones answers as the world is.
func (w *world) zones(t tb) *resolver.Zones {
	t.Helper()
	var text strings.Builder
	for _, rr := range w.records {
		fmt.Fprintln(&text, rr)
	}
	return parseZones(t, text.String())
}

// after returns the world with changes made, the ISP's too.
func (w *world) after(changes []plan.Change) *world {
	apexes := w.apexes()
	made := slices.Clone(changes)
	for i := range made {
		made[i].Zone = enclosing(apexes, made[i].Name)
	}
	next := *w
	next.records = plan.Apply(w.records, made)
	return &next
}

// String shows the world, for what fails in it.
func (w *world) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s given %v, asked %v, %+v\n", w.org.Domain, w.given, w.asked, w.options)
	for _, m := range w.org.MTAs {
		fmt.Fprintf(&b, "%+v\n", m)
	}
	fmt.Fprintf(&b, "mail %+v names %v\n", w.org.MailDomains(), w.org.Names)
	for _, rr := range w.records {
		fmt.Fprintln(&b, rr)
	}
	return b.String()
}
