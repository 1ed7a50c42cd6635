package identity

import (
	"slices"

	"github.com/bonafide-mta/bonafide/internal/enum"
)

// Level says how well a client is known by its address and its HELO name. The zero
// Level is invalid; of the first four, a better one is less.
type Level uint8

// The levels. Forged is decided first, then Undetermined, then the best that holds.
const (
	_ Level = iota
	// Explicit: as Distinct, and the HELO name's owner says by SPF or CSA that this
	// address may use it.
	Explicit
	// Distinct: the address has a confirmed name that does not look generic, and the
	// HELO name is another one of the same organisation that leads to the address. This
	// is the "newer standard" of the advice page: nobody could guess it.
	Distinct
	// Traceable: the address has a confirmed name, and the HELO name is the same or of
	// the same organisation. The "older standard": an infected machine can find its own
	// name, so that a generic one counts only where the HELO name differs from it.
	Traceable
	// Anonymous: nothing ties the client to an organisation; the reasons say why.
	Anonymous
	// Forged: the HELO name's owner denies it to this address, by SPF or CSA; or it is a
	// name of our own, or the address of somebody else.
	Forged
	// Undetermined: DNS did not say all, and the rest could still change the level.
	Undetermined
	// NotApplicable: a client that is trusted or has no public address is not judged.
	NotApplicable
)

var levelText = []string{
	Explicit: "explicit", Distinct: "distinct", Traceable: "traceable", Anonymous: "anonymous",
	Forged: "forged", Undetermined: "undetermined", NotApplicable: "not-applicable",
}

// String returns explicit, distinct, traceable, anonymous, forged, undetermined or
// not-applicable.
func (l Level) String() string { return enum.String(l, levelText) }

// MarshalText returns the text of String; an invalid Level is an error.
func (l Level) MarshalText() ([]byte, error) { return enum.Marshal(l, levelText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (l *Level) UnmarshalText(text []byte) error { return enum.Unmarshal(l, text, levelText) }

// claim is what a client says it is.
type claim uint8

const (
	aName       claim = iota // a name that the public DNS could hold
	noHelo                   // nothing yet
	malformed                // no name and no address
	unqualified              // a name that means nothing in the public DNS
	itsAddress               // its own address
	notItsOwn                // another address
	ourName                  // a name or an address of ours
)

// answer is what DNS says to a question of yes or no.
type answer uint8

const (
	no answer = iota
	yes
	unknown
)

// word is what the owner of a name says of a client that uses it.
type word uint8

const (
	silent word = iota
	authorises
	denies
	unheard
)

// reverse is what the name of the address is to HELO.
type reverse struct {
	confirmed bool
	relation  Relation // of the HELO name to it
	generic   bool
}

// evidence is all that the level depends on.
type evidence struct {
	claim    claim
	resolves answer // the HELO name leads to the client
	spf, csa word   // of the HELO name's owner
	// reverse has the possible states of the reverse name: one, or several where DNS
	// did not say which it is.
	reverse []reverse
}

// level returns the level that holds whatever the unknown answers would have been, or
// Undetermined.
func (e evidence) level() Level {
	var level Level
	for _, resolves := range possible(e.resolves, unknown, yes, no) {
		for _, spf := range possible(e.spf, unheard, silent, authorises, denies) {
			for _, csa := range possible(e.csa, unheard, silent, authorises, denies) {
				for _, rev := range e.reverse {
					l := certain(e.claim, resolves == yes, spf, csa, rev)
					if level != 0 && l != level {
						return Undetermined
					}
					level = l
				}
			}
		}
	}
	return level
}

// possible returns the values that an answer may have.
func possible[A comparable](is, unknown A, all ...A) []A {
	if is == unknown {
		return all
	}
	return []A{is}
}

// certain returns the level of a client of which everything is known.
func certain(c claim, resolves bool, spf, csa word, rev reverse) Level {
	if c == ourName || c == notItsOwn || spf == denies || csa == denies {
		return Forged
	}
	sameOrganisation := rev.confirmed && rev.relation == SameOrganisation
	switch {
	case sameOrganisation && resolves && !rev.generic:
		if spf == authorises || csa == authorises {
			return Explicit
		}
		return Distinct
	case sameOrganisation, rev.confirmed && rev.relation == Identical && !rev.generic:
		return Traceable
	}
	return Anonymous
}

// anyReverse is what the reverse name may be while nothing is known of it.
func anyReverse(c claim) []reverse {
	states := []reverse{{}, {true, Unrelated, false}, {true, Unrelated, true}}
	if c == aName {
		for _, relation := range []Relation{SameOrganisation, Identical} {
			states = append(states, reverse{true, relation, false}, reverse{true, relation, true})
		}
	}
	return slices.Clip(states)
}
