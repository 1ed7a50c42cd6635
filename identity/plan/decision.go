package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/csa"
	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A Decision is what a plan does about one of its wanted records. At most one of Change and
// Refused is not nil.
type Decision struct {
	Set       resolver.Question // where the record belongs: at the target of an alias (RFC 2317)
	RR        dns.RR            // the record as it is, or would be, published at Set
	Published bool              // the record is there already
	Change    *Change           // that adds it; nil for none
	// Kept has records that stay in place of the record or beside it; nil for none.
	Kept    *Kept
	Refused *Refusal // why there is no change; nil for no reason
	Step    int      // of Change: the index in Plan.Steps of the step that adds the record
}

// Decide returns what the plan does about a record of Wanted.
func (p *Plan) Decide(record rule.Record) Decision {
	d := Decision{Set: p.storedAt(setOf(record.RR)), RR: record.RR}
	if d.Set.Name != record.RR.Header().Name {
		d.RR = dns.Copy(record.RR)
		d.RR.Header().Name = d.Set.Name
	}
	key := txt.LooseKey(record.RR)
	is := func(rr dns.RR) bool { return txt.LooseKey(rr) == key }
	d.Published = slices.ContainsFunc(p.Published.sets[d.Set], is)
	for i, k := range p.Kept {
		if setOf(k.Records[0]) == d.Set && (k.Wanted == nil || slices.ContainsFunc(rrs(k.Wanted), is)) {
			d.Kept = &p.Kept[i]
		}
	}
	for i, r := range p.Refused {
		if r.Value == d.Set.String() {
			d.Refused = &p.Refused[i]
		}
	}
	for i, s := range p.Steps {
		for j, c := range s.Changes {
			if c.Name != d.Set.Name || c.Type != d.Set.Type {
				continue
			}
			if at := slices.IndexFunc(c.Added(), is); at >= 0 {
				d.RR, d.Change, d.Step = c.Added()[at], &p.Steps[i].Changes[j], i
				return d
			}
		}
	}
	return d
}

// Gate returns the last gate before the step of an index in Steps, nil if nothing has to be
// waited for.
func (p *Plan) Gate(step int) *Step {
	for i := step - 1; i >= 0; i-- {
		if p.Steps[i].Gate() {
			return &p.Steps[i]
		}
	}
	return nil
}

// Title says what to do in a step, or what to wait for, as a sentence without its period.
func (s Step) Title() string { return stageTitle[s.Stage] }

// WaitsFor says what to wait for before a change of a step is made, as a clause: because it
// declares that its name has no mail, or because an earlier step publishes something else
// there. It returns "" for any other change.
func (p *Plan) WaitsFor(step int, c Change) string {
	earlier := slices.ContainsFunc(p.Steps[:step], func(s Step) bool {
		return slices.ContainsFunc(s.Changes, func(other Change) bool { return other.Name == c.Name && other.Type == c.Type })
	})
	for i := step - 1; i >= 0 && earlier; i-- {
		if s := p.Steps[i]; s.Stage == Observe || s.Stage == Confirm {
			return strings.ToLower(s.Title()[:1]) + s.Title()[1:]
		}
	}
	name := c.Name
	if host, ok := csa.NameOf(name); ok {
		name = host
	}
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Stage == CheckSenders && slices.Contains(s.Names, name) })
	if i < 0 || i > step {
		return ""
	}
	text := fmt.Sprintf("wait until nothing uses %s in HELO, or in MAIL FROM as user@%s: check the logs", strings.TrimSuffix(name, "."), strings.TrimSuffix(name, "."))
	if flows := slices.DeleteFunc(slices.Clone(p.Steps[i].Flows), func(f flow.Flow) bool { return f.Node != name && f.Name != name }); len(flows) > 0 {
		text += fmt.Sprintf(" (%s)", flows[0])
	}
	return text
}

// Next returns the plan, with the same options, for what is left to do when this plan has
// been carried out: nothing but what it keeps and refuses.
func (p *Plan) Next() (*Plan, error) {
	pub, err := p.Published.after(p.Changes)
	if err != nil {
		return nil, err
	}
	return New(p.Organization, pub, p.options)
}
