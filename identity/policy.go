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

// A Policy says what to do about what was found. The zero Policy refuses clients only if
// the owner of the name that they use denies it to them, defers mail only if DNS gave no
// answer about its sender's SPF policy, and leaves the rest to a spam filter.
//
// The action is the gravest of those of all reasons and of the level. Its maps are only read:
// one Policy serves all sessions of a Verifier, concurrently, and must not change meanwhile.
// What [Policy.Validate] refuses has no effect.
type Policy struct {
	// Reasons are actions in place of Reason.DefaultAction.
	Reasons map[Reason]Action `json:"reasons,omitempty"`
	// Levels are actions in place of Level.DefaultAction. They count from HELO on: before it
	// no client can be better than Anonymous.
	Levels map[Level]Action `json:"levels,omitempty"`
	// Exceptions are clients about which reasons do not count.
	Exceptions []Exception `json:"exceptions,omitempty"`
	// ReportOnly refuses nothing: what would be Defer or Reject is Score, and is in
	// Advice.Withheld. A session that is exhausted is deferred all the same, because nothing
	// is known about its client.
	ReportOnly bool `json:"report_only,omitempty"`
	// Explain has SPF ask for the explanation of a policy's owner (exp=), and quotes it in
	// replies. The owner may write anything, so the reply says whose text it is. Advise can
	// quote it if the Verifier's Policy has Explain, too.
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
	// Reason is the one that decided for Defer or Reject, even if that is Withheld, else zero. It is
	// the Verdict's LevelReason if the level decided, and zero if that is.
	Reason Reason `json:"reason,omitzero"`
	// Reply is what to answer for Defer and Reject, else zero. It has an enhanced code
	// (RFC 3463, RFC 7372), and its Text is printable ASCII of less than 450 octets.
	Reply envelope.Reply `json:"reply,omitzero"`
	// Withheld is the graver action that was not taken, else zero: the Defer or Reject that
	// Policy.ReportOnly makes a Score, or what would be done without the Policy's Exceptions.
	Withheld Action `json:"withheld,omitzero"`
}

// String returns the reply on one line, as in "550 5.7.23 …", and the action where
// there is none.
func (a Advice) String() string {
	return cmp.Or(a.Reply.String(), a.Action.String())
}

// Advise returns what a policy advises about the verdict. It asks nothing, and does not
// change the verdict: use it for policies of single recipients, for the difference that
// another policy would make, and for verdicts that were kept. v.Advice is by the Policy of
// the Verifier.
func (v *Verdict) Advise(p Policy) Advice {
	if v.Has(SessionExhausted) {
		return Advice{Action: Defer, Reason: SessionExhausted, Reply: exhaustedReply}
	}
	holding := slices.DeleteFunc(slices.Clone(p.Exceptions), func(e Exception) bool { return !e.covers(v) })
	done, withheld := p.decide(v, holding), p.decide(v, nil)
	if p.ReportOnly {
		// What the exceptions alone held back was never to be done.
		withheld.action = min(withheld.action, Score)
		if done.action > Score {
			withheld = done
		}
		done.action = min(done.action, Score)
	}
	advice := Advice{Action: done.action}
	if withheld.action > done.action {
		advice.Withheld = withheld.action
		if withheld.action > Score {
			advice.Reason = withheld.reason
		}
	}
	if done.action > Score {
		advice.Reason, advice.Reply = done.reason, p.reply(v, done)
	}
	return advice
}

// A decision is an action and its reason.
type decision struct {
	action Action
	reason Reason
}

// decide returns the gravest action, with what some exceptions leave. Of actions that are
// equally grave, that of the reason which is first in replies decides, and the level's last.
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
	case !ok, l == NotApplicable, l == Explicit && action > Score, !valid(action):
		return l.DefaultAction()
	case l == Undetermined:
		return min(action, Defer)
	}
	return action
}

func valid(a Action) bool { return Accept <= a && a <= Reject }

// Validate returns an error if the policy has entries that are not followed: unknown reasons,
// levels and actions; what no policy can change, as SessionExhausted and what speaks for a
// client; exceptions that are not for some clients or have no such day; and Reject for a
// temporary failure, which counts as Defer. The error has one line for each, in the same order
// each time, that begins with the place, as in "reasons.no-ptr: " or "exceptions[0].until: ".
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

// notSettable is what is wrong with an entry for a reason that is not settable.
const notSettable = "not a reason against a client that a policy can change: expected no entry"
