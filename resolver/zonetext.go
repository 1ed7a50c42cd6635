package resolver

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// short quotes a token for a message: nobody reads the megabyte behind a forgotten
// line end.
func short(token string) string {
	const most = 60
	if len(token) <= most {
		return strconv.Quote(token)
	}
	return fmt.Sprintf("%.60q and so on, %d octets", token, len(token))
}

// A Problem is one thing in zone text that is wrong, or that is legal but
// hardly meant (see [Zones.Warnings]).
type Problem struct {
	File string // as given to ReadZone; "" for ParseZones
	Line int    // where the entry begins, counted from 1; 0 for the whole text
	Text string // what is wrong, and what was expected
}

// String returns file:line: text, without the parts that are not known.
func (p Problem) String() string {
	switch {
	case p.Line == 0 && p.File == "":
		return p.Text
	case p.Line == 0:
		return p.File + ": " + p.Text
	case p.File == "":
		return fmt.Sprintf("line %d: %s", p.Line, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// A ZoneError lists everything that is wrong with a zone text, in order of line.
type ZoneError struct{ Problems []Problem }

// maxPrinted is how many problems Error prints before it only counts.
const maxPrinted = 20

// Error returns one line a problem, twenty at most, then how many more there are.
func (e *ZoneError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i == maxPrinted {
			fmt.Fprintf(&b, "\nand %d more", len(e.Problems)-maxPrinted)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// A zoneReader turns entries into records. It carries what RFC 1035, Section
// 5.1, lets an entry inherit: the origin, the TTL and the owner.
type zoneReader struct {
	file    string
	origin  string            // "" while there is none
	ttl     int64             // -1 while there is none
	ttlFrom bool              // set by $TTL, which later explicit TTLs do not change (RFC 2308, Section 4)
	owner   string            // of the last record, canonical
	before  map[string]string // the sources of zones that were there before, by apex

	records      []zoneRecord
	data         []byte          // of the records
	buf          []byte          // for one record
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
	line   int           // 0 for one that was there before
	origin int           // index of the origin in force, or -1
}

func newZoneReader(file string) *zoneReader {
	return &zoneReader{file: file, ttl: -1, before: make(map[string]string)}
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
	case !e.indent && strings.HasPrefix(e.tokens[0], "$"):
		z.directive(e)
	default:
		z.record(e)
	}
}

func (z *zoneReader) directive(e entry) {
	name, args := strings.ToUpper(e.tokens[0]), e.tokens[1:]
	switch name {
	case "$ORIGIN", "$TTL":
		if len(args) != 1 {
			z.fail(e.line, "%s takes one value, got %d", name, len(args))
			return
		}
		if name == "$TTL" {
			ttl, ok := parseTTL(args[0])
			if !ok {
				z.fail(e.line, "$TTL %s: expected a number of seconds, or units as in 1h30m", short(args[0]))
				return
			}
			z.ttl, z.ttlFrom = ttl, true
			return
		}
		if origin, ok := z.absolute(e.line, args[0]); ok {
			z.setOrigin(origin)
		}
	case "$GENERATE":
		z.generate(e)
	case "$INCLUDE":
		z.fail(e.line, "$INCLUDE is not read: give the other file as a zone of its own, or put its text here")
	default:
		z.fail(e.line, "no such directive: %s; expected $ORIGIN, $TTL or $GENERATE", short(e.tokens[0]))
	}
}

func (z *zoneReader) setOrigin(origin string) {
	z.origin = origin
	z.origins = append(z.origins, origin)
	z.used = append(z.used, false)
}

// absolute returns the canonical form of a name of the text.
func (z *zoneReader) absolute(line int, name string) (string, bool) {
	for i := range len(name) {
		if name[i] >= 0x80 {
			// Real servers would serve these octets as they are, and nobody
			// would ever ask for them.
			z.fail(line, "name %s has non-ASCII octets: write its A-label (xn--…)", short(name))
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
		owner, ok := z.absolute(e.line, tokens[0])
		if !ok {
			return
		}
		z.owner, tokens = z.kept(owner), tokens[1:]
	} else if z.owner == "" && z.toldNoOrigin {
		return // said already of the record above
	} else if z.owner == "" {
		z.fail(e.line, "an indented record takes the name of the record above it, and there is none")
		return
	}
	ttl, tokens, ok := z.header(e.line, tokens)
	if !ok {
		return
	}
	typ := strings.ToUpper(tokens[0])
	text := fmt.Sprintf("%s %d IN %s %s", z.owner, ttl, typ, strings.Join(tokens[1:], " "))
	if !z.checkData(e, typ, tokens[1:]) {
		return
	}
	z.parse(e.line, text, false)
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

// header takes TTL and class, in either order, off tokens; what is left begins
// with a known type that has data.
func (z *zoneReader) header(line int, tokens []string) (ttl int64, rest []string, ok bool) {
	ttl = -1
	class := false
	for len(tokens) > 0 {
		if t, isTTL := parseTTL(tokens[0]); isTTL && ttl < 0 {
			ttl = t
		} else if c, isClass := parseClass(tokens[0]); isClass && !class {
			if class = true; c != dns.ClassINET {
				z.fail(line, "class %s: only IN is served", tokens[0])
				return 0, nil, false
			}
		} else {
			break
		}
		tokens = tokens[1:]
	}
	if len(tokens) == 0 {
		z.fail(line, "no record type: expected [owner] [TTL] [class] type data")
		return 0, nil, false
	}
	if !knownType(tokens[0]) {
		z.fail(line, "%s is no record type: expected [owner] [TTL] [class] type data, and white space before the TTL, class or type when the owner is left out", short(tokens[0]))
		return 0, nil, false
	}
	if len(tokens) == 1 {
		z.fail(line, "%s without data", strings.ToUpper(tokens[0]))
		return 0, nil, false
	}
	switch {
	case ttl < 0 && z.ttl < 0:
		z.fail(line, "no TTL: put a $TTL line above, such as $TTL 3600")
		return 0, nil, false
	case ttl < 0:
		ttl = z.ttl
	case !z.ttlFrom:
		z.ttl = ttl // RFC 1035, Section 5.1: the last one stated
	}
	return ttl, tokens, true
}

// knownType reports whether a token is the type of a record that zones hold.
func knownType(token string) bool {
	token = strings.ToUpper(token)
	t, ok := dns.StringToType[token]
	if !ok {
		digits, generic := strings.CutPrefix(token, "TYPE") // RFC 3597, Section 5
		n, err := strconv.ParseUint(digits, 10, 16)
		if t = uint16(n); !generic || err != nil {
			return false
		}
	}
	// OPT and 128 to 255 are no data: meta types and question types (RFC 6895).
	return t != 0 && t != dns.TypeOPT && (t < 128 || t > 255)
}

// parseClass reads the class of a record.
func parseClass(token string) (uint16, bool) {
	if c, ok := dns.StringToClass[strings.ToUpper(token)]; ok {
		return c, c != dns.ClassANY
	}
	digits, generic := strings.CutPrefix(strings.ToUpper(token), "CLASS") // RFC 3597, Section 5
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), generic && err == nil
}

// parseTTL reads seconds, or BIND's units: 1h30m.
func parseTTL(token string) (int64, bool) {
	var total, n int64
	digits := false
	if token == "" {
		return 0, false
	}
	for i := range len(token) {
		c := token[i]
		if '0' <= c && c <= '9' {
			if n = n*10 + int64(c-'0'); n > 1<<31-1 {
				return 0, false // RFC 2181, Section 8
			}
			digits = true
			continue
		}
		unit, ok := map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}[c|0x20]
		if !ok || !digits {
			return 0, false
		}
		total, n, digits = total+n*unit, 0, false
		if total > 1<<31-1 {
			return 0, false
		}
	}
	return total + n, total+n <= 1<<31-1
}

// checkData finds what miekg's parser would let through, though no server would
// serve it, or would serve something else than was meant.
func (z *zoneReader) checkData(e entry, typ string, data []string) bool {
	if typ != "TXT" && typ != "SPF" {
		for _, token := range data {
			if strings.IndexFunc(token, func(r rune) bool { return r >= 0x80 }) >= 0 && token[0] != '"' {
				z.fail(e.line, "%s data %s has non-ASCII octets: write a name's A-label (xn--…)", typ, short(token))
				return false
			}
		}
		return true
	}
	unquoted := 0
	for _, token := range data {
		text := token
		if token[0] == '"' {
			text = token[1 : len(token)-1]
		} else {
			unquoted++
		}
		if n := len(txt.Join([]string{text})); n > 255 {
			z.fail(e.line, "%s string of %d octets: at most 255 fit (RFC 1035, Section 3.3); split it into several quoted strings", typ, n)
			return false
		}
	}
	if unquoted > 0 && len(data) > 1 {
		z.warn(e.line, "%s with unquoted words: %d strings, which readers join without spaces; put the text in quotes", typ, len(data))
	}
	if e.cutText {
		z.warn(e.line, "%s text ends at a ';', which begins a comment: put the text in quotes", typ)
	}
	return true
}

// parse has miekg/dns read one record, or one $GENERATE, in full.
func (z *zoneReader) parse(line int, text string, generated bool) {
	zp := dns.NewZoneParser(strings.NewReader(text+"\n"), z.origin, "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		if generated {
			z.made++
		}
		if z.made > maxGenerated {
			z.fail(line, "$GENERATE makes over %d records in all", maxGenerated)
			return
		}
		z.add(line, rr)
	}
	if err := zp.Err(); err != nil {
		z.fail(line, "%s", parseReason(err))
	}
}

// expectedData is what the types of mail servers have as data.
var expectedData = map[string]string{
	"A": "an IPv4 address", "AAAA": "an IPv6 address", "MX": "a preference and a host name",
	"SRV": "priority, weight, port and target", "SOA": "server, mailbox, serial, refresh, retry, expire and minimum",
	"PTR": "a host name", "CNAME": "a name", "NS": "a host name", "RP": "a mailbox and a name",
}

// parseReason is miekg's message without its own prefix and line number, and
// with what was expected where most mistakes are made.
func parseReason(err error) string {
	msg := strings.TrimPrefix(err.Error(), "dns: ")
	if i := strings.LastIndex(msg, " at line: "); i >= 0 {
		msg = msg[:i]
	}
	for typ, expected := range expectedData {
		if rest, ok := strings.CutPrefix(msg, "bad "+typ+" "); ok {
			_, got, _ := strings.Cut(rest, ": ")
			return fmt.Sprintf("%s: expected %s, got %s", typ, expected, got)
		}
	}
	if len(msg) > maxShown {
		msg = fmt.Sprintf("%.200s and so on", msg)
	}
	return msg
}

// add keeps a record in wire form, so that escapes, case of owners and limits are
// those of the DNS, not of the text.
func (z *zoneReader) add(line int, rr dns.RR) {
	owner, err := dnsname.Canonical(rr.Header().Name)
	if err != nil {
		z.fail(line, "%v", err)
		return
	}
	if owner == z.owner {
		owner = z.owner // one string for all records of a name
	}
	rr.Header().Name = owner
	size := dns.Len(rr) + 1
	if size > len(z.buf) {
		z.buf = make([]byte, size)
	}
	n, err := dns.PackRR(rr, z.buf[:size], 0, nil, false)
	if err != nil {
		z.fail(line, "%s %s: %s", owner, TypeString(rr.Header().Rrtype), parseReason(err))
		return
	}
	header := *rr.Header()
	z.records = append(z.records, zoneRecord{header, len(z.data), line, len(z.origins) - 1})
	z.data = append(z.data, z.buf[n-int(header.Rdlength):n]...)
	if len(z.used) > 0 {
		z.used[len(z.used)-1] = true
	}
}

// generate reads BIND's $GENERATE range owner [TTL] [class] type data. The
// header is written out, since miekg would give the records a TTL of its own.
func (z *zoneReader) generate(e entry) {
	args := e.tokens[1:]
	if len(args) < 4 {
		z.fail(e.line, "$GENERATE: expected range owner [TTL] [class] type data")
		return
	}
	if z.origin == "" {
		z.fail(e.line, "$GENERATE and no origin: put $ORIGIN above it")
		return
	}
	ttl, rest, ok := z.header(e.line, args[2:])
	if !ok || !z.checkData(e, strings.ToUpper(rest[0]), rest[1:]) {
		return
	}
	if _, ok := z.absolute(e.line, strings.ReplaceAll(args[1], "$", "0")); !ok && !strings.Contains(args[1], "{") {
		return
	}
	z.parse(e.line, fmt.Sprintf("$GENERATE %s %s %d IN %s", args[0], args[1], ttl, strings.Join(rest, " ")), true)
}

// maxGenerated is how many records the $GENERATE lines of a text may make: one
// line of a few octets makes as many as a network has addresses.
const maxGenerated = 1 << 17

// asZoneError returns the problems as an error, or nil.
func asZoneError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &ZoneError{problems}
}
