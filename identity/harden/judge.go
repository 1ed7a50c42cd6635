package harden

import (
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// whyLeft returns why a name is left alone, "" if it is not, or if it is not a name that a
// reader would look for: it has no address and is not an alias.
func whyLeft(s *flow.Survey, n flow.Node) string {
	name := n.Name
	if len(n.Addrs) == 0 {
		if n.Has(flow.Alias) && dnsname.FormOf(name) == dnsname.Host {
			return "it is an alias: the records of its target count"
		}
		return ""
	}
	if reason := s.NotInZone(name); reason != "" {
		return reason
	}
	switch {
	case s.NotOwned(name) != "":
		return s.NotOwned(name)
	case s.Described(name) != "":
		return s.Described(name)
	case n.Has(flow.GetsMail):
		return "it has mail servers: describe it as a mail domain"
	case n.Has(flow.SeveralSPF):
		return "it has several SPF records, which receivers reject (permerror: RFC 7208, Section 4.5)"
	case n.Has(flow.Sends):
		return "its SPF record does not deny everybody"
	case s.NearMiss(name) != "":
		return flow.MeantToSend(s.NearMiss(name))
	case dnsname.FormOf(strings.TrimPrefix(name, "*.")) != dnsname.Host:
		return "it is not a host name, so nobody should send mail as user@ it"
	case s.NoMail(name):
		return ""
	}
	if flows := s.At(name); len(flows) > 0 {
		return flows[0].String()
	}
	for _, addr := range n.Addrs {
		if owner := s.Authorizer(addr); owner != "" {
			return "the SPF record of " + owner + " authorizes " + addr.String()
		}
	}
	if word := ptrname.MailWord(name); word != "" {
		return fmt.Sprintf("its name has the word %q: describe it as an MTA, or list it in names", word)
	}
	return ""
}

// doubt returns a sign that a name which seems to have no mail receives some, or that
// programs send as user@ it, "" if there is none.
func doubt(s *flow.Survey, n flow.Node) string {
	if n.Has(flow.Apex) && !n.Has(flow.NullMX) {
		return "it is the name of the zone, and mail for it goes to its address: make sure that nobody receives mail there"
	}
	if n.Has(flow.Machine) {
		return "it seems to be the name of a machine: make sure that cron and other programs there do not send as root@ it"
	}
	for _, addr := range n.Addrs {
		if server := s.Server(addr); server != "" {
			return fmt.Sprintf("its address %s is also an address of %s: make sure that nothing there sends as user@ it", addr, strings.TrimSuffix(server, "."))
		}
	}
	return ""
}

// emptyNonTerminals notes the names that exist only because there are names below them, and
// for which a wildcard with addresses therefore does not answer (RFC 4592, Section 2.2.2).
func emptyNonTerminals(s *flow.Survey) []flow.Note {
	wild := make(map[string]bool) // the parents of wildcards with addresses
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
				notes = append(notes, flow.Note{Name: at, Text: "it has no records, only names below it, so *." + parent + " does not answer for it: it needs no records"})
			}
		}
	}
	return notes
}

// wildcardNote returns what a wildcard does that its owner may not expect, "" for nothing.
func wildcardNote(n flow.Node) string {
	switch {
	case !strings.HasPrefix(n.Name, "*."):
		return ""
	case n.Has(flow.Sends | flow.NullSPF):
		return "its SPF text is also the answer for _dmarc, _mta-sts and every other name that does not exist"
	case len(n.Addrs) > 0:
		return "an SPF text here is also the answer for _dmarc, _mta-sts and every other name that does not exist: give the domains that send mail a _dmarc record of their own"
	case n.Has(flow.GetsMail):
		return "it receives mail only for names that do not exist: names with records of their own do not have its MX record"
	}
	return ""
}
