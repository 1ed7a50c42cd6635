package resolver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// A zoneReader turns entries into records. It carries what RFC 1035, Section
// 5.1, lets an entry inherit: the origin, the TTL and the owner.
type zoneReader struct {
	file    string
	origin  string            // "" while there is none
	ttl     int64             // noTTL while there is none
	ttlFrom bool              // set by $TTL, which later explicit TTLs do not change (RFC 2308, Section 4)
	owner   string            // of the last record, canonical
	before  map[string]string // the sources of zones that were there before, by apex

	replaces bool // the RRsets of the text take the place of those that were there before

	records      []zoneRecord
	data         dataReader      // and the data of the records
	names        strings.Builder // the last ones that were kept
	origins      []string        // every origin that was in force, in order
	used         []bool          // by origin: an entry was read while it was in force
	made         int             // records of $GENERATE
	toldNoOrigin bool            // a relative name had no origin
	problems     []Problem
	warnings     []Problem
}

// A zoneRecord is a record that was read. Its data stay in wire form until all are read:
// records are made in the order of their names then, and stand so in memory, where a
// large zone is gone through several times as fast.
type zoneRecord struct {
	header dns.RR_Header // owner in canonical form
	data   int           // where its data begin in those of the reader
	line   int32         // 0 for one that was there before
	origin int32         // index of the origin in force, or -1
	unread bool          // its data are the text of those that could not be read
}

func newZoneReader(file string) *zoneReader {
	return &zoneReader{file: file, ttl: noTTL, before: make(map[string]string)}
}

func (z *zoneReader) fail(line int, format string, args ...any) {
	z.problems = append(z.problems, Problem{z.file, line, fmt.Sprintf(format, args...)})
}

func (z *zoneReader) warn(line int, format string, args ...any) {
	z.warnings = append(z.warnings, Problem{z.file, line, fmt.Sprintf(format, args...)})
}

func (z *zoneReader) read(e entry) {
	switch {
	case e.problem != "":
		z.fail(e.line, "%s", e.problem)
	case !e.indent && !e.tokens[0].quoted && strings.HasPrefix(e.tokens[0].text, "$"):
		z.directive(e)
	default:
		z.record(e)
	}
}

func (z *zoneReader) directive(e entry) {
	args := e.tokens[1:]
	directive := strings.ToUpper(e.tokens[0].text)
	if len(args) > 0 && args[0].quoted {
		z.fail(e.line, "%s: expected a value without quotes, got %s", directive, args[0].shown())
		return
	}
	switch directive {
	case "$DATE": // of BIND's dumps: when they were made
	case "$ORIGIN":
		if len(args) != 1 {
			z.fail(e.line, "$ORIGIN takes one value, got %d", len(args))
		} else if origin, ok := z.absolute(e.line, args[0].text); ok {
			z.checkOrigin(e.line, args[0].text, origin)
			z.setOrigin(origin)
		}
	case "$TTL":
		if len(args) != 1 {
			z.fail(e.line, "$TTL takes one value, got %d", len(args))
		} else if ttl, ok := parseTTL(args[0].text); ok {
			z.ttl, z.ttlFrom = z.bounded(e.line, ttl), true
		} else {
			z.fail(e.line, "$TTL %s: expected a number of seconds, or units as in 1h30m", args[0].shown())
		}
	case "$GENERATE":
		z.generate(e)
	case "$INCLUDE":
		z.fail(e.line, "$INCLUDE is not read: give the other file as a zone of its own, or put its text here")
	default:
		z.fail(e.line, "no such directive: %s; expected $ORIGIN, $TTL or $GENERATE (a name that begins with $ is written with \\$)", e.tokens[0].shown())
	}
}

func (z *zoneReader) setOrigin(origin string) {
	z.origin = strings.Clone(origin) // not the whole text that it is a part of
	z.data.origin, _ = dnsname.AppendWire(nil, z.origin, nil)
	z.origins = append(z.origins, z.origin)
	z.used = append(z.used, false)
}

// absolute returns the canonical form of a name of the text.
func (z *zoneReader) absolute(line int, name string) (string, bool) {
	for i := range len(name) {
		if name[i] >= 0x80 {
			// Real servers would serve these octets as they are, and nobody
			// would ever ask for them.
			z.fail(line, "name %s has non-ASCII octets: %s", short(name), oddRemedy(name))
			return "", false
		}
	}
	if name == "@" || !dns.IsFqdn(name) {
		if z.origin == "" {
			if !z.toldNoOrigin { // said once: it is wrong of the whole text
				z.fail(line, "%s is relative and there is no origin: put $ORIGIN above it, or give the zone's origin beside its file", short(name))
			}
			z.toldNoOrigin = true
			return "", false
		}
		if name == "@" {
			return z.origin, true
		}
		name += "." + strings.TrimPrefix(z.origin, ".")
	}
	canonical, err := dnsname.Canonical(name)
	if err != nil {
		z.fail(line, "%v", err)
		return "", false
	}
	return canonical, true
}

// record reads one record: [owner] [TTL] [class] type data.
func (z *zoneReader) record(e entry) {
	tokens := e.tokens
	if !e.indent {
		owner, ok := z.absolute(e.line, tokens[0].text)
		if !ok {
			return
		}
		z.checkRelative(e.line, "owner", tokens[0].text)
		if tokens = tokens[1:]; owner != z.owner {
			z.owner = z.kept(owner)
		}
	} else if z.owner == "" && z.toldNoOrigin {
		return // said already of the record above
	} else if z.owner == "" {
		z.fail(e.line, "an indented record takes the name of the record above it, and there is none")
		return
	}
	ttl, rtype, data, ok := z.header(e.line, tokens)
	if !ok || e.odd && !z.checkOdd(e.line, rtype, data) {
		return
	}
	z.checkText(e, rtype, data, "put the text in quotes")
	z.add(e.line, z.owner, ttl, rtype, data)
}

// kept returns a copy of a name that stands beside the others in memory: the garbage
// collector would have to find each of a million small ones, time and again.
func (z *zoneReader) kept(name string) string {
	if z.names.Len()+len(name) > z.names.Cap() {
		size := min(max(2*z.names.Cap(), 512), 1<<16)
		z.names = strings.Builder{}
		z.names.Grow(size)
	}
	z.names.WriteString(name)
	all := z.names.String()
	return all[len(all)-len(name):]
}

// noTTL is the TTL of a record that has none, and none to inherit.
const noTTL = -1

// header takes TTL, class and type off tokens, the first two in either order; what is left
// is the data.
func (z *zoneReader) header(line int, tokens []token) (ttl int64, rtype uint16, data []token, ok bool) {
	ttl = noTTL
	class := false
	for len(tokens) > 0 && !tokens[0].quoted {
		if t, isTTL := parseTTL(tokens[0].text); isTTL && ttl < 0 {
			ttl = z.bounded(line, t)
		} else if c, isClass := parseClass(tokens[0].text); isClass && !class {
			if class = true; c != dns.ClassINET {
				z.fail(line, "class %s: only IN is served", tokens[0].text)
				return 0, 0, nil, false
			}
		} else {
			break
		}
		tokens = tokens[1:]
	}
	if len(tokens) == 0 {
		z.fail(line, "no record type: expected [owner] [TTL] [class] type data")
		return 0, 0, nil, false
	}
	rtype, problem := recordType(tokens)
	if problem != "" {
		z.fail(line, "%s", problem)
		return 0, 0, nil, false
	}
	switch {
	case ttl < 0 && z.ttl < 0 && rtype != dns.TypeSOA:
		z.fail(line, "no TTL: put a $TTL line above, such as $TTL 3600")
		return 0, 0, nil, false
	case ttl < 0:
		ttl = z.ttl // noTTL for a SOA: see add
	case !z.ttlFrom:
		z.ttl = ttl // RFC 1035, Section 5.1: the last one stated
	}
	return ttl, rtype, tokens[1:], true
}

// recordType reads the type that tokens begin with, or says why no record of a zone has it.
func recordType(tokens []token) (rtype uint16, problem string) {
	first := tokens[0]
	rtype, known := parseType(first.text)
	switch {
	case (!known || first.quoted) && isOdd(first.text):
		return 0, fmt.Sprintf("%s is not a record type: %s", first.shown(), oddRemedy(first.text))
	case !known || first.quoted:
		return 0, first.shown() + " is not a record type: expected [owner] [TTL] [class] type data, and white space before the TTL, class or type when the owner is left out"
	case rtype == 0 || rtype == dns.TypeOPT || rtype >= 128 && rtype <= 255: // RFC 6895, Section 3.1
		return 0, first.shown() + " is a type of questions and messages, not of records in a zone"
	case rtype == dns.TypeMD || rtype == dns.TypeMF:
		return 0, first.shown() + " is obsolete: use MX (RFC 1035, Section 3.3.4)"
	case len(tokens) == 1 && rtype != dns.TypeAPL: // RFC 3123, Section 4: it may be empty
		return 0, strings.ToUpper(first.text) + " without data"
	}
	return rtype, ""
}

// parseClass reads the class of a record.
func parseClass(token string) (uint16, bool) {
	if token == "IN" {
		return dns.ClassINET, true
	}
	token = strings.ToUpper(token)
	if c, ok := dns.StringToClass[token]; ok {
		return c, c != dns.ClassANY
	}
	digits, generic := strings.CutPrefix(token, "CLASS") // RFC 3597, Section 5
	n, ok := parseNumber(digits, math.MaxUint16)
	return uint16(n), generic && ok
}

// parseTTL reads seconds, or BIND's units: 1h30m.
func parseTTL(token string) (int64, bool) {
	var total, n int64
	digits, units := false, false
	for i := range len(token) {
		c := token[i]
		if '0' <= c && c <= '9' {
			if n = n*10 + int64(c-'0'); n > math.MaxUint32 {
				return 0, false
			}
			digits = true
			continue
		}
		if total += n * secondsPer(c); !digits || secondsPer(c) == 0 || total > math.MaxUint32 {
			return 0, false
		}
		n, digits, units = 0, false, true
	}
	return total + n, digits != units // 1h30 lacks a unit at its end
}

func secondsPer(unit byte) int64 {
	switch unit | 0x20 {
	case 's':
		return 1
	case 'm':
		return 60
	case 'h':
		return 3600
	case 'd':
		return 86400
	case 'w':
		return 604800
	}
	return 0
}

// bounded returns a TTL as servers take it: 0 if it is over 31 bits (RFC 2181, Section 8).
func (z *zoneReader) bounded(line int, ttl int64) int64 {
	if ttl > math.MaxInt32 {
		z.warn(line, "TTL %d is over %d: servers take 0 instead", ttl, math.MaxInt32)
		return 0
	}
	return ttl
}

// add reads the data of a record and keeps them in wire form.
func (z *zoneReader) add(line int, owner string, ttl int64, rtype uint16, data []token) {
	start := len(z.data.out)
	err := z.data.read(rtype, data)
	unread := errors.Is(err, errUnread)
	switch {
	case unread:
		text := printable(written(data))
		z.data.out = append(z.data.out, text[:min(len(text), math.MaxUint16)]...)
		z.warn(line, "%s %s has data in a form that is not known here: questions for this type fail (SERVFAIL); write them as \\# and octets (RFC 3597, Section 5) to serve them", owner, TypeString(rtype))
	case err != nil:
		z.fail(line, "%s: %v", TypeString(rtype), err)
		return
	}
	z.checkTargets(line, rtype, data)
	if ttl == noTTL { // of a SOA
		ttl = z.soaTTL(line)
	}
	z.keep(owner, ttl, rtype, start, line, unread)
}

// keep keeps a record whose data begin at start and go to the end of those read.
func (z *zoneReader) keep(owner string, ttl int64, rtype uint16, start, line int, unread bool) {
	size := len(z.data.out) - start
	z.records = append(z.records, zoneRecord{
		dns.RR_Header{Name: owner, Rrtype: rtype, Class: dns.ClassINET, Ttl: uint32(ttl), Rdlength: uint16(size)},
		start, int32(line), int32(len(z.origins) - 1), unread,
	})
	if len(z.used) > 0 {
		z.used[len(z.used)-1] = true
	}
}

// soaTTL returns the TTL of a SOA record that has none, which was read last, and of those
// below it: its minimum, its last field.
func (z *zoneReader) soaTTL(line int) int64 {
	minimum := z.data.out[len(z.data.out)-4:]
	ttl := z.bounded(line, int64(binary.BigEndian.Uint32(minimum)))
	z.warn(line, "no TTL: the minimum of the SOA record, %d s, is taken for it and the records below, as servers do; put a $TTL line above", ttl)
	z.ttl, z.ttlFrom = ttl, true
	return ttl
}

// addRR adds a record of a zone that was there before.
func (z *zoneReader) addRR(rr dns.RR) {
	start := len(z.data.out)
	unread, isUnread := rr.(*txt.Unread)
	if isUnread {
		z.data.out = append(z.data.out, unread.Text...)
	} else if data, err := txt.Wire(rr); err == nil { // which the zone's were made of
		z.data.out = append(z.data.out, data...)
	}
	h := rr.Header()
	z.keep(h.Name, int64(h.Ttl), h.Rrtype, start, 0, isUnread)
}
