package plan

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// each returns f of each element, never nil.
func each[T, U any](list []T, f func(T) U) []U {
	out := make([]U, 0, len(list))
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

// stageTitle says what to do, or to wait for, in a stage.
var stageTitle = map[Stage]string{
	Prepare:      "Publish the addresses of the PTR and HELO names, and the SPF records of the HELO names",
	Authorize:    "Publish which addresses may use the HELO names (CSA)",
	Reverse:      "Set the PTR records of the addresses",
	Confirm:      "Wait until every address has its PTR name, and receivers accept the HELO names from it",
	SetHelo:      "Configure the HELO names on the MTAs that do not use them yet, and restart these MTAs",
	Observe:      "Wait until the MTAs are seen to use the HELO names, in a Received field or the log of another server",
	CheckSenders: "Wait until nothing sends mail as user@ these names: check the envelope senders in the logs",
	Lock:         "Declare that the PTR names are never used in HELO and send no mail, and remove records that are no longer needed",
	Envelope:     "Publish which servers send for the mail domains, and where their mail goes; if you are not sure that the list is complete, describe them with softfail first",
	NoMail:       "Declare that the other names neither send nor receive mail",
	Policy:       "Declare that no other name of the domain is used in HELO",
}

// WriteText writes the plan for people: the steps in their order, then what is kept and
// refused, and the notes. The text is printable on any terminal.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	todo := "nothing to do"
	switch {
	case len(p.Steps) > 0:
		todo = fmt.Sprintf("RRsets to change: %d, steps: %d", len(p.Changes), len(p.Steps))
	case len(p.Kept) > 0:
		todo = "nothing to do, unless you adopt the plan in place of the records kept"
	}
	line("Plan for %s: %s", strings.TrimSuffix(dnsname.CanonicalOrEmpty(p.Organization.Domain), "."), todo)
	if p.Partial {
		line("This is a partial view: names were looked up one by one, and the rest of their zones is not known.")
	}
	for i, s := range p.Steps {
		var who []string
		for _, o := range s.Owners() {
			who = append(who, ownerTitle[o])
		}
		if s.Gate() {
			who = []string{"gate"}
		}
		line("\n%d. %s (%s): %s.", i+1, s.Stage, strings.Join(who, ", "), stageTitle[s.Stage])
		s.writeText(line)
	}
	if len(p.Kept) > 0 {
		line("\nKept, unless you adopt the plan in their place:")
	}
	for _, k := range p.Kept {
		for _, rr := range k.Records {
			line("   = %s", txt.Record(rr))
		}
		for _, r := range k.Wanted {
			line("   wanted: %s", r)
		}
		line("     %s", untrusted.Line(k.Reason))
	}
	if len(p.Refused) > 0 {
		line("\nRefused:")
	}
	for _, r := range p.Refused {
		line("   %s", untrusted.Line(strings.TrimSpace(r.MTA+" "+r.Value+": "+r.Reason)))
	}
	if len(p.Notes) > 0 {
		line("\nNotes:")
	}
	for _, n := range p.Notes {
		line("   %s", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ownerTitle says who an owner is, for people.
var ownerTitle = map[Owner]string{OwnerYou: "you", OwnerDNSHost: "at your DNS host", OwnerISP: "your ISP", OwnerMTA: "on the MTA"}

// writeText writes what to do in a step, or to wait for.
func (s Step) writeText(line func(string, ...any)) {
	for _, n := range s.Names {
		line("   user@%s", strings.TrimSuffix(n, "."))
	}
	for _, f := range s.Flows {
		line("   %s: %s", strings.TrimSuffix(f.Node, "."), f)
	}
	for _, h := range s.Hosts {
		h.writeText(s.Stage, line)
	}
	for _, c := range s.Changes {
		line("   %s %s, for %s", c.Name, resolver.TypeString(c.Type), joined(c.Rules))
		for _, rr := range c.Removed() {
			line("     - %s", txt.Record(rr))
		}
		for _, rr := range c.Added() {
			line("     + %s", txt.Record(rr))
		}
	}
}

// writeText writes what a step of a stage is about at a host.
func (h Host) writeText(stage Stage, line func(string, ...any)) {
	heloName := strings.TrimSuffix(h.Helo, ".")
	switch stage {
	case Confirm:
		var parts []string
		if h.PTR != "" {
			parts = append(parts, "PTR name "+strings.TrimSuffix(h.PTR, "."))
		}
		if heloName != "" {
			parts = append(parts, "HELO "+heloName)
		}
		line("   %s at %s: %s", h.MTA, joined(h.Addrs), strings.Join(parts, ", "))
	case SetHelo:
		line("   %s", h.MTA)
		line("     Postfix, main.cf:                  smtp_helo_name = %s", heloName)
		line("     Exim, the transports of smtp:      helo_data = %s", heloName)
	case Observe:
		line("   %s: HELO %s", h.MTA, heloName)
		reasons := each(h.Addrs, h.whyNotObserved)
		for i, reason := range reasons {
			if reason == "" || slices.Index(reasons, reason) < i {
				continue // observed, or printed with the first address of that reason
			}
			var from []netip.Addr
			for j, addr := range h.Addrs {
				if reasons[j] == reason {
					from = append(from, addr)
				}
			}
			line("     %s from %s", reason, joined(from))
		}
	}
}

// joined returns the elements as text, separated by commas.
func joined[T any](list []T) string {
	return strings.Join(each(list, func(v T) string { return fmt.Sprint(v) }), ", ")
}
