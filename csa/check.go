package csa

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/errlist"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// The names that are searched for a policy have this many labels: never a top-level
// domain, and not below the sixth level.
const (
	minLabels = 2
	maxLabels = 6
)

// MaxTargets is how many targets of a name's records are looked up, in alphabetical
// order. One record is what a name should have. If a name has more and none of the first
// authorizes the client, the status is None: what was not looked up denies nobody.
const MaxTargets = 10

// A Checker checks clients. All fields but Resolver may stay zero.
type Checker struct {
	// Resolver answers the questions. Nil makes every check of a name a TempError with
	// resolver.ErrNoResolver.
	Resolver resolver.Resolver
	// Sequential asks for the policies of parents only where the name has no record,
	// and one after the other, from the top: fewer questions, in up to six more round
	// trips. The status is the same.
	Sequential bool
}

// Check checks whether the client may use a name in HELO or EHLO: the argument of the
// command, in any case, with or without a final dot. Check again after a new EHLO.
func (c Checker) Check(ctx context.Context, addr netip.Addr, helo string) *Result {
	r := &Result{Addr: addr.Unmap().WithZone(""), Helo: helo}
	if !addr.IsValid() {
		r.Status, r.Reason, r.Err = PermError, BadAddress, ErrAddr
		return r
	}
	r.Name = recordable(helo)
	if r.Name == "" {
		r.Status, r.Reason = None, NoName
		return r
	}
	own, parents := c.ask(ctx, r.Name)
	r.Responses = append(r.Responses, own)
	records := resolver.Records[*dns.SRV](own.Answer)
	switch {
	case own.Err != nil:
		r.temporary(own.Err)
	case len(records) > 0:
		c.judge(ctx, r, records)
	default:
		r.inherit(parents())
	}
	r.Authentic = len(r.Responses) > 0 && !slices.ContainsFunc(r.Responses, func(response resolver.Response) bool { return !response.Authentic })
	return r
}

// recordable returns the canonical form of a HELO name that can have a record, ""
// for a literal, an address, one label, and what is no name. What no host may be
// called can: it must not get past a policy.
func recordable(helo string) string {
	if name, err := dnsname.Canonical(helo); err == nil && dnsname.Qualified(name) {
		return name
	}
	return ""
}

// ask returns the records of a name, and a function that returns those of its
// parents, from the top.
func (c Checker) ask(ctx context.Context, name string) (own resolver.Response, parents func() []resolver.Response) {
	names := Parents(name)
	if c.Sequential {
		return c.records(ctx, name)[0], func() []resolver.Response {
			var responses []resolver.Response
			for _, parent := range names {
				response := c.records(ctx, parent)[0]
				responses = append(responses, response)
				if requires(response) != nil {
					break
				}
			}
			return responses
		}
	}
	ahead, cancel := context.WithCancel(ctx)
	defer cancel()
	above := make(chan []resolver.Response, 1) // for a Resolver that ends this goroutine by runtime.Goexit
	go func() {
		var responses []resolver.Response
		defer func() {
			if responses == nil {
				responses = Checker{Resolver: failing(errExited)}.records(ahead, names...)
			}
			above <- responses
		}()
		responses = c.records(ahead, names...)
	}()
	own = c.records(ctx, name)[0]
	if own.Err != nil || len(own.Records) > 0 {
		cancel() // the parents' records make no difference
	}
	responses := <-above
	return own, func() []resolver.Response { return responses }
}

var errExited = errors.New("the Resolver called runtime.Goexit")

// failing returns a Resolver that has no answer.
func failing(err error) resolver.Resolver {
	return resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) { return resolver.Answer{}, err })
}

// records asks for the records of names.
func (c Checker) records(ctx context.Context, names ...string) []resolver.Response {
	var questions []resolver.Question
	for _, name := range names {
		questions = append(questions, resolver.Question{Name: prefix + name, Type: dns.TypeSRV})
	}
	responses := resolver.AskAll(ctx, c.Resolver, questions...)
	for i := range responses {
		if _, err := dnsname.Canonical(responses[i].Name); err != nil {
			// No name can exist below a name of this length.
			responses[i].Answer, responses[i].Err = resolver.Answer{Status: resolver.NXDomain}, nil
		}
	}
	return responses
}

// Parents returns the parents of a canonical name whose policy is about the name, if it has no
// record of its own, from the top: those of two to six labels.
func Parents(name string) []string {
	var names []string
	for parent := dnsname.Parent(name); dns.CountLabel(parent) >= minLabels; parent = dnsname.Parent(parent) {
		if dns.CountLabel(parent) <= maxLabels {
			names = append(names, parent)
		}
	}
	slices.Reverse(names)
	return names
}

// requires returns the record of a reply that wants every name below to have one.
func requires(response resolver.Response) *dns.SRV {
	for _, rr := range txt.Sorted(resolver.Records[*dns.SRV](response.Answer)) {
		if RequiresExplicit(rr) {
			return rr
		}
	}
	return nil
}

// inherit judges a name without a record by what its parents say.
func (r *Result) inherit(parents []resolver.Response) {
	var failed error
	for _, response := range parents {
		if rr := requires(response); rr != nil {
			// What the other parents say, or fail to, makes no difference.
			r.Responses = append(r.Responses[:1:1], response)
			parent, _ := NameOf(response.Name)
			r.Status, r.Reason, r.Record, r.Parent = Fail, ExplicitRequired, rr, parent
			return
		}
		r.Responses = append(r.Responses, response)
		failed = errlist.Join(failed, response.Err)
	}
	if failed != nil {
		r.temporary(failed)
		return
	}
	r.Status, r.Reason = None, NoRecord
}

func (r *Result) temporary(err error) { r.Status, r.Reason, r.Err = TempError, Temporary, err }

// judge judges a name by its own records.
func (c Checker) judge(ctx context.Context, r *Result, records []*dns.SRV) {
	var candidates []*dns.SRV
	var unverifiable *dns.SRV
	for _, rr := range txt.Sorted(records) {
		switch {
		case !known(rr):
		case Denies(rr): // weight 0 is read as 1
			r.Status, r.Reason, r.Record = Fail, Denied, rr
			return
		case verifiable(rr):
			candidates = append(candidates, rr)
		case unverifiable == nil:
			unverifiable = rr
		}
	}
	responses := c.targets(ctx, r, candidates)
	var failed error
	var empty, other *dns.SRV
	for _, rr := range candidates {
		response := responses[target(rr)]
		addrs := response.Addrs()
		switch {
		case response.Err != nil:
			failed = errlist.Join(failed, response.Err)
		case slices.Contains(addrs, r.Addr):
			r.Responses = append(r.Responses[:1:1], response) // no other is needed
			r.Status, r.Reason, r.Record = Pass, Authorized, rr
			return
		case len(addrs) == 0:
			empty = cmp.Or(empty, rr)
		default:
			other = cmp.Or(other, rr)
		}
	}
	switch {
	case failed != nil:
		r.temporary(failed)
	case r.Skipped > 0: // the owner may authorize the client by one of them
		r.Status, r.Reason = None, TooManyTargets
	case unverifiable != nil:
		r.Status, r.Reason, r.Record = None, Unverifiable, unverifiable
	case other != nil:
		r.Status, r.Reason, r.Record = Fail, AddressMismatch, other
	case empty != nil:
		r.Status, r.Reason, r.Record = Fail, NoAddress, empty
	default:
		r.Status, r.Reason = None, Unsupported
	}
}

// targets asks for the addresses of the targets of records, of the client's family:
// the other could not match. The target ".", and those beyond MaxTargets, are not among
// the responses.
func (c Checker) targets(ctx context.Context, r *Result, records []*dns.SRV) map[string]resolver.Response {
	var names []string
	for _, rr := range records {
		if name := target(rr); name != "." {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > MaxTargets {
		r.Skipped = len(names) - MaxTargets
		names = names[:MaxTargets]
	}
	var questions []resolver.Question
	for _, name := range names {
		questions = append(questions, resolver.Question{Name: name, Type: resolver.AddrType(r.Addr)})
	}
	responses := resolver.AskAll(ctx, c.Resolver, questions...)
	out := make(map[string]resolver.Response)
	for _, response := range responses {
		out[response.Name] = response
	}
	r.Responses = append(r.Responses, responses...)
	return out
}

// target returns the canonical target of a record, "." for none.
func target(rr *dns.SRV) string {
	name, err := dnsname.Canonical(rr.Target)
	if err != nil {
		return "."
	}
	return name
}
