package audit

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/txt"
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

// published is the name and data of a record.
type published struct {
	name string // canonical
	data string // see txt.LooseKey
}

func publishedAs(rr dns.RR) published {
	return published{strings.ToLower(rr.Header().Name), txt.LooseKey(rr)}
}

// observations is what the evidence shows about the wanted records. Each answer is looked
// through once, however many findings rest on it.
type observations struct {
	wanted  map[published]bool      // the wanted records
	names   map[string]bool         // of wanted records
	answers map[*dns.RR][]published // by the place of the first record, which answers do not share
	all     map[published]bool      // of all evidence so far
	aliases map[string]string       // likewise, see aliasesOf
}

func newObservations(wanted []rule.Record) *observations {
	o := &observations{wanted: make(map[published]bool), names: make(map[string]bool), answers: make(map[*dns.RR][]published), all: make(map[published]bool), aliases: make(map[string]string)}
	for _, w := range wanted {
		o.wanted[publishedAs(w.RR)], o.names[w.RR.Header().Name] = true, true
	}
	return o
}

// add adds the evidence of a finding, and returns what it shows: wanted records, and the
// targets of aliases.
func (o *observations) add(m *meter, evidence []resolver.Response) (shown map[published]bool, aliases map[string]string) {
	shown, aliases = make(map[published]bool), aliasesOf(evidence)
	for _, response := range evidence {
		for _, p := range o.of(m, response) {
			shown[p], o.all[p] = true, true
		}
	}
	maps.Copy(o.aliases, aliases)
	return shown, aliases
}

// of returns the wanted records of an answer.
func (o *observations) of(m *meter, response resolver.Response) []published {
	if len(response.Records) == 0 {
		return nil
	}
	first := &response.Records[0]
	if _, known := o.answers[first]; !known && m.spend(1+len(response.Records)/64) {
		var found []published
		for _, rr := range response.Records {
			if !o.names[strings.ToLower(rr.Header().Name)] {
				continue
			}
			if p := publishedAs(rr); o.wanted[p] {
				found = append(found, p)
			}
		}
		o.answers[first] = found
	}
	return o.answers[first]
}

// aliasesOf returns the aliases that evidence shows, and their targets. The names of
// addresses may be aliases: the PTR record is at their target then (RFC 2317).
func aliasesOf(evidence []resolver.Response) map[string]string {
	out := make(map[string]string)
	for _, response := range evidence {
		for _, rr := range response.Chain {
			if cname, ok := rr.(*dns.CNAME); ok && out[cname.Hdr.Name] == "" && !dns.IsSubDomain("arpa.", cname.Hdr.Name) {
				out[cname.Hdr.Name] = cname.Target
			}
		}
	}
	return out
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
