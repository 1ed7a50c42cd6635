package audit

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
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
	wanted  map[published]bool                      // the wanted records
	names   map[string]bool                         // of wanted records
	answers map[*dns.RR][]published                 // by the place of the first record, which answers do not share
	all     map[published]bool                      // of all evidence so far
	aliases map[string]string                       // likewise: the names that are aliases, and their targets
	said    map[resolver.Question]resolver.Response // likewise: what was asked for, also without an answer
	wild    map[string]bool                         // of aliases: whether a wildcard makes them, as far as that was asked
}

func newObservations(wanted []rule.Record) *observations {
	o := &observations{wanted: make(map[published]bool), names: make(map[string]bool), answers: make(map[*dns.RR][]published), all: make(map[published]bool), aliases: make(map[string]string), wild: make(map[string]bool), said: make(map[resolver.Question]resolver.Response)}
	for _, w := range wanted {
		o.wanted[publishedAs(w.RR)], o.names[w.RR.Header().Name] = true, true
	}
	return o
}

// add adds the evidence of a finding, and returns the wanted records that it shows.
func (o *observations) add(m *meter, evidence []resolver.Response) (shown map[published]bool) {
	shown = make(map[published]bool)
	for _, response := range evidence {
		o.said[response.Question] = response
		for _, p := range o.of(m, response) {
			shown[p], o.all[p] = true, true
		}
		for _, rr := range response.Chain {
			if cname, ok := rr.(*dns.CNAME); ok {
				o.aliases[dnsname.CanonicalOrEmpty(cname.Hdr.Name)] = dnsname.CanonicalOrEmpty(cname.Target)
			}
		}
	}
	return shown
}

// records returns what the evidence has of a name and type, and whether that is known.
func (o *observations) records(q resolver.Question) ([]dns.RR, bool) {
	response, asked := o.said[q]
	return response.Records, asked && response.Err == nil
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
			name := strings.ToLower(rr.Header().Name)
			if response.Type == dns.TypePTR { // it may be at the target of an alias (RFC 2317, Section 4)
				name = response.Name
			}
			if !o.names[name] {
				continue
			}
			if p := (published{name, txt.LooseKey(rr)}); o.wanted[p] {
				found = append(found, p)
			}
		}
		o.answers[first] = found
	}
	return o.answers[first]
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
