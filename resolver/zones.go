package resolver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/bounded"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// Zones answers from zone text in memory, as authoritative servers and a
// resolver in front of them would: for tests, and for auditing a zone before it
// is published. It is immutable and safe for concurrent use.
//
// Within a zone it follows RFC 1034, Section 4.3.2, RFC 4592 (wildcards, empty
// non-terminals) and RFC 6672 (DNAME), as NSD, Knot and BIND do. Across zones it
// behaves as a resolver: aliases are followed into other zones of the same
// Zones; a delegation to a zone that is not there and an alias loop are SERVFAIL.
// A name outside every zone is an error that wraps [ErrNoZone], so that a test
// with a typo in a name fails; declare "$ORIGIN ." to make it NXDOMAIN.
//
// The first question takes a time that grows with the zones: it makes the index that
// all others use. The zero Zones holds no zone.
type Zones struct {
	zones    map[string]*zone // by apex
	warnings []Problem
	names    func() map[string]*node // every name that exists, in the deepest zone it is in; made once
}

// ParseZones reads one text with any number of zones in the format of RFC 1035,
// Section 5. A zone's apex is where a SOA stands, else the $ORIGIN in force:
// records under no SOA form a zone at that origin, which gets a SOA and an NS
// record made up. An $ORIGIN below another one is a part of its zone; one
// without records is an empty zone.
//
// Entries are read as BIND 9.18 reads them, $GENERATE too, except that $INCLUDE is
// refused. A record without a TTL takes that of $TTL, the last one stated, or, with a
// warning, the minimum of the SOA record; with none of them it is refused. What a server
// would refuse is refused: the error is a [*ZoneError] that lists every bad entry, and
// nothing is loaded. The one exception is data of a type that mail does not use, in a form
// that is not known here: the owner and the type stay, with a warning, and questions for
// them are errors (SERVFAIL). [Zones.Records] yields such a record without data, and its
// String has the data as they were written.
func ParseZones(text string) (*Zones, error) {
	if len(text) > maxText {
		return nil, asZoneError([]Problem{{Text: (&bounded.Error{Limit: maxText}).Error()}})
	}
	return readText("", "", text)
}

// maxText is how long a zone text from a reader may be: two million records fit.
const maxText = 128 << 20

// ReadZone reads zone text from r as [ParseZones] does. The names in it are
// relative to origin until an $ORIGIN says otherwise, as in a server's
// configuration; origin may be "". The file name stands in errors and in
// Answer.Server, and is not opened.
//
// r may give 128 MiB; a regular file, such as an [os.File], may have any size. The zones
// take some twenty times as much memory.
func ReadZone(origin, file string, r io.Reader) (*Zones, error) {
	limit := int64(maxText)
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			limit = max(limit, info.Size()) // the caller can know the size
		}
	}
	text, err := bounded.ReadAll(r, limit)
	if err != nil {
		return nil, asZoneError([]Problem{{File: file, Text: err.Error()}})
	}
	return readText(origin, file, string(text))
}

func readText(origin, file, text string) (*Zones, error) {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf") // a byte order mark
	if problem := encodingProblem(text); problem != "" {
		return nil, asZoneError([]Problem{{File: file, Text: problem}})
	}
	reader := newZoneReader(file)
	if origin != "" {
		canonical, err := dnsname.Canonical(origin)
		if err != nil {
			return nil, asZoneError([]Problem{{File: file, Text: fmt.Sprintf("origin: %v", err)}})
		}
		reader.setOrigin(canonical)
	}
	cutEntries(text, reader.read)
	if file != "" && len(text) > 0 && text[len(text)-1] != '\n' {
		reader.warn(0, "it does not end with the end of a line: is it whole?")
	}
	return reader.zones()
}

// MergeZones returns all zones of its arguments as one. The same apex in two of
// them is an error.
func MergeZones(parts ...*Zones) (*Zones, error) {
	zones := make(map[string]*zone)
	var warnings []Problem
	for _, part := range parts {
		if part == nil {
			continue
		}
		for _, apex := range part.Origins() {
			if old, ok := zones[apex]; ok {
				return nil, fmt.Errorf("zone %s is given twice: by %s and by %s", apex, old.source, part.zones[apex].source)
			}
			zones[apex] = part.zones[apex]
		}
		warnings = append(warnings, part.warnings...)
	}
	return newZones(zones, warnings), nil
}

// Origins returns the apex of every zone in canonical form, sorted.
func (z *Zones) Origins() []string {
	return slices.Sorted(maps.Keys(z.zones))
}

// Warnings lists what is legal in the text but hardly meant, such as the
// unquoted TXT v=spf1 -all, which is served as v=spf1-all.
func (z *Zones) Warnings() []Problem { return slices.Clone(z.warnings) }

// Records yields every record, zone by zone in the order of Origins, within a
// zone by name as the zone file sorts it: the apex first, a name before those
// below it. SOA and NS records that were made up are among them. The records are
// shared: read them only. The error is always nil: the sequence has the type of the one
// that [Transfer] returns, so that callers take either.
func (z *Zones) Records() iter.Seq2[dns.RR, error] {
	return func(yield func(dns.RR, error) bool) {
		for _, apex := range z.Origins() {
			for rr := range z.zones[apex].records() {
				if !yield(rr, nil) {
					return
				}
			}
		}
	}
}

// SeqOf yields records as [Zones.Records] and [Transfer] do, with nil errors.
func SeqOf(records ...dns.RR) iter.Seq2[dns.RR, error] {
	return func(yield func(dns.RR, error) bool) {
		for _, rr := range records {
			if !yield(rr, nil) {
				return
			}
		}
	}
}

// records yields the zone's part of [Zones.Records].
func (z *zone) records() iter.Seq[dns.RR] {
	return func(yield func(dns.RR) bool) {
		for _, n := range z.nodes {
			for _, set := range n.sets {
				for _, rr := range set.records {
					if !yield(rr) {
						return
					}
				}
			}
		}
	}
}

// A zone is the names at and below one apex.
type zone struct {
	apex   string
	source string // for Answer.Server
	soa    *dns.SOA
	nodes  []*node // by name, the apex first; empty non-terminals too
	runs   []run   // while it is built
}

// A node is one existing name of a zone.
type node struct {
	name   string
	zone   *zone
	parent *node   // nil for the apex
	sets   []rrset // sorted by type; none for an empty non-terminal
	above  *node   // the topmost delegation or DNAME owner above, which hides this name
	wild   *node   // the wildcard child
	cut    bool    // a delegation: NS below the apex
}

// An rrset is the records of one type at one name.
type rrset struct {
	rtype   uint16
	records []dns.RR
	target  string // of a CNAME or DNAME, canonical
	mixed   bool   // the text gave its records several TTLs
	unread  bool   // data of a record could not be read
}

func (n *node) set(rtype uint16) *rrset {
	for i := range n.sets {
		if n.sets[i].rtype == rtype {
			return &n.sets[i]
		}
	}
	return nil
}

// negativeTTL is how long a negative answer may be kept (RFC 2308, Section 5).
func (z *zone) negativeTTL() uint32 { return min(z.soa.Hdr.Ttl, z.soa.Minttl) }

// maxHops is how many aliases are followed before a chain counts as endless.
const maxHops = 16

// Lookup answers as a resolver that has the zones' servers to itself.
func (z *Zones) Lookup(ctx context.Context, name string, qtype uint16) (Answer, error) {
	owner, bad := dnsname.Canonical(name)
	if bad != nil {
		return Answer{}, &Error{Name: name, Type: qtype, Err: bad}
	}
	if ctx.Err() != nil {
		return Answer{}, contextError(ctx, owner, qtype, "")
	}
	answer := Answer{TTL: forever}
	left, err := z.follow(&answer, owner, qtype)
	switch {
	case err != nil:
		return Answer{}, err.about(owner, qtype)
	case left == owner:
		return Answer{}, &Error{Name: owner, Type: qtype, Err: ErrNoZone}
	case left != "":
		return Answer{}, &Error{Name: owner, Type: qtype, Err: fmt.Errorf("its alias %s: %w", left, ErrNoZone)}
	}
	return answer, nil
}

// forever is more than any TTL: the TTL of an answer that rests on nothing yet.
const forever = time.Duration(math.MaxInt64)

// errDelegated is the cause for a name below a delegation to a zone that is not
// there.
var errDelegated = errors.New("delegated, and no zone given for it")

// follow adds to an answer what the zones say of a name. left is the name to which
// its aliases led where that is outside the zones, or, with errDelegated, below a
// delegation; else it is "". An error has no question yet.
func (z *Zones) follow(answer *Answer, owner string, qtype uint16) (left string, err *Error) {
	for range maxHops + 1 {
		n := z.closest(owner, qtype)
		if n == nil && dnsname.Reserved(owner) {
			answer.Status, answer.TTL, answer.Server = NXDomain, 0, reservedName
			return "", nil
		}
		if n == nil {
			return owner, nil
		}
		in := n.zone
		answer.Server = in.source
		f := n.find(owner, qtype)
		switch f.kind {
		case isPositive:
			answer.Records = f.records
			answer.restOn(f.records)
		case isNoData, isNXDomain:
			if f.kind == isNXDomain {
				answer.Status = NXDomain
			}
			answer.TTL = min(answer.TTL, time.Duration(in.negativeTTL())*time.Second)
		case isAlias:
			answer.restOn(f.records)
			if followed(qtype) {
				if answer.Chain == nil {
					answer.Chain = slices.Clip(f.records) // shared: one alias allocates nothing
				} else {
					answer.Chain = append(answer.Chain, f.records...)
				}
				owner = f.target
				continue
			}
			answer.unfollowed(f.records, qtype)
		case isReferral:
			return owner, &Error{Server: in.source, RCode: dns.RcodeServerFailure, Err: fmt.Errorf("%s is %w", f.cut.name, errDelegated)}
		case isUnread:
			return "", &Error{Server: in.source, RCode: dns.RcodeServerFailure, Err: fmt.Errorf("%s has %w", owner, errUnread)}
		case isTooLong:
			return "", &Error{Server: in.source, RCode: dns.RcodeYXDomain, Err: fmt.Errorf("a DNAME makes %s too long", owner)}
		}
		return "", nil
	}
	return "", &Error{Server: answer.Server, RCode: dns.RcodeServerFailure, Err: ErrChain}
}

// restOn lowers the TTL of an answer to that of records that it rests on.
func (a *Answer) restOn(records []dns.RR) {
	for _, rr := range records {
		a.TTL = min(a.TTL, time.Duration(ttlOf(rr))*time.Second)
	}
}

// followed reports whether aliases are followed for a question of this type.
func followed(qtype uint16) bool {
	return qtype != dns.TypeCNAME && qtype != dns.TypeDNAME && qtype != dns.TypeANY
}

// unfollowed keeps the aliases at the name asked as its records as far as they
// are of the type asked, else as the chain: a DNAME above, and the CNAME it makes.
func (a *Answer) unfollowed(aliases []dns.RR, qtype uint16) {
	for _, rr := range aliases {
		if rr.Header().Rrtype == qtype && qtype == dns.TypeCNAME || qtype == dns.TypeANY {
			a.Records = append(a.Records, rr)
		} else {
			a.Chain = append(a.Chain, rr)
		}
	}
}

// closest returns the node of a name, or its closest encloser (RFC 4592, Section
// 3.3.1), in the zone that speaks for a question; nil if none does.
func (z *Zones) closest(name string, qtype uint16) *node {
	if qtype == dns.TypeDS && name != "." { // RFC 4035, Section 3.1.4.1: asked at the parent
		if in := enclosing(z.zones, dnsname.Parent(name)); in != nil {
			return in.closest(name)
		}
	}
	if len(z.zones) == 0 {
		return nil
	}
	names := z.names()
	for ; name != ""; name = dnsname.Parent(name) {
		if n := names[name]; n != nil {
			return n
		}
	}
	return nil
}
