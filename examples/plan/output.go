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
			notef("warning: before %s come %s: see that all of it is done, and that the gates are passed", o.step, stages(before))
		}
	case o.step != "all":
		notef("there is nothing to do in step %s", strings.ToLower(o.step))
		return nil, nil
	case slices.ContainsFunc(before, plan.Step.Gate):
		notef("warning: these are steps with gates between them, %s: made at once, they may turn mail away", stages(before))
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
		notef("step %s asks nothing of the ISP: it is all yours to write, by the zones of the description", o.step)
	case letter && yours > 0:
		notef("step %s has changes of your own, too: -format zone or nsupdate", o.step)
	case !letter && yours == 0:
		notef("step %s is for the ISP to make: -format letter", o.step)
	case !letter && isps > 0:
		notef("step %s has a part for the ISP, too: -format letter", o.step)
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
		state := "nobody was asked (-offline)"
		if now.resolver != nil {
			state = "by what DNS says now, whatever zone files are given: passed"
			if waiting := s.Waiting(ctx, identity.Verifier{Resolver: now.resolver}); len(waiting) > 0 {
				state = "by what DNS says now, whatever zone files are given, it waits for\n   " + strings.Join(waiting, "\n   ")
			}
		}
		if _, err := fmt.Fprintf(w, "\nGate %d, %s: %s\n", i+1, s.Stage, state); err != nil {
			return err
		}
	}
	return nil
}
