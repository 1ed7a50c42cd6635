package harden

import (
	"fmt"
	"strings"

	"github.com/bonafide-mta/bonafide/fcrdns/ptrname"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// used returns a flow of a name described as one without mail that is more than a hint, and
// that the record to add does not end.
func used(s *flow.Survey, n *flow.Node) flow.Flow {
	for _, f := range s.AtNode(n) {
		unsaid := f.Kind == flow.Sender && (f.By == n.Name || f.Name != n.Name && s.NoMail(f.Name))
		if !f.Hint() && !unsaid {
			return f
		}
	}
	return flow.Flow{}
}

// whyLeft returns why a name is left alone, a colon and what to do about it, and the flow that
// is the reason, if one is. It returns "" for a name that is not left alone, with the flow that a
// name without mail by the description has to wait for, or that no reader would look for: it has
// no address and is not an alias.
func whyLeft(s *flow.Survey, n *flow.Node) (flow.Flow, string) {
	var none flow.Flow
	name := n.Name
	if len(n.Addrs) == 0 {
		if n.Has(flow.Alias) && dnsname.FormOf(name) == dnsname.Host {
			return none, "it is an alias: the records of its target count"
		}
		return none, ""
	}
	if reason := s.NotInZone(name); reason != "" {
		return none, reason + ": harden the zone that has its records"
	}
	switch {
	case s.Described(name) != "":
		return none, s.Described(name) + ": the plan has its records"
	case n.Has(flow.GetsMail):
		return none, "it has mail servers: describe it as a mail domain, or remove its MX records if it has no mail"
	case n.Has(flow.SeveralSPF):
		return none, "it has several SPF records, which receivers reject (permerror: RFC 7208, Section 4.5): remove all but one"
	case n.Has(flow.Sends):
		return none, "its SPF record does not deny everybody: describe it as a mail domain, or replace the record with v=spf1 -all if it has no mail"
	case s.NearMiss(name) != "":
		return none, flow.MeantToSend(s.NearMiss(name))
	case dnsname.FormOf(strings.TrimPrefix(name, "*.")) != dnsname.Host:
		return none, "it is not a host name, so nobody should send mail as user@ it"
	}
	f := firstFlow(s, n)
	switch {
	case s.NoMail(name):
		if used := used(s, n); used.Sign != 0 { // as a plan refuses it
			return used, used.String() + ": remove that record first, or describe the name and take it from names"
		}
		return f, ""
	case f.Sign != 0:
		return f, f.String() + wayOut(f)
	}
	if word := ptrname.MailWord(name); word != "" {
		return none, fmt.Sprintf("its name has the word %q: describe it as an MTA, or list it in names", word)
	}
	return none, ""
}

// firstFlow returns the surest flow that records at a name could hurt, or the zero Flow.
func firstFlow(s *flow.Survey, n *flow.Node) flow.Flow {
	for _, f := range s.AtNode(n) {
		return f
	}
	return flow.Flow{}
}

// wayOut returns how a name that a flow is about can be hardened.
func wayOut(f flow.Flow) string {
	switch f.Sign {
	case flow.Described:
		return ": the plan has its records"
	case flow.Address, flow.Authorized:
		return ": list it in names if nothing there uses it in HELO or sends as user@ it"
	}
	return ": describe it, or list it in names if it has no mail"
}

// doubt returns a sign that a name which seems to have no mail receives some, or that programs
// send as root@ it, "" if there is none.
func doubt(n *flow.Node) string {
	if n.Has(flow.Apex) && !n.Has(flow.NullMX) {
		return "it is the name of the zone, and mail for it goes to its address: make sure that nobody receives mail there"
	}
	if n.Has(flow.Machine) {
		return "it seems to be the name of a machine: make sure that cron and other programs there do not send as root@ it"
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
func wildcardNote(n *flow.Node, s *flow.Survey) string {
	switch {
	case !strings.HasPrefix(n.Name, "*."):
		return ""
	case n.Has(flow.Alias):
		return "it is an alias: names that do not exist have all records of " + display(s.Locate(n.Name)) + ", those about mail too"
	case n.Has(flow.Sends | flow.NullSPF):
		return "its SPF text is also the answer for _dmarc, _mta-sts and every other name that does not exist"
	case len(n.Addrs) > 0:
		return "an SPF text here is also the answer for _dmarc, _mta-sts and every other name that does not exist: give the domains that send mail a _dmarc record of their own"
	case n.Has(flow.GetsMail):
		return "it receives mail only for names that do not exist: names with records of their own do not have its MX record"
	}
	return ""
}
