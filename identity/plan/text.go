package plan

import (
	"fmt"
	"io"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/resolver"
)

// stageTitle says what is to be done, or waited for, in a stage.
var stageTitle = map[Stage]string{
	Prepare:  "Publish the addresses of the names, and what vouches for the HELO names",
	Reverse:  "Give the addresses their names",
	Confirm:  "Wait until every address has its name, and no HELO name is denied to its MTA",
	Greet:    "Tell the MTAs what to say in HELO, and restart them",
	Observe:  "Wait until they are seen to say it, in a Received field or the log of another server",
	Quiet:    "Wait until nothing sends mail as user@ these names: look at the envelope senders in the logs",
	Lock:     "Lock the PTR names: they greet nobody and send no mail; take out what nobody needs any more",
	Envelope: "Publish who sends in the name of the mail domains; softfail in the description first, if you are not sure that these are all",
	Silence:  "Publish that the other names neither send mail nor get any",
	Policy:   "Publish that no other name of the domain greets",
}

// WriteText writes the plan for people: the steps in their order, then what is kept,
// refused and to be known. The text is printable on any terminal.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Plan for %s: changes of %d RRsets in %d steps", strings.TrimSuffix(canonical(p.Organisation.Domain), "."), len(p.Changes), len(p.Steps))
	if p.Partial {
		line("This is a partial view: names were asked for one by one, and what else the zones have is not known.")
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
		s.text(line)
	}
	if len(p.Kept) > 0 {
		line("\nKept, unless you adopt the plan in their place:")
	}
	for _, k := range p.Kept {
		for _, rr := range k.Records {
			line("   = %s", zoneText(rr))
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
		line("\nTo be known:")
	}
	for _, n := range p.Notes {
		line("   %s %s", n.Name, n.Text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ownerTitle is what an owner is called in the text.
var ownerTitle = map[Owner]string{You: "you", DNSHost: "at your DNS host", ISP: "your ISP", MTA: "on the MTA"}

// text writes what is to be done in a step, or waited for.
func (s Step) text(line func(string, ...any)) {
	for _, n := range s.Names {
		line("   user@%s", strings.TrimSuffix(n, "."))
	}
	for _, h := range s.Hosts {
		helo := strings.TrimSuffix(h.HELO, ".")
		switch s.Stage {
		case Confirm:
			var parts []string
			if h.PTR != "" {
				parts = append(parts, "the name "+strings.TrimSuffix(h.PTR, "."))
			}
			if helo != "" {
				parts = append(parts, "HELO "+helo)
			}
			line("   %s at %s: %s", h.MTA, joined(h.Addrs), strings.Join(parts, ", "))
		case Observe:
			line("   %s at %s: HELO %s", h.MTA, joined(h.Addrs), helo)
		case Greet:
			line("   %s", h.MTA)
			line("     Postfix, main.cf:                  smtp_helo_name = %s", helo)
			line("     Exim, the transports of smtp:      helo_data = %s", helo)
		}
	}
	for _, c := range s.Changes {
		line("   %s %s, for %s", c.Name, resolver.TypeString(c.Type), joined(c.Rules))
		for _, rr := range c.Removed() {
			line("     - %s", zoneText(rr))
		}
		for _, rr := range c.Added() {
			line("     + %s", zoneText(rr))
		}
	}
}

func joined[T any](list []T) string {
	return strings.Join(each(list, func(v T) string { return fmt.Sprint(v) }), ", ")
}
