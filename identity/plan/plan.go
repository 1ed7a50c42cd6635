// Package plan says which records an organisation should publish about its mail
// servers, and what that changes in its zones. [Want] lists the records, each with the
// rules that want it; [New] finds the difference to zones as they are. It asks no DNS.
//
// It covers every record of the advice on mail servers: addresses of PTR and HELO
// names, PTR, SPF, CSA, RP, and the Null MX of names without mail. The order of changes
// is not in it yet, and it matters: a PTR name is locked when no MTA greets with it and
// nothing sends as user@ it, and the CSA policy of the domain comes last.
//
// A name has one SPF record. The one wanted takes the place of one that is there, if
// adopted: describe all that sends in the name of a mail domain first, or it is shut
// out.
package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bonafide-mta/bonafide/identity/org"
)

// A Plan is what becomes of an organisation's records.
type Plan struct {
	Wanted  []Record  // see Want
	Changes []Change  // in the order of their names; nothing else is touched
	Kept    []Kept    // what stands in the way and stays, unless adopted
	Refused []Refusal // those of Want, and what cannot be written where it belongs
}

// Options change what New does; the zero Options are careful.
type Options struct {
	// Adopt puts what is wanted in place of other SPF, CSA, contact and Null MX
	// records. Without it they are kept.
	Adopt bool
}

// New plans what becomes of the records of an organisation, whose zones are as current
// has them. What is there already is not planned again; what is not wanted is not
// touched, but for what Adopt replaces, and for other PTR records of an address, since
// the description says which name it has. Without the zone of an address its PTR
// record is planned for the ISP to make, whatever it is now.
//
// The error is that of Organisation.Validate, or says that there is nothing to plan
// upon.
func New(o *org.Organisation, current *Current, options Options) (*Plan, error) {
	if o == nil {
		return nil, errors.New("plan: no organisation")
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if current == nil {
		return nil, errors.New("plan: the zones as they are now: expected a Current")
	}
	p := new(Plan)
	p.Wanted, p.Refused = Want(o)
	p.diff(current, options.Adopt)
	slices.SortStableFunc(p.Changes, compareChanges)
	return p, nil
}
