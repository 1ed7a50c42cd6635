package resolver

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
)

// encodingProblem says why a text cannot be read at all, "" for one that can: each of its
// lines would be wrong, and no message about one of them says why.
func encodingProblem(text string) string {
	start := text[:min(len(text), 1024)]
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"), strings.Count(start, "\x00") > len(start)/4:
		return "UTF-16 text: save the file as ASCII or UTF-8"
	case strings.Contains(text, "\r") && !strings.Contains(text, "\n"):
		return "lines end with carriage returns (CR) alone: end each line with LF, or with CR LF"
	}
	return ""
}

func isOdd(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 || r == 0 }) >= 0
}

// oddRemedy says what to write in place of the characters of a text that are not ASCII:
// programs put in spaces and quotes that look like plain ones.
func oddRemedy(text string) string {
	for i, r := range text {
		if r == utf8.RuneError {
			r = map[byte]rune{0xa0: '\u00a0', 0x91: '\u2018', 0x92: '\u2019', 0x93: '\u201c', 0x94: '\u201d'}[text[i]] // Windows-1252
		}
		switch {
		case r == '\u00a0':
			return "it has a no-break space (U+00A0), write a plain space"
		case unicode.IsSpace(r) && r >= 0x80, r >= 0x200b && r <= 0x200f, r == '\ufeff':
			return fmt.Sprintf("it has a space that is not a plain one (%U), write a plain space or nothing", r)
		case r >= 0x2018 && r <= 0x201f, r == '\u00ab', r == '\u00bb':
			return fmt.Sprintf(`it has a curly quote (%U), write a plain one (")`, r)
		}
	}
	if strings.IndexByte(text, 0) >= 0 {
		return `it has a NUL octet, remove it or write \000`
	}
	return "write a name's A-label (xn--…)"
}

// checkOdd refuses words with a NUL octet, and warns about others that are not ASCII in text,
// where they are meant now and then. What reads names refuses them.
func (z *zoneReader) checkOdd(line int, rtype uint16, data []token) bool {
	for _, t := range data {
		switch {
		case t.quoted || !isOdd(t.text):
		case strings.IndexByte(t.text, 0) >= 0:
			z.fail(line, "%s data %s: %s", TypeString(rtype), t.shown(), oddRemedy(t.text))
			return false
		case isText(rtype) && !strings.HasPrefix(oddRemedy(t.text), "write"):
			z.warn(line, "%s data %s: %s", TypeString(rtype), t.shown(), oddRemedy(t.text))
		}
	}
	return true
}

func isText(rtype uint16) bool { return rtype == dns.TypeTXT || rtype == dns.TypeSPF }

// checkText warns about text that is not in quotes, of which readers get something else
// than was meant.
func (z *zoneReader) checkText(e entry, rtype uint16, data []token, remedy string) {
	if !isText(rtype) || isGeneric(rtype, data) {
		return
	}
	unquoted := false
	for _, t := range data {
		unquoted = unquoted || !t.quoted
	}
	if unquoted && len(data) > 1 {
		z.warn(e.line, "%s with unquoted words: %d strings, which readers join without spaces; %s", TypeString(rtype), len(data), remedy)
	}
	if e.cutText {
		z.warn(e.line, "%s text ends at a ';', which begins a comment: %s", TypeString(rtype), remedy)
	}
}

// checkOrigin warns about an $ORIGIN that another one completes.
func (z *zoneReader) checkOrigin(line int, written, origin string) {
	if written != "@" && !dns.IsFqdn(written) {
		z.warn(line, "$ORIGIN %s has no final dot: it means %s", short(written), origin)
	}
}

// checkRelative warns about a name without a final dot that ends with the origin already.
func (z *zoneReader) checkRelative(line int, what, name string) {
	origin := strings.TrimSuffix(z.origin, ".")
	cut := len(name) - len(origin)
	if origin == "" || cut < 0 || !strings.EqualFold(name[cut:], origin) || cut > 0 && name[cut-1] != '.' {
		return
	}
	z.warn(line, "%s %s has no final dot: it means %s.%s, write %s. for the name itself", what, short(name), name, z.origin, name)
}

// checkTargets warns about names in data that hardly mean what they say.
func (z *zoneReader) checkTargets(line int, rtype uint16, data []token) {
	reverse := rtype == dns.TypePTR && (dnsname.Under(z.origin, "in-addr.arpa.") || dnsname.Under(z.origin, "ip6.arpa."))
	for _, name := range z.data.relative {
		if reverse {
			z.warn(line, "PTR target %s has no final dot: it means %s.%s", short(name), name, z.origin)
			continue
		}
		z.checkRelative(line, TypeString(rtype)+" name", name)
	}
	switch rtype {
	case dns.TypeMX, dns.TypeNS, dns.TypeSRV, dns.TypeCNAME, dns.TypePTR:
	default:
		return
	}
	target := strings.TrimSuffix(data[len(data)-1].text, ".")
	if _, err := netip.ParseAddr(target); err == nil {
		z.warn(line, "%s target %s is an address, which is taken for a name: give a host name, and the address in its A or AAAA record", TypeString(rtype), short(target))
	}
}
