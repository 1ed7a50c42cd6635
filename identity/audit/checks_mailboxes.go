package audit

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/nullmx"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
)

// gatherMailboxes lists to ask the mail servers of names, if they are to be asked: one
// after the other, as one server may be that of many.
func (a Auditor) gatherMailboxes(ctx context.Context, f *facts, q *jobs) {
	if a.Mailboxes == nil {
		return
	}
	all := enqueue(q, func() map[string]*roleaddr.Result {
		results := make(map[string]*roleaddr.Result)
		for _, n := range f.names {
			results[n.name] = a.Mailboxes(ctx, n.name)
		}
		return results
	})
	for _, n := range f.names {
		n.mailboxes = func() *roleaddr.Result { return all()[n.name] }
	}
}

// judges reports whether a rule is judged: one for which mail servers are asked only where
// they are to be.
func (a Auditor) judges(id rule.ID) bool { return id != rule.RoleMailboxes || a.Mailboxes != nil }

func roleMailboxes(s subject) outcome {
	r := s.mail.mailboxes()
	out := outcome{code: rule.CodeOK}
	if r == nil { // nobody was asked after all
		out.code = rule.CodeNoAnswer
		return out
	}
	if r.MX != nil {
		out.evidence = r.MX.Responses
	}
	if len(r.Replies) > 0 {
		out.dialog = append(out.dialog, dialogEvidence(r))
	}
	switch refused := slices.IndexFunc(r.Mailboxes, func(m roleaddr.Mailbox) bool { return m.Status == roleaddr.Fail }); {
	case refused >= 0:
		out.code, out.detail = rule.CodeRefused, r.Mailboxes[refused].Address
		if !strings.Contains(out.detail, "@") {
			out.code = rule.CodeBareRefused
		}
		out.detail += " at " + r.Host
	case r.Status == roleaddr.None, errors.Is(r.Err, roleaddr.ErrDomain):
		out.code = rule.CodeNoServer
	case r.MX != nil && r.MX.Status == nullmx.TempError:
		out.code = rule.CodeNoAnswer
	case r.Err != nil:
		out.code, out.detail = rule.CodeUnclear, r.Err.Error()
		if r.Status.Temporary() {
			out.code = rule.CodeDeferred
		}
	default:
		out.detail = "by " + r.Host
		if r.CatchAll {
			out.code = rule.CodeCatchAll
		}
	}
	return out
}

// dialogEvidence is what a mail server said, as evidence.
func dialogEvidence(r *roleaddr.Result) report.Evidence {
	e := report.Evidence{Name: r.Domain, Type: "SMTP", Aliases: []string{}, Records: []string{}, Server: r.Host + " " + r.Addr.String()}
	for _, reply := range r.Replies {
		e.Records = append(e.Records, reply.String())
	}
	return e
}
