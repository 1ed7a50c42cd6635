package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// An Overlay answers as the DNS would after a change that is not published yet:
// whole zones take the place of those that are there, or a patch changes single
// RRsets. Aliases are followed across, from what is laid over to what is below
// and back. Server tells in each answer what the last part of it came from.
//
// It is safe for concurrent use as long as its fields do not change. It must not
// be copied after first use.
type Overlay struct {
	// Base is the DNS as it is. Nil is an error with ErrNoResolver for what the
	// zones and the patch do not answer alone.
	Base Resolver
	// Zones are authoritative at and below their apexes, except for what they
	// delegate to zones that are not among them.
	Zones *Zones
	// Patch changes what Base, or Zones over it, have.
	Patch Patch

	prepare sync.Once
	top     Resolver
}

// A Patch is a change of RRsets: all records of one name and type. A name that a
// patch gives records exists from then on, and so do the names between it and its
// domain of two labels: no wildcard is expanded there any more. Whether a name is still
// there from which a patch removes records cannot be told; it counts as existing.
//
// A patch is a partial view, and the Server of the answers that it changed says
// so. They are not Authentic; negative ones have no TTL. That a wildcard made an
// answer is seen by its data, which are those of the wildcard: one more question,
// where the name, or one above it other than its domain of two labels, is in the patch or
// above a name in it. Questions of type ANY for names of that
// domain are errors, and so are wildcards in the patch. What no server would
// load, such as an address beside a CNAME, is not noticed, and a DNAME redirects
// nothing.
type Patch struct {
	Add     []dns.RR   `json:"add,omitzero"`     // beside the records that are there
	Replace []dns.RR   `json:"replace,omitzero"` // in place of the RRsets of their names and types
	Remove  []Question `json:"remove,omitzero"`  // the RRsets that are gone
}

// Lookup implements Resolver.
func (o *Overlay) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	canonical, err := Canonical(name)
	if err != nil {
		return Answer{}, &Error{Name: name, Type: qtype, Err: err}
	}
	o.prepare.Do(func() { o.top = o.layers() })
	return o.top.Lookup(ctx, canonical, qtype)
}

func (o *Overlay) layers() Resolver {
	top := o.Base
	if top == nil {
		top = failing(ErrNoResolver)
	}
	if o.Zones != nil {
		top = layer{top, zonesLayer{o.Zones}}
	}
	patch, err := o.Patch.index(top, o.Zones)
	if err != nil {
		return failing(err)
	}
	return layer{top, patch}
}

// A layer lies over a Resolver and answers for some names.
type layer struct {
	base Resolver
	over interface {
		// covers reports whether a name is answered here.
		covers(name string, qtype uint16) bool
		// answer answers for a name. Where its aliases lead to names for which
		// others may speak, next is the first of them.
		answer(ctx context.Context, name string, qtype uint16) (a Answer, next string, err error)
	}
}

// Lookup goes from layer to base and back, as the aliases lead.
func (l layer) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	whole := Answer{TTL: forever, Authentic: true}
	owner := name
	for len(whole.Chain) <= 2*maxHops { // a DNAME adds two records a hop
		if ctx.Err() != nil {
			return Answer{}, contextError(ctx, name, qtype, "")
		}
		var part Answer
		var next string
		var err error
		if l.over.covers(owner, qtype) {
			part, next, err = l.over.answer(ctx, owner, qtype)
		} else {
			part, err = guarded(ctx, l.base, owner, qtype)
			if err != nil {
				part, err = l.alias(ctx, owner, qtype, err)
			}
			next = l.cutAtLayer(&part, qtype)
		}
		if err != nil {
			return Answer{}, wrap(name, qtype, err)
		}
		if strings.HasPrefix(whole.Server, patchMark) && !strings.HasPrefix(part.Server, patchMark) {
			part.Server = patchMark + " over " + part.Server
		}
		whole.Chain = append(whole.Chain, part.Chain...)
		whole.Records, whole.Status, whole.Server = part.Records, part.Status, part.Server
		whole.Authentic = whole.Authentic && part.Authentic
		whole.TTL = min(whole.TTL, part.TTL)
		if next == "" {
			return whole, nil
		}
		owner = next
	}
	return Answer{}, &Error{Name: name, Type: qtype, RCode: dns.RcodeServerFailure, Err: ErrChain}
}

// alias returns the alias at a name of the base, where its target is a name for
// which the layer answers, in place of the error that the base had: it may know no
// such name yet. Else it returns that error.
func (l layer) alias(ctx context.Context, owner string, qtype uint16, failed error) (Answer, error) {
	if !followed(qtype) {
		return Answer{}, failed
	}
	a, err := guarded(ctx, l.base, owner, dns.TypeCNAME)
	if err != nil || len(a.Records) != 1 {
		return Answer{}, failed
	}
	a.Chain, a.Records = a.Records, nil
	if l.cutAtLayer(&a, qtype) == "" {
		return Answer{}, failed
	}
	return a, nil
}

// cutAtLayer finds where the aliases of an answer of the base come to a name for
// which the layer answers, cuts the answer off behind it, and returns the name.
func (l layer) cutAtLayer(a *Answer, qtype uint16) string {
	for i, rr := range a.Chain {
		cname, ok := rr.(*dns.CNAME) // which a DNAME has made too
		if !ok || !followed(qtype) || !l.over.covers(dnsname.CanonicalOrEmpty(cname.Target), qtype) {
			continue
		}
		a.Chain, a.Records, a.Status = a.Chain[:i+1:i+1], nil, NoError
		a.TTL = forever // the base's is that of what is cut off, too
		a.restOn(a.Chain)
		return dnsname.CanonicalOrEmpty(cname.Target)
	}
	return ""
}

// zonesLayer is zones that leave what they delegate to others.
type zonesLayer struct{ *Zones }

func (z zonesLayer) covers(name string, qtype uint16) bool {
	n := z.closest(name, qtype)
	return n != nil && n.find(name, qtype).kind != isReferral
}

func (z zonesLayer) answer(_ context.Context, name string, qtype uint16) (Answer, string, error) {
	a := Answer{TTL: forever}
	left, err := z.follow(&a, name, qtype)
	if err != nil && !errors.Is(err, errDelegated) {
		return Answer{}, "", err.about(name, qtype)
	}
	return a, left, nil
}

// patchLayer is a Patch, ready to be asked.
type patchLayer struct {
	base    Resolver
	zones   *Zones              // of base; nil for none
	sets    map[Question]change // by canonical name
	exists  map[string]bool     // the names with new records, and those above them
	domains map[string]bool     // of all names, see domainOf
}

// A change is what becomes of an RRset.
type change struct {
	records []dns.RR
	whole   bool            // they are all there is; else they are beside what the base has
	has     map[string]bool // the data of records
}

// insert adds a record, unless the same is there (RFC 2181, Section 5).
func (c *change) insert(rr dns.RR) {
	if c.has == nil {
		c.has = make(map[string]bool)
	}
	if key := txt.Key(rr); !c.has[key] {
		c.has[key] = true
		c.records = append(c.records, rr)
	}
}

// index brings a patch into a form that answers questions.
func (p Patch) index(base Resolver, zones *Zones) (patchLayer, error) {
	l := patchLayer{base, zones, make(map[Question]change), make(map[string]bool), make(map[string]bool)}
	for _, set := range p.Remove {
		if err := l.add(set.Name, set.Type, nil, true); err != nil {
			return l, err
		}
	}
	for i, rr := range slices.Concat(p.Replace, p.Add) {
		if err := readable(rr); err != nil {
			return l, fmt.Errorf("patch: %w", err)
		}
		if err := l.add(rr.Header().Name, rr.Header().Rrtype, rr, i < len(p.Replace)); err != nil {
			return l, err
		}
	}
	return l, nil
}

// add adds a record, nil for none, to the change of an RRset, and whether the change is all
// there is.
func (l patchLayer) add(name string, qtype uint16, rr dns.RR, whole bool) error {
	canonical, err := Canonical(name)
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	if strings.HasPrefix(canonical, "*.") {
		return fmt.Errorf("patch: %s: expected a name that is no wildcard: for which names it would answer is not known here", canonical)
	}
	domain := domainOf(canonical)
	l.domains[domain] = true
	set := Question{canonical, qtype}
	known := l.sets[set]
	if known.whole = known.whole || whole; rr != nil {
		known.insert(rr)
	}
	if qtype == dns.TypeCNAME && len(known.records) > 0 {
		if _, ok := known.records[0].(*dns.CNAME); !ok || len(known.records) > 1 {
			return fmt.Errorf("patch: %s: expected one CNAME record", canonical) // RFC 2181, Section 10.1
		}
	}
	l.sets[set] = known
	for above := canonical; rr != nil && above != "" && dnsname.Under(above, domain); above = dnsname.Parent(above) {
		l.exists[above] = true
	}
	return nil
}

// domainOf returns the last two labels of a name, or the name itself where it has
// fewer. No zone that a patch is for begins higher up.
func domainOf(name string) string {
	start, _ := dns.PrevLabel(name, 2)
	return name[start:]
}

// covers: in all of a domain of which a name changes, since wildcards may have lost
// names there.
func (l patchLayer) covers(name string, _ uint16) bool { return l.domains[domainOf(name)] }

func (l patchLayer) answer(ctx context.Context, name string, qtype uint16) (Answer, string, error) {
	if qtype == dns.TypeANY {
		return Answer{}, "", fmt.Errorf("%w: type ANY at %s, of which a patch is a partial view", errors.ErrUnsupported, name)
	}
	set, changed := l.sets[Question{name, qtype}]
	alias, aliasChanged := l.sets[Question{name, dns.TypeCNAME}]
	switch {
	case followed(qtype) && len(alias.records) > 0:
		return patched(Answer{Chain: alias.records}), l.target(alias.records), nil
	case set.whole && len(set.records) > 0:
		return patched(Answer{Records: set.records}), "", nil
	}
	a, err := guarded(ctx, l.base, name, qtype)
	if err != nil {
		return Answer{}, "", err
	}
	lost, err := l.lostWildcard(ctx, a, name, qtype)
	switch {
	case err != nil:
		return Answer{}, "", err
	case lost:
		a, changed = Answer{Status: NXDomain, Server: a.Server}, true
	case len(a.Chain) > 0 && followed(qtype):
		if !aliasChanged && len(set.records) == 0 {
			// The rest of the chain may be of this layer again.
			first := firstAlias(a.Chain)
			if first == nil {
				return Answer{}, "", fmt.Errorf("%w: aliases at %s without a CNAME", ErrMalformed, name)
			}
			hop := Answer{Chain: first, Server: a.Server, Authentic: a.Authentic, TTL: forever}
			hop.restOn(first)
			return hop, l.target(first), nil
		}
		a, changed = Answer{Server: a.Server}, true
	}
	if l.exists[name] && a.Status == NXDomain {
		a.Status, changed = NoError, true
	}
	if !changed {
		return a, "", nil
	}
	if set.whole {
		a.Records = nil
	}
	a.Records = set.beside(a.Records)
	return patched(a), "", nil
}

// firstAlias returns the beginning of a chain up to its first CNAME, which a DNAME
// may stand before, or nil.
func firstAlias(chain []dns.RR) []dns.RR {
	i := slices.IndexFunc(chain, func(rr dns.RR) bool { _, ok := rr.(*dns.CNAME); return ok })
	if i < 0 {
		return nil
	}
	return chain[: i+1 : i+1]
}

// beside returns the records of an answer and those of the change that it lacks.
func (c change) beside(records []dns.RR) []dns.RR {
	has := make(map[string]bool, len(records))
	for _, rr := range records {
		has[txt.Key(rr)] = true
	}
	records = slices.Clip(records)
	for _, rr := range c.records {
		if !has[txt.Key(rr)] {
			records = append(records, rr)
		}
	}
	return records
}

// patchMark begins the Server of an answer that a patch had a part in.
const patchMark = "patch, a partial view"

// patched marks an answer that a patch has changed.
func patched(a Answer) Answer {
	if a.Server != "" {
		a.Server = " over " + a.Server
	}
	a.Server = patchMark + a.Server
	a.Authentic = false
	if len(a.Records)+len(a.Chain) == 0 {
		a.TTL = 0
		return a
	}
	a.TTL = forever
	a.restOn(a.Chain)
	a.restOn(a.Records)
	return a
}

// target is where an alias leads.
func (l patchLayer) target(alias []dns.RR) string {
	return dnsname.CanonicalOrEmpty(alias[len(alias)-1].(*dns.CNAME).Target)
}

// lostWildcard reports whether an answer of the base is one that a wildcard made
// and does not make any more, since the name, or one above it, exists by the patch.
// One question decides, for a name below that one which nobody has: it is answered
// with the same data only where a wildcard further up makes both (RFC 4592,
// Section 3.3.1: a name that exists keeps those above it out).
func (l patchLayer) lostWildcard(ctx context.Context, a Answer, name string, qtype uint16) (bool, error) {
	if len(a.Records)+len(a.Chain) == 0 {
		return false, nil
	}
	domain, existing := domainOf(name), name
	for existing != domain && !l.exists[existing] {
		existing = dnsname.Parent(existing)
	}
	if existing == domain || l.isAboveZone(existing, name, qtype) {
		return false, nil
	}
	made, err := guarded(ctx, l.base, "*.*."+existing, qtype)
	if errors.Is(err, ErrName) { // too long a name: there is no room below the other
		return false, nil
	}
	return err == nil && sameData(made.Records, a.Records) && sameData(made.Chain, a.Chain), err
}

// isAboveZone reports whether a name is above the whole zone that has another, so that it says
// nothing about the wildcards there.
func (l patchLayer) isAboveZone(above, name string, qtype uint16) bool {
	if l.zones == nil || !(zonesLayer{l.zones}).covers(name, qtype) {
		return false
	}
	apex := l.zones.closest(name, qtype).zone.apex
	return above != apex && dnsname.Under(apex, above)
}

// sameData reports whether two lists have the same records, whatever their owners.
func sameData(a, b []dns.RR) bool {
	return slices.Equal(sortedData(a), sortedData(b))
}

func sortedData(records []dns.RR) []string {
	var out []string
	for _, rr := range records {
		out = append(out, TypeString(rr.Header().Rrtype)+" "+txt.Data(rr))
	}
	slices.Sort(out)
	return out
}
