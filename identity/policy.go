package identity

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bonafide-mta/bonafide/identity/envelope"
	"github.com/bonafide-mta/bonafide/internal/enum"
)

// A Policy maps reasons and levels to actions. The zero Policy refuses clients only if the
// owner of the name that they use denies it to them, defers mail only if DNS gave no answer
// about its sender's SPF policy, and leaves the rest to a spam filter.
//
// The advice is the gravest action of all reasons and the level. One Policy serves all sessions
// of a Verifier, concurrently, and must not change meanwhile. Entries that [Policy.Validate]
// refuses have no effect.
type Policy struct {
	// Reasons has actions that replace Reason.DefaultAction.
	Reasons map[Reason]Action `json:"reasons,omitempty"`
	// Levels has actions that replace Level.DefaultAction, which is Accept. They count from
	// HELO on, because before HELO no client can be better than Anonymous. They can only make
	// the advice graver: what Reasons refuse, no level accepts.
	Levels map[Level]Action `json:"levels,omitempty"`
	// Exceptions are for clients against which some reasons do not count.
	Exceptions []Exception `json:"exceptions,omitempty"`
	// ReportOnly refuses nothing: the advice is Score instead of Defer or Reject, which
	// Advice.Withheld then has. An exhausted session is deferred all the same, because nothing
	// is known about its client.
	ReportOnly bool `json:"report_only,omitempty"`
	// Explain makes SPF look up the explanation of the owner of a policy (exp=), which replies
	// quote. The owner can write anything, so the reply says whose text it is. Advise quotes it
	// only if the Verifier's Policy has Explain, too.
	Explain bool `json:"explain,omitempty"`
}

// Action is what to do with a client. The zero Action is invalid.
type Action uint8

// The actions, the mildest first.
const (
	_      Action = iota
	Accept        // nothing speaks against the client
	Score         // something does, but not enough to refuse mail: pass the reasons to a spam filter
	Defer         // ask it to come back, with a reply code of 4xx
	Reject        // refuse, with a reply code of 5xx
)

var actionText = []string{Accept: "accept", Score: "score", Defer: "defer", Reject: "reject"}

// Actions returns all actions, the mildest first.
func Actions() []Action { return enum.All[Action](actionText) }

// String returns accept, score, defer or reject.
func (a Action) String() string { return enum.String(a, actionText) }

// MarshalText returns the text of String; an invalid Action is an error.
func (a Action) MarshalText() ([]byte, error) { return enum.Marshal(a, actionText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (a *Action) UnmarshalText(text []byte) error { return enum.Unmarshal(a, text, actionText) }

// Advice is what to do with a client, and the reply to send.
type Advice struct {
	Action Action `json:"action,omitzero"`
	// Reason is why the Action, or else Withheld, is Defer or Reject; zero if neither is. If the
	// level decided, it is the Verdict's LevelReason, which can be zero.
	Reason Reason `json:"reason,omitzero"`
	// Reply is the answer to send for Defer and Reject; zero otherwise. It has an enhanced code
	// (RFC 3463, RFC 7372), and its Text is printable ASCII of less than 450 octets.
	Reply envelope.Reply `json:"reply,omitzero"`
	// Withheld is the Defer or Reject that Policy.ReportOnly held back; zero if there is none.
	Withheld Action `json:"withheld,omitzero"`
	// Excepted is the graver action that there would be without Policy.Exceptions; zero if
	// they changed nothing.
	Excepted Action `json:"excepted,omitzero"`
}

// String returns the reply on one line, as in "550 5.7.23 …", and the action where
// there is none.
func (a Advice) String() string {
	return cmp.Or(a.Reply.String(), a.Action.String())
}

// Advise judges the verdict by another policy than the Verifier's, by which v.Advice is. It
// asks nothing and does not change the verdict: use it for the policies of recipients, for the
// difference that a new policy would make, and for verdicts that were stored.
func (v *Verdict) Advise(p Policy) Advice {
	if v.Has(SessionExhausted) {
		return Advice{Action: Defer, Reason: SessionExhausted, Reply: exhaustedReply}
	}
	holding := slices.DeleteFunc(slices.Clone(p.Exceptions), func(e Exception) bool { return !e.covers(v) })
	d := p.decide(v, holding)
	advice := Advice{Action: d.action}
	if without := p.decide(v, nil).action; without > d.action {
		advice.Excepted = without
	}
	switch {
	case d.action <= Score:
	case p.ReportOnly:
		advice.Action, advice.Withheld, advice.Reason = Score, d.action, d.reason
	default:
		advice.Reason, advice.Reply = d.reason, p.reply(v, d)
	}
	return advice
}

// A decision is an action and its reason.
type decision struct {
	action Action
	reason Reason
}

// decide returns the gravest action after some exceptions. If several are equally grave, the
// reason that comes first in replies decides, and the level last.
func (p Policy) decide(v *Verdict, exceptions []Exception) decision {
	excepted := func(r Reason) bool {
		return slices.ContainsFunc(exceptions, func(e Exception) bool { return e.excepts(r) })
	}
	d := decision{action: Accept}
	for _, r := range v.Reasons {
		action := p.forReason(r)
		if excepted(r) || r == NoHelo && v.Step == AtConnect { // before HELO nobody can have said it
			action = Accept
		}
		if action > d.action || action == d.action && precedence(r) < precedence(d.reason) {
			d.action, d.reason = action, r
		}
	}
	action := p.forLevel(v.Level)
	if v.LevelReason.Temporary() {
		action = min(action, Defer)
	}
	if action > d.action && v.Step != AtConnect && !excepted(v.LevelReason) {
		d = decision{action, v.LevelReason}
	}
	return d
}

// forReason returns what is done about a reason.
func (p Policy) forReason(r Reason) Action {
	action, ok := p.Reasons[r]
	switch {
	case !ok, !r.settable(), !valid(action):
		return r.DefaultAction()
	case r.Temporary():
		return min(action, Defer)
	}
	return action
}

// forLevel returns what is done about a level.
func (p Policy) forLevel(l Level) Action {
	action, ok := p.Levels[l]
	switch {
	case !ok, l.DefaultAction() == 0, l == NotApplicable, l == Explicit && action > Score, !valid(action):
		return l.DefaultAction()
	case l == Undetermined:
		return min(action, Defer)
	}
	return action
}

func valid(a Action) bool { return Accept <= a && a <= Reject }

// Validate returns an error if the policy has entries without effect: unknown reasons, levels
// and actions; reasons that no policy can change, such as SessionExhausted and those that speak
// for a client; exceptions that name no clients, or a last day that is not a day; and Reject
// for a temporary failure, which counts as Defer. The error has one line for each entry, always
// in the same order. It begins with the place, such as "reasons.no-ptr: " or
// "exceptions[0].until: ".
func (p Policy) Validate() error {
	var problems []error
	problem := func(place, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...)))
	}
	const actions = "%s: expected accept, score, defer or reject"
	for _, r := range slices.Sorted(maps.Keys(p.Reasons)) {
		place, action := "reasons."+r.String(), p.Reasons[r]
		switch {
		case r.Text() == "":
			problem(place, "not a reason")
		case !r.settable():
			problem(place, "%s", notSettable)
		case !valid(action):
			problem(place, actions, action)
		case r.Temporary() && action == Reject:
			problem(place, "%s: a temporary failure: expected accept, score or defer", action)
		}
	}
	for _, l := range slices.Sorted(maps.Keys(p.Levels)) {
		place, action := "levels."+l.String(), p.Levels[l]
		switch {
		case l.DefaultAction() == 0:
			problem(place, "not a level")
		case l == NotApplicable:
			problem(place, "such clients are not judged: expected no entry")
		case !valid(action):
			problem(place, actions, action)
		case l == Undetermined && action == Reject:
			problem(place, "%s: a temporary failure: expected accept, score or defer", action)
		case l == Explicit && action > Score:
			problem(place, "%s: no client has a better level: expected accept or score", action)
		}
	}
	for i, e := range p.Exceptions {
		for field, text := range e.problems {
			problem(fmt.Sprintf("exceptions[%d].%s", i, field), "%s", text)
		}
	}
	return errors.Join(problems...)
}

// notSettable is the problem of an entry for a reason that is not settable.
const notSettable = "not a reason against a client that a policy can change: expected no entry"
