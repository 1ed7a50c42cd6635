package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/org"
	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// addRemedy sets the fix and the remedy of a failure: wanted records that its evidence does
// not show, at the names where they can be published. A remedy that mentions a fix says why
// there is none instead.
func (s subject) addRemedy(f *report.Finding, known rule.Outcome, out outcome, shown map[published]bool) {
	if out.remedy != "" {
		f.Remedy, known.Remedy = out.remedy, out.remedy
	}
	var obstacles []string
	var there dns.RR // a wanted record that is published: something else is wrong
	for _, record := range s.wanted {
		if !out.fixedBy(record) {
			continue
		}
		isThere := shown[publishedAs(record.RR)] || s.isPublished(record.RR)
		switch rr, obstacle := s.placed(record.RR); {
		case isThere:
			there = rr
		case obstacle != "":
			obstacles = append(obstacles, obstacle+".")
		default:
			f.Fix = append(f.Fix, rule.Record{RR: rr}.String())
		}
	}
	slices.Sort(obstacles)
	obstacle := strings.Join(slices.Compact(obstacles), " ")
	switch {
	case obstacle != "" && len(f.Fix) == 0 && known.MentionsFix():
		f.Remedy = obstacle
	case obstacle != "":
		f.Remedy += " " + obstacle
	case len(f.Fix) > 0 || !known.MentionsFix():
	case out.otherwise != "":
		f.Remedy = out.otherwise
	case there != nil:
		f.Remedy = fmt.Sprintf("The wanted record is published: remove the other %s records of %s.", resolver.TypeString(there.Header().Rrtype), there.Header().Name)
	default:
		f.Remedy = s.whyNotWanted(f.Rule)
	}
	broken := out.broken
	if s.addr != nil && s.addr.rdns != nil {
		broken = append(broken, s.addr.addr)
	}
	switch {
	case strings.Contains(f.Remedy, "over IPv4 alone"):
	case s.mta != nil && s.overIPv4(s.mta, broken):
		f.Remedy += " Or let the MTA send over IPv4 alone."
	case s.mail != nil && slices.ContainsFunc(s.mtas, func(m *mtaFacts) bool { return s.overIPv4(m, broken) }):
		f.Remedy += " Or let the MTA send over IPv4 alone, and remove the AAAA record."
	}
}

// isPublished reports whether DNS has a wanted record. It asks what no evidence tells yet:
// a check need not have looked where its fix belongs.
func (s subject) isPublished(rr dns.RR) bool {
	q := resolver.Question{Name: rr.Header().Name, Type: rr.Header().Rrtype}
	if _, asked := s.seen.said[q]; !asked {
		s.seen.add(s.meter, []resolver.Response{s.ask(q.Name, q.Type)})
	}
	return s.seen.all[publishedAs(rr)]
}

// placed returns a wanted record as it can be published, or why it cannot. The PTR record of
// an address whose reverse name is an alias is at the target of the alias (RFC 2317, Section
// 4). Where a name is an alias only because a wildcard is, it can have records of its own
// (RFC 4592, Section 2.2.1).
func (s subject) placed(rr dns.RR) (at dns.RR, obstacle string) {
	owner := rr.Header().Name
	target := s.seen.aliases[owner]
	switch {
	case target == "":
		return rr, ""
	case rr.Header().Rrtype == dns.TypePTR:
		for range 16 {
			if next := s.seen.aliases[target]; next != "" {
				target = next
			}
		}
		at = dns.Copy(rr)
		at.Header().Name = target
		return at, ""
	case s.byWildcard(owner, target):
		return rr, ""
	}
	ours := s.owns(target) || slices.ContainsFunc(s.wanted, addressesOf(owner))
	return rr, owner + " " + flow.AtAlias(owner, target, rr.Header().Rrtype, ours)
}

// byWildcard reports whether a name is an alias only by a wildcard. A name below it is the
// same alias then, while nothing is below a name that has an alias of its own, and a DNAME
// has another target there.
func (s subject) byWildcard(owner, target string) bool {
	is, known := s.seen.wild[owner]
	if !known {
		aliases := resolver.Records[*dns.CNAME](s.ask(nonexistent+owner, dns.TypeCNAME).Answer)
		is = len(aliases) == 1 && dnsname.CanonicalOrEmpty(aliases[0].Target) == target
		s.seen.wild[owner] = is
	}
	return is
}

// whyNotWanted returns why the description makes no record for a rule, as what to do.
func (s subject) whyNotWanted(id rule.ID) string {
	about := []string{s.name().Name}
	switch {
	case id == rule.HeloRP && s.org.Contacts.MTA == nil:
		return "Describe who is responsible, as the contact mta: the records are made from it."
	case id == rule.DomainRP && s.org.Contacts == (org.Contacts{}):
		return "Describe who is responsible, as contacts: the records are made from them."
	case id == rule.HeloRP || id == rule.DomainRP:
		about = append(about, org.MTALabel+s.domain, org.AdminLabel+s.domain, org.AbuseLabel+s.domain)
	}
	if s.mta != nil {
		about = append(about, dnsname.CanonicalOrEmpty(s.mta.Helo), s.mta.ptr)
	}
	set := resolver.Question{Name: s.name().Name, Type: dns.TypeTXT}
	if id == rule.HeloCSA || id == rule.DomainCSA {
		set = resolver.Question{Name: csa.Owner(set.Name), Type: dns.TypeSRV}
	}
	for _, r := range s.refused {
		_, err := netip.ParseAddr(r.Value)
		if isSet := strings.Contains(r.Value, " "); r.Value == set.String() {
			return fmt.Sprintf("No record is made: %s.", r.Reason)
		} else if isSet {
			continue // about another record
		}
		if s.mta != nil && r.MTA == s.mta.ID && err != nil || slices.Contains(about, dnsname.CanonicalOrEmpty(r.Value)) {
			return fmt.Sprintf("No record can be made of %q: %s.", r.Value, r.Reason)
		}
	}
	return "Nothing that is described makes the record: correct the description, or publish it by hand."
}

// overIPv4 reports whether all addresses with a fault are IPv6 addresses of an MTA, which sends,
// and could do so without them.
func (s subject) overIPv4(m *mtaFacts, broken []netip.Addr) bool {
	is4 := func(a netip.Addr) bool { return a.Is4() }
	others := func(a netip.Addr) bool { return a.Is4() || !slices.Contains(m.Addresses, a.Unmap()) }
	return m.Sends() && len(broken) > 0 && !slices.ContainsFunc(broken, others) && slices.ContainsFunc(s.publicAddresses(m), is4)
}
