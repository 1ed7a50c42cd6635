package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Proof says what a plan will do before anything is published.
type Proof struct {
	Before *Report // of the DNS as it is
	After  *Report // of the DNS as it will be when the whole plan is carried out
	// Partial says that the DNS as it will be is not known whole: some zones are known by
	// the names alone that were asked for, or they are an ISP's. What a record of
	// evidence that was changed comes from says so, too.
	Partial bool
}

// Prove audits the organisation of a plan twice: in the live DNS, which the Resolver of
// the Auditor is, and as it will be with the plan carried out. Whole zones that the plan
// was made upon take the place of the live ones in both: they are what is published, or
// will be.
//
// The error is that of Audit, or says why a server would not load a zone of the plan.
func (a Auditor) Prove(ctx context.Context, p *plan.Plan) (*Proof, error) {
	if p == nil {
		return nil, errors.New("audit: no plan")
	}
	live := a.Resolver
	a.Mailboxes = nil // no mail server knows of the plan
	before, err := p.Current.Overlay(live, nil)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	after, err := p.Overlay(live)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	proof := &Proof{Partial: p.Partial || len(after.Patch.Replace)+len(after.Patch.Remove) > 0}
	a.Resolver = before
	if proof.Before, err = a.Audit(ctx, p.Organisation); err != nil {
		return nil, err
	}
	a.Resolver = after
	if proof.After, err = a.Audit(ctx, p.Organisation); err != nil {
		return nil, err
	}
	return proof, nil
}

// WriteText writes both reports side by side, for people: each rule and subject with
// what it is and what it will be, the weightiest rules first. What passes in both, or is
// not about the subject, is only counted.
func (p *Proof) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Mail server identity of %s, as it is -> as it will be", p.Before.Organisation)
	if p.Partial {
		line("This is a partial view: of some zones only the names are known that the plan is about.")
	}
	same := 0
	for level := rule.Must; level <= rule.Advice; level++ {
		title := "\n" + levelTitle[level]
		for i, before := range p.Before.Findings {
			after := p.After.Findings[i] // the same rules on the same subjects, in the same order
			if before.Level != level {
				continue
			}
			if before.Status == after.Status && (before.Status == rule.Pass || before.Status == rule.NotApplicable) {
				same++
				continue
			}
			if title != "" {
				line("%s", title)
				title = ""
			}
			line("  %-9s -> %-9s %s %s", statusTitle[before.Status], statusTitle[after.Status], after.Rule, after.Subject)
			if after.Status != rule.Pass {
				line("      %s", untrusted.Line(after.Message))
			}
		}
	}
	line("\nas it is:       %s", p.Before)
	line("as it will be:  %s", p.After)
	line("passed in both, or about nothing that is there, and not listed: %d", same)
	_, err := io.WriteString(w, b.String())
	return err
}
