package plan

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
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
	Prepare:      "Publish the addresses of the PTR and HELO names, and the SPF and MX records of the HELO names",
	Authorize:    "Publish which addresses may use the HELO names (CSA)",
	Reverse:      "Set the PTR records of the addresses",
	Confirm:      "Wait until every address has its PTR name, and receivers accept the HELO names from it",
	SetHelo:      "Configure the HELO names on the MTAs that do not use them yet, and restart these MTAs",
	Observe:      "Wait until the MTAs are seen to use the HELO names, in a Received field or the log of another server",
	CheckSenders: "Wait until nothing uses these names in HELO, or in MAIL FROM as user@NAME: check the logs",
	Lock:         "Declare that the PTR names are never used in HELO and send no mail, and remove records that are no longer needed",
	Envelope:     "Publish which servers send for the mail domains, and where their mail goes; if the list may be incomplete, describe them with softfail first",
	NoMail:       "Declare that the other names neither send nor receive mail, and are not used in HELO",
	Policy:       "Declare that no other name of the domain is used in HELO",
}

// WriteText writes the plan for people: the steps in their order, with how long to wait after
// each, then what is kept and refused, and the notes; the contradictions come first. If more than ten changes differ only in
// their names, or more than five records are kept, refused or noted for one reason, it has
// the first names and how many there are: WriteJSON lists all. The text is printable on any
// terminal.
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
	writeNotes("Where the description and DNS do not fit together", p.Contradictions, line)
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
		if zones := signedZones(s.Changes); len(zones) > 0 {
			line("   Then sign again, unless the server does that: %s.", few(zones))
		}
		if wait := waitText(s.Changes); wait != "" && i < len(p.Steps)-1 {
			line("   Then %s.", wait)
		}
	}
	p.writeRest(line)
	_, err := io.WriteString(w, b.String())
	return err
}

// ownerTitle says who an owner is, for people.
var ownerTitle = map[Owner]string{OwnerYou: "you", OwnerDNSHost: "at your DNS host", OwnerISP: "at your ISP", OwnerMTA: "on the MTA"}

// writeText writes what to do in a step, or to wait for.
func (s Step) writeText(line func(string, ...any)) {
	if len(s.Names) > manyLines {
		line("   %d names: %s", len(s.Names), few(s.Names))
	} else {
		for _, n := range s.Names {
			line("   %s", strings.TrimSuffix(n, "."))
		}
	}
	for i, f := range s.Flows {
		if i == manyLines {
			line("   and %d more reasons (all in JSON)", len(s.Flows)-i)
			break
		}
		line("   %s: %s", strings.TrimSuffix(f.Node, "."), f)
	}
	for _, h := range s.Hosts {
		h.writeText(s.Stage, line)
	}
	if s.Stage == SetHelo {
		writeSettings(s.Hosts, line)
	}
	for _, like := range grouped(s.Changes, Change.kind, manyLines) {
		writeLike(like, line)
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
		if h.Refused != "" {
			line("   %s: describe another HELO name, and plan again: %s is refused: %s", h.MTA, heloName, untrusted.Line(h.Refused))
			return
		}
		line("   %s: %s", h.MTA, heloName)
	case Observe:
		if h.Refused != "" {
			line("   %s: describe another HELO name first: %s is refused", h.MTA, heloName)
			return
		}
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
