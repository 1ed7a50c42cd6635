package harden

import (
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// leftAlone returns why a name is left alone, "" if it is not, or if it has no address and
// nothing that one would look for.
func leftAlone(s *flow.Survey, n flow.Node) string {
	name := n.Name
	if len(n.Addrs) == 0 {
		if n.Has(flow.Alias) && dnsname.FormOf(name) == dnsname.Host {
			return "it is an alias: what its target says counts"
		}
		return ""
	}
	if reason := s.NotInZone(name); reason != "" {
		return reason
	}
	switch {
	case s.Described(name) != "":
		return s.Described(name)
	case n.Has(flow.GetsMail):
		return "it has mail servers: describe it as a mail domain"
	case n.Has(flow.SeveralSPF):
		return "it has several SPF records, of which receivers take none (permerror: RFC 7208, Section 4.5)"
	case n.Has(flow.Sends):
		return "it has an SPF record that is not v=spf1 -all"
	case s.NearMiss(name) != "":
		return "a text is meant to say who sends, but is not an SPF record: " + s.NearMiss(name)
	case dnsname.FormOf(strings.TrimPrefix(name, "*.")) != dnsname.Host:
		return "it is no host name: nobody sends mail as user@ it, and a host should not be called so"
	case s.NoMail(name):
		return ""
	case s.Tie(name) != "":
		return s.Tie(name)
	}
	for _, addr := range n.Addrs {
		if owner := s.Authorizer(addr); owner != "" {
			return "the SPF record of " + owner + " authorizes " + addr.String()
		}
	}
	if word := ptrname.MailWord(name); word != "" {
		return fmt.Sprintf("its name has %q: describe it as an MTA, or in names", word)
	}
	return ""
}

// doubt returns a sign that a name which seems to be without mail gets some, or that
// programs send as user@ it, "" for none.
func doubt(s *flow.Survey, n flow.Node) string {
	if n.Has(flow.Apex) && !n.Has(flow.NullMX) {
		return "it is the name of the zone, and mail for it goes to its address: see that nobody is written to there"
	}
	if n.Has(flow.Machine) {
		return "it seems to be the name of a machine: see that cron and other programs there do not send as root@ it"
	}
	for _, addr := range n.Addrs {
		if mta := s.MTA(addr); mta != "" {
			return fmt.Sprintf("its address %s is one of %s: see that nothing there sends as user@ it", addr, strings.TrimSuffix(mta, "."))
		}
	}
	return ""
}

// emptyNonTerminals lists the names that exist only since there are names below them, where
// a wildcard with addresses would answer for them otherwise (RFC 4592, Section 2.2.2).
func emptyNonTerminals(s *flow.Survey) []flow.Note {
	wild := make(map[string]bool) // the parents of such wildcards
	for _, n := range s.Nodes() {
		if strings.HasPrefix(n.Name, "*.") && len(n.Addrs) > 0 {
			wild[dnsname.Parent(n.Name)] = true
		}
	}
	var notes []flow.Note
	if len(wild) == 0 {
		return nil
	}
	seen := make(map[string]bool)
	for _, n := range s.Nodes() {
		if s.NotInZone(n.Name) != "" {
			continue
		}
		for at := n.Name; at != "" && !seen[at]; at = dnsname.Parent(at) {
			if seen[at] = true; s.Node(at).Has(flow.Apex) {
				break
			}
			if parent := dnsname.Parent(at); wild[parent] && s.Node(at) == nil && dnsname.FormOf(at) == dnsname.Host {
				notes = append(notes, flow.Note{Name: at, Text: "it has names below and no records, so that *." + parent + " does not answer for it: nothing is to be added"})
			}
		}
	}
	return notes
}

// wildcardSurprise returns what a wildcard does that its owner may not know, or "".
func wildcardSurprise(s *flow.Survey, n flow.Node) string {
	name := n.Name
	switch {
	case !strings.HasPrefix(name, "*."):
		return ""
	case n.Has(flow.Sends | flow.NullSPF):
		return "its SPF text also answers for _dmarc, _mta-sts and whatever else is asked for by name and is not there"
	case len(n.Addrs) > 0:
		return "with an SPF text it also answers for _dmarc, _mta-sts and whatever else is asked for by name and is not there: give the names that mail is sent under a _dmarc of their own"
	case n.Has(flow.GetsMail):
		return "it takes mail for names that do not exist only: a name with any record of its own has no MX by it"
	}
	return ""
}
