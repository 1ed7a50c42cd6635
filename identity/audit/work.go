package audit

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// grace is how many units of work may be spent on what is known when the context of an
// audit ends. A unit is about 10 µs.
const grace = 5000

// A meter ends the work of judging soon after the context has ended. Answers that came in
// time are still judged, except if that is much work.
type meter struct {
	ctx  context.Context
	left int  // units after the end of ctx
	cut  bool // some work on the present finding was not done
}

// spend reports whether there is time for some units of work.
func (m *meter) spend(units int) bool {
	if m.ctx.Err() != nil {
		m.left -= units
		m.cut = m.cut || m.left < 0
	}
	return !m.cut
}

// heed yields a list that DNS filled, as long as there is time for a unit of work on each.
func heed[T any](m *meter, list []T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, v := range list {
			if !m.spend(1) || !yield(v) {
				return
			}
		}
	}
}

// cutOff is the finding of a rule that was not judged in time.
func cutOff(r rule.Rule, s subject) report.Finding {
	known, _ := r.Outcome(rule.CodeCutOff)
	f := report.Finding{Rule: r.ID, Level: r.Level, Subject: s.name(), Status: known.Status, Code: known.Code, Remedy: known.Remedy, Evidence: []report.Evidence{}, Fix: []string{}}
	f.SetMessage(known.Text + ": " + context.Cause(s.meter.ctx).Error())
	return f
}

// observations is what was asked for so far, also without an answer.
type observations map[resolver.Question]resolver.Response

// add adds the evidence of a finding.
func (o observations) add(evidence []resolver.Response) {
	for _, response := range evidence {
		o[response.Question] = response
	}
}

// over answers from the observations, or else as r does. Nothing is to be added meanwhile.
func (o observations) over(r resolver.Resolver) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
		if response, asked := o[resolver.Question{Name: name, Type: qtype}]; asked {
			return response.Answer, response.Err
		}
		return r.Lookup(ctx, name, qtype)
	})
}

// records returns what the evidence has of a name and type, and whether that is known.
func (o observations) records(q resolver.Question) ([]dns.RR, bool) {
	response, asked := o[q]
	return response.Records, asked && response.Err == nil
}

// maxListed is how many names and addresses of others a finding lists.
const maxListed = 10

// listed joins the first texts of a list, and counts the others.
func listed(texts []string) string {
	if len(texts) <= maxListed {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s, and %d more", strings.Join(texts[:maxListed], ", "), len(texts)-maxListed)
}
