package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// An evaluation is one check on its way (RFC 7208, Sections 4 and 5).
type evaluation struct {
	values
	checker   Checker
	ctx       context.Context
	result    *Result
	questions atomic.Int32
	open      chan struct{} // a slot for each question that may be open; nil where there are never more
	ahead     *ahead        // what is asked before it is needed; nil while nothing is
	path      []TermAt      // the includes and redirects that led to the record under evaluation
	exp       *Term         // of the record that decided, if it has one
	expDomain string        // its %{d}
	reverse   *reverse      // the client's names; nil while not asked for
	read      sync.Once     // the answer with them: a hostile one is long
	names     []string      // canonical, sorted, the first ten
	buf       []byte        // for macros
}

// host is the function check_host (RFC 7208, Section 4) for one record. Display is the
// domain as macros have it. The error is why the status is TempError or PermError.
func (e *evaluation) host(domain, display string, included bool) (Status, error) {
	response, policy := e.policy(domain)
	e.use(response)
	e.result.Responses = append(e.result.Responses, response)
	switch {
	case response.Err != nil:
		return TempError, response.Err
	case policy == nil:
		return None, nil
	case policy.err != nil:
		if syntax, ok := errors.AsType[*SyntaxError](policy.err); ok {
			wrong := syntax.Problems[0]
			e.result.Term = e.termAt(&Term{Text: wrong.Text, Offset: wrong.Offset}, domain)
		}
		return PermError, fmt.Errorf("%s: %w", domain, policy.err)
	}
	e.speculate(policy, domain, display)
	for i := range policy.terms {
		t := &policy.terms[i]
		matched, failed, err := e.match(t, domain, display)
		if err != nil {
			e.decided(t, domain)
			return failed, err
		}
		if matched {
			e.decided(t, domain)
			if t.Qualifier == Fail && !included {
				e.exp, e.expDomain = policy.exp, display
			}
			return t.Qualifier, nil
		}
	}
	if policy.redirect == nil {
		return Neutral, nil // RFC 7208, Section 4.7
	}
	return e.redirect(policy.redirect, domain, display, included)
}

// decided notes the term that decided, unless it was one of a record below.
func (e *evaluation) decided(t *Term, domain string) {
	if e.result.Term.Domain == "" {
		e.result.Term = e.termAt(t, domain)
	}
}

// termAt returns a term of the record under evaluation, with its place.
func (e *evaluation) termAt(t *Term, domain string) TermAt {
	return t.located(domain, slices.Clone(e.path))
}

// use notes that an answer has a part in the status.
func (e *evaluation) use(response resolver.Response) {
	e.result.Authentic = e.result.Authentic && response.Authentic
}

// count counts a term that looks something up.
func (e *evaluation) count() error {
	if most := e.checker.maxLookups(); e.result.Lookups == most {
		return lookupsError(most)
	}
	e.result.Lookups++
	return nil
}

// answer asks for the name of a term itself, and counts it where there is no data.
func (e *evaluation) answer(name string, qtype uint16) (resolver.Response, Status, error) {
	response := e.ask(name, qtype)
	if response.Err != nil {
		e.result.Responses = append(e.result.Responses, response)
		return response, TempError, response.Err
	}
	e.use(response)
	if len(response.Records) > 0 {
		return response, 0, nil
	}
	return response, PermError, e.void()
}

// void counts a term whose name has no data.
func (e *evaluation) void() error {
	e.result.Voids++
	most := e.checker.MaxVoids
	if most == 0 {
		most = DefaultMaxVoids
	}
	if most >= 0 && e.result.Voids > most {
		return ErrVoids
	}
	return nil
}

// match tells whether a mechanism matches (RFC 7208, Section 5). An error has the
// status that it makes.
func (e *evaluation) match(t *Term, domain, display string) (matched bool, failed Status, err error) {
	switch t.Kind {
	case All, IP4, IP6:
		return true, 0, nil // no others are in a policy
	}
	if err := e.count(); err != nil {
		return false, PermError, err
	}
	name, ok := e.target(t, domain, display)
	switch {
	case t.Kind == Include:
		return e.include(t, name, ok && severalLabels(name), domain)
	case !ok:
		return false, 0, nil // no name, so no data; nothing was asked
	case t.Kind == PTR:
		return e.ptr(t, name, domain)
	}
	qtype := dns.TypeA // also of exists, whatever the client (Section 5.7)
	switch {
	case t.Kind == MX:
		qtype = dns.TypeMX
	case t.Kind == A:
		qtype = e.family()
	}
	response, failed, err := e.answer(name, qtype)
	if err != nil || len(response.Records) == 0 {
		return false, failed, err
	}
	switch t.Kind {
	case MX:
		return e.mx(t, response)
	case A:
		matched = e.within(response.Answer, t)
	case Exists:
		matched = slices.ContainsFunc(response.Records, func(rr dns.RR) bool { _, ok := rr.(*dns.A); return ok })
	}
	if matched {
		e.result.Responses = append(e.result.Responses, response)
	}
	return matched, 0, nil
}

// target returns the name that a term is about. Not ok is one that cannot exist.
func (e *evaluation) target(t *Term, domain, display string) (string, bool) {
	if t.Domain == "" {
		return domain, true
	}
	if strings.IndexByte(t.Domain, '%') < 0 {
		return askable(t.Domain)
	}
	x := e.expander(display)
	x.buf = e.buf
	x.validated = func() string { return e.validated(t, domain, display) }
	name, ok := x.name(t.Domain)
	e.buf = x.buf
	return name, ok
}

// expander returns one for the record of a domain.
func (e *evaluation) expander(display string) expander {
	x := expander{values: e.values, domain: display}
	x.validated = func() string { return e.validated(nil, display, display) }
	return x
}

// include is RFC 7208, Section 5.2.
func (e *evaluation) include(t *Term, name string, ok bool, domain string) (matched bool, failed Status, err error) {
	if !ok {
		return false, PermError, fmt.Errorf("%w: %s does not give a name", ErrNoRecord, quote(t.Text))
	}
	status, err := e.below(t, name, domain, true)
	switch status {
	case Pass:
		return true, 0, nil
	case None:
		return false, PermError, e.noRecord(name)
	case TempError, PermError:
		return false, status, err
	}
	e.result.Term = TermAt{} // it decided below, and not here
	return false, 0, nil
}

// noRecord returns the error of a name that should have a record and was just asked for it.
func (e *evaluation) noRecord(name string) error {
	err := fmt.Errorf("%w: %s", ErrNoRecord, name)
	if last := len(e.result.Responses) - 1; last >= 0 {
		for _, text := range e.result.Responses[last].TXT() {
			if fault := NearMiss(text); fault != "" {
				return fmt.Errorf("%w: receivers pass over %s: %s", err, quote(text), fault)
			}
		}
	}
	return err
}

// redirect is RFC 7208, Section 6.1.
func (e *evaluation) redirect(t *Term, domain, display string, included bool) (Status, error) {
	err := e.count()
	if err == nil {
		name, ok := e.target(t, domain, display)
		if ok && severalLabels(name) {
			var status Status
			status, err = e.below(t, name, domain, included)
			switch {
			case status == None:
				err = e.noRecord(name)
			case err != nil:
				e.decided(t, domain)
				return status, err
			default:
				return status, nil
			}
		} else {
			err = fmt.Errorf("%w: %s does not give a name", ErrNoRecord, quote(t.Text))
		}
	}
	e.decided(t, domain)
	return PermError, err
}

// below evaluates the record to which a term leads.
func (e *evaluation) below(t *Term, name, domain string, included bool) (Status, error) {
	e.path = append(e.path, t.located(domain, nil))
	status, err := e.host(name, strings.TrimSuffix(name, "."), included)
	e.path = e.path[:len(e.path)-1]
	return status, err
}

// mx is RFC 7208, Section 5.4, once the MX records are there.
func (e *evaluation) mx(t *Term, response resolver.Response) (matched bool, failed Status, err error) {
	names, tooMany := mxNames(response.Answer)
	if tooMany {
		return false, PermError, ErrMX
	}
	authentic := true
	e.each(names, e.family(), func(host resolver.Response) bool {
		matched = host.Err == nil && e.within(host.Answer, t)
		authentic = host.Authentic && (matched || authentic)
		switch {
		case matched:
			e.result.Responses = append(e.result.Responses, response, host)
		case host.Err != nil && err == nil:
			err, failed = host.Err, TempError
		}
		return matched
	})
	e.result.Authentic = e.result.Authentic && authentic
	if matched {
		return true, 0, nil // whatever became of the others
	}
	return false, failed, err
}

// mxNames returns the hosts of the MX records of an answer, and whether the records
// are too many: each counts, also of a host that has several.
func mxNames(answer resolver.Answer) (names []string, tooMany bool) {
	count := 0
	for _, rr := range answer.Records {
		mx, ok := rr.(*dns.MX)
		if !ok {
			continue
		}
		if count++; count > maxNames {
			return nil, true
		}
		name, err := resolver.Canonical(mx.Mx)
		if err == nil && name != "." && !slices.Contains(names, name) { // "." is a Null MX (RFC 7505)
			names = append(names, name)
		}
	}
	return names, false
}

// maxNames is the limit of RFC 7208, Section 4.6.4, for the hosts of one mx and the
// names of the client.
const maxNames = 10

// family is the type of the records that have addresses of the client's family.
func (e *evaluation) family() uint16 { return resolver.AddrType(e.addr) }

// within reports whether the client is in the network of a term around one of the
// addresses of an answer.
func (e *evaluation) within(answer resolver.Answer, t *Term) bool {
	return slices.ContainsFunc(answer.Records, func(rr dns.RR) bool { return t.around(rr).Contains(e.addr) })
}

// around returns the network of an a or mx around an address, the zero Prefix for any other
// record. An IPv4-mapped address in an AAAA record is not an IPv4 address here.
func (t *Term) around(rr dns.RR) netip.Prefix {
	var addr netip.Addr
	var bits uint8
	switch rr := rr.(type) {
	case *dns.A:
		addr, _ = netip.AddrFromSlice(rr.A)
		addr, bits = addr.Unmap(), t.Len4
	case *dns.AAAA:
		addr, _ = netip.AddrFromSlice(rr.AAAA)
		bits = t.Len6
	}
	network, _ := addr.Prefix(int(bits))
	return network
}

// degraded notes a term that a DNS failure kept from matching.
func (e *evaluation) degraded(t *Term, domain string) {
	if t != nil && e.result.Degraded.Domain == "" {
		e.result.Degraded = e.termAt(t, domain)
	}
}

// reverse is the client's names, and what their own addresses say.
type reverse struct {
	reply resolver.Response
	names []string // canonical, sorted, the first ten
	asked map[string]resolver.Response
}

// clientNames returns the names in the answer to the one PTR question of a check.
func (e *evaluation) clientNames(answer resolver.Answer) []string {
	e.read.Do(func() { e.names = firstNames(answer, maxNames, func(rr *dns.PTR) string { return rr.Ptr }) })
	return e.names
}

// askNames asks for the client's names, once.
func (e *evaluation) askNames() *reverse {
	if e.reverse != nil {
		return e.reverse
	}
	response := e.ask(resolver.ReverseName(e.addr), dns.TypePTR)
	e.reverse = &reverse{reply: response, names: e.clientNames(response.Answer), asked: make(map[string]resolver.Response)}
	return e.reverse
}

// firstNames returns the first names, by the alphabet, that the records of an answer have
// in their data, each once: what comes of an answer must not depend on the order of records.
func firstNames[R dns.RR](answer resolver.Answer, most int, data func(R) string) []string {
	names := make([]string, 0, most+1)
	for _, rr := range answer.Records {
		record, ok := rr.(R)
		if !ok {
			continue
		}
		name, err := resolver.Canonical(data(record))
		if err != nil {
			continue
		}
		if at, found := slices.BinarySearch(names, name); !found && at < most {
			names = slices.Insert(names, at, name)
			names = names[:min(len(names), most)]
		}
	}
	return names
}

// under returns those of some names that are a domain or below it.
func under(names []string, domain string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !dnsname.Under(name, domain) })
}

// confirm looks up those of some names that were not, and calls found for each that
// has the client's address until it returns true. The error is a DNS failure.
func (e *evaluation) confirm(names []string, found func(name string) bool) (err error) {
	full := &Term{Len4: 32, Len6: 128}
	visit := func(host resolver.Response) bool {
		e.reverse.asked[host.Name] = host
		e.use(host)
		if host.Err != nil {
			err = host.Err
		}
		return host.Err == nil && e.within(host.Answer, full) && found(host.Name)
	}
	var left []string
	for _, name := range names {
		if host, ok := e.reverse.asked[name]; !ok {
			left = append(left, name)
		} else if visit(host) {
			return nil
		}
	}
	e.each(left, e.family(), visit)
	return err
}

// ptr is RFC 7208, Section 5.5.
func (e *evaluation) ptr(t *Term, target, domain string) (matched bool, failed Status, err error) {
	v := e.askNames()
	e.use(v.reply)
	if v.reply.Err != nil {
		e.degraded(t, domain)
		return false, 0, nil
	}
	if len(v.reply.Records) == 0 {
		return false, PermError, e.void()
	}
	err = e.confirm(under(v.names, target), func(string) bool { matched = true; return true })
	if matched {
		e.result.Responses = append(e.result.Responses, v.reply)
		return true, 0, nil
	}
	if err != nil {
		e.degraded(t, domain)
	}
	return false, 0, nil
}

// validated is the macro p (RFC 7208, Section 7.3): of the client's confirmed names
// the domain itself, else one below it, else any, else "unknown".
func (e *evaluation) validated(t *Term, domain, display string) string {
	v := e.askNames()
	target, _ := askable(display)
	best, rank := unknown, 0
	err := e.confirm(v.names, func(name string) bool {
		r := 1
		switch {
		case name == target:
			r = 3
		case dnsname.Under(name, target):
			r = 2
		}
		if name = strings.TrimSuffix(name, "."); r > rank || r == rank && name < best {
			best, rank = name, r
		}
		return rank == 3
	})
	if err := errors.Join(v.reply.Err, err); err != nil && rank < 3 {
		e.degraded(t, domain)
	}
	return best
}
