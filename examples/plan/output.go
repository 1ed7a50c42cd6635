package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
)

// write writes what -format says.
func (o *options) write(ctx context.Context, w, stderr io.Writer, p *plan.Plan, proof *report.Proof, now *published) error {
	switch o.format {
	case "json":
		return p.WriteJSON(w)
	case "text":
		if err := p.WriteText(w); err != nil {
			return err
		}
		if err := gates(ctx, w, p, now); err != nil {
			return err
		}
		fmt.Fprintln(w)
		return proof.WriteText(w)
	}
	changes, err := o.changes(p, stderr)
	if err != nil {
		return err
	}
	switch o.format {
	case "zone":
		return plan.WriteZone(w, changes)
	case "nsupdate":
		return plan.WriteUpdate(w, changes)
	default:
		return plan.WriteLetter(w, changes)
	}
}

// changes returns the changes of the step that -step names. It warns about steps before
// it, and about changes that the format leaves out.
func (o *options) changes(p *plan.Plan, stderr io.Writer) ([]plan.Change, error) {
	notef := func(format string, args ...any) { fmt.Fprintf(stderr, "plan: "+format+"\n", args...) }
	i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return strings.EqualFold(s.Stage.String(), o.step) })
	changes, before := p.Changes, p.Steps
	switch {
	case i >= 0:
		changes, before = p.Steps[i].Changes, p.Steps[:i]
		if len(before) > 0 {
			notef("warning: %s comes after %s: do these steps and pass the gates first", o.step, stages(before))
		}
	case o.step != "all":
		notef("the plan has no step %s: there is nothing to do in it", strings.ToLower(o.step))
		return nil, nil
	case slices.ContainsFunc(before, plan.Step.Gate):
		notef("warning: these are several steps, with gates between them: %s. Receivers may reject mail if all are made at once", stages(before))
	}
	yours, isps := 0, 0
	for _, c := range changes {
		if c.Owner == plan.OwnerISP {
			isps++
		} else {
			yours++
		}
	}
	switch letter := o.format == "letter"; {
	case yours+isps == 0:
		notef("step %s changes no records", o.step)
	case letter && isps == 0:
		notef("step %s has nothing for the ISP: its changes are in zones that you edit", o.step)
	case letter && yours > 0:
		notef("step %s also has changes for you: -format zone or nsupdate", o.step)
	case !letter && yours == 0:
		notef("step %s is for the ISP: -format letter", o.step)
	case !letter && isps > 0:
		notef("step %s also has changes for the ISP: -format letter", o.step)
	}
	return changes, nil
}

// stages returns the names of steps.
func stages(steps []plan.Step) string {
	var names []string
	for _, s := range steps {
		name := s.Stage.String()
		if s.Gate() {
			name += " (a gate)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// gates writes whether the gates that DNS can decide are passed.
func gates(ctx context.Context, w io.Writer, p *plan.Plan, now *published) error {
	for i, s := range p.Steps {
		if s.Stage != plan.Confirm {
			continue
		}
		state := "not known, because DNS was not asked (-offline)"
		if now.resolver != nil {
			state = "passed, by the DNS as it is now, without the zone files given"
			if waiting := s.Waiting(ctx, identity.Verifier{Resolver: now.resolver}); len(waiting) > 0 {
				state = "by the DNS as it is now, without the zone files given, it waits for\n   " + strings.Join(waiting, "\n   ")
			}
		}
		if _, err := fmt.Fprintf(w, "\nGate %d, %s: %s\n", i+1, s.Stage, state); err != nil {
			return err
		}
	}
	return nil
}
