package resolver

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxGenerated is how many records the $GENERATE lines of a text may make: one
// line of a few octets makes as many as a network has addresses.
const maxGenerated = 1 << 17

// generate reads BIND's $GENERATE range owner [TTL] [class] type data. Data of several
// words are in quotes, which are not a part of them.
func (z *zoneReader) generate(e entry) {
	args := e.tokens[1:]
	if len(args) < 4 {
		z.fail(e.line, "$GENERATE: expected range owner [TTL] [class] type data")
		return
	}
	first, last, step, ok := parseRange(args[0].text)
	if !ok {
		z.fail(e.line, "$GENERATE: expected a range as in 1-254 or 0-100/2, got %s", args[0].shown())
		return
	}
	if e.parentheses {
		z.fail(e.line, "$GENERATE: expected no parentheses outside of quotes")
		return
	}
	ttl, rtype, data, ok := z.header(e.line, args[2:])
	if !ok || e.odd && !z.checkOdd(e.line, rtype, data) {
		return
	}
	if args[1].quoted {
		z.fail(e.line, "$GENERATE: expected an owner without quotes, got %s", args[1].shown())
		return
	}
	if len(data) != 1 {
		z.fail(e.line, "$GENERATE: expected the data as one word, got %d: put them in quotes, as in \"10 mail$\"", len(data))
		return
	}
	template := data[0].text
	if data[0].quoted {
		template = strings.ReplaceAll(template, `\"`, `"`) // quotes that are a part of the data
	}
	warnings := len(z.warnings)
	for i := first; i <= last; i += step {
		if z.made++; z.made > maxGenerated {
			z.fail(e.line, "$GENERATE makes over %d records in all", maxGenerated)
			return
		}
		if !z.generated(e.line, i, args[1].text, ttl, rtype, template) {
			return
		}
		if i == first {
			warnings = len(z.warnings)
		}
		z.warnings = z.warnings[:warnings] // those of one record are enough
	}
}

// generated adds the record of one step.
func (z *zoneReader) generated(line int, i int64, owner string, ttl int64, rtype uint16, template string) bool {
	failed := len(z.problems)
	name, err := expand(owner, i)
	if err == nil {
		template, err = expand(template, i)
	}
	if err != nil {
		z.fail(line, "$GENERATE: %v", err)
		return false
	}
	canonical, ok := z.absolute(line, name)
	if !ok {
		return false
	}
	made := entry{}
	cutEntries(" "+template, func(e entry) {
		made = e
		made.tokens = slices.Clone(e.tokens)
	})
	if made.problem != "" {
		z.fail(line, "$GENERATE: %s", made.problem)
		return false
	}
	made.line = line
	z.checkText(made, rtype, made.tokens, `the outer quotes are not a part of the data: write "\"text\""`)
	z.add(line, z.kept(canonical), ttl, rtype, made.tokens)
	return len(z.problems) == failed
}

// parseRange reads first-last or first-last/step.
func parseRange(text string) (first, last, step int64, ok bool) {
	span, by, stepped := strings.Cut(text, "/")
	from, to, ok := strings.Cut(span, "-")
	a, okA := parseNumber(from, math.MaxInt32)
	b, okB := parseNumber(to, math.MaxInt32)
	n, okN := uint64(1), true
	if stepped {
		n, okN = parseNumber(by, math.MaxInt32)
	}
	return int64(a), int64(b), int64(n), ok && okA && okB && okN && n > 0 && a <= b
}

// expand puts the number of a step in place of each $ and ${offset,width,base}; $$ is one
// dollar sign, and what a backslash is before stays.
func expand(template string, i int64) (string, error) {
	var b strings.Builder
	for at := 0; at < len(template); at++ {
		switch c := template[at]; {
		case c == '\\' && at+1 < len(template):
			b.WriteString(template[at : at+2])
			at++
		case c != '$':
			b.WriteByte(c)
		case strings.HasPrefix(template[at:], "$$"):
			b.WriteByte('$')
			at++
		case strings.HasPrefix(template[at:], "${"):
			modifier, _, closed := strings.Cut(template[at+2:], "}")
			number, ok := modified(modifier, i)
			if !closed || !ok {
				return "", fmt.Errorf("expected ${offset,width,base} with a base of d, o, x, X, n or N, got %s", short(template[at:]))
			}
			b.WriteString(number)
			at += len(modifier) + 2
		default:
			b.WriteString(strconv.FormatInt(i, 10))
		}
		if b.Len() > maxTemplate {
			return "", fmt.Errorf("%s makes a text of over %d octets", short(template), maxTemplate)
		}
	}
	return b.String(), nil
}

// maxTemplate is BIND's limit for a name or data that $GENERATE makes.
const maxTemplate = 2048

// modified writes a number as offset,width,base says, of which the last may be missing.
func modified(modifier string, i int64) (string, bool) {
	offset, rest, _ := strings.Cut(modifier, ",")
	width, base, based := strings.Cut(rest, ",")
	delta, err := strconv.ParseInt(offset, 10, 32)
	n, ok := parseNumber(width, 127) // BIND's room for a number
	if i += delta; err != nil || i > math.MaxInt32 || !ok && rest+base != "" || strings.HasSuffix(modifier, ",") {
		return "", false
	}
	switch base {
	case "":
		return fmt.Sprintf("%0*d", n, i), !based
	case "d":
		return fmt.Sprintf("%0*d", n, i), true
	case "o":
		return fmt.Sprintf("%0*o", n, uint32(i)), true
	case "x":
		return fmt.Sprintf("%0*x", n, uint32(i)), true
	case "X":
		return fmt.Sprintf("%0*X", n, uint32(i)), true
	case "n":
		return nibbles(i, int(n)), i >= 0
	case "N":
		return strings.ToUpper(nibbles(i, int(n))), i >= 0
	}
	return "", false
}

// nibbles writes a number as the labels of a reverse name in ip6.arpa, the lowest four bits
// first. The dots count in width.
func nibbles(i int64, width int) string {
	var b strings.Builder
	for i >= 0 {
		b.WriteString(strconv.FormatInt(i&0xf, 16))
		i, width = i>>4, width-1
		if i == 0 && width <= 0 {
			break
		}
		b.WriteByte('.')
		width--
		if i == 0 && width <= 0 {
			break
		}
	}
	return b.String()
}
