package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/report"
)

// Prove audits the organization of a plan twice: in the live DNS, which the Resolver of
// the Auditor is, and as it will be with the plan carried out. Whole zones that the plan
// was made upon take the place of the live ones in both: they are what is published, or
// will be.
//
// The error is that of Audit, or says why a server would not load a zone of the plan.
func (a Auditor) Prove(ctx context.Context, p *plan.Plan) (*report.Proof, error) {
	if p == nil {
		return nil, errors.New("audit: no plan")
	}
	live := a.Resolver
	a.Mailboxes = nil // no mail server knows of the plan
	before, err := p.Published.Overlay(live, nil)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	after, err := p.Overlay(live)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	next, err := p.Next()
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	proof := &report.Proof{Partial: p.Partial || len(after.Patch.Replace)+len(after.Patch.Remove) > 0}
	a.Resolver = before
	if proof.Before, err = a.audit(ctx, p.Organization, p); err != nil {
		return nil, err
	}
	a.Resolver = after
	if proof.After, err = a.audit(ctx, p.Organization, next); err != nil {
		return nil, err
	}
	return proof, nil
}
