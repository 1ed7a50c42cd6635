package resolver

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/txt"
)

// A dataForm says how the data of a type are written. Without an example, mail does not use
// the type: data in another form than that of the fields are kept unread.
type dataForm struct {
	example string
	fields  []field
}

var (
	nameForm = dataForm{"mail.example.test.", []field{name}}
	textForm = dataForm{`"v=spf1 -all"`, []field{allStrings}}
	dsForm   = dataForm{"12345 13 2 and a digest", []field{uint16Field, algorithm, digestType, digest(1, map[byte]int{1: 20, 2: 32, 4: 48})}}
	keyForm  = dataForm{"257 3 13 and a key", []field{keyFlag, protocol, algorithm, base64Data}}
	tlsaForm = dataForm{"3 1 1 and a digest", []field{uint8Field, uint8Field, uint8Field, digest(1, nil)}}
	hostForm = dataForm{"10 mail.example.test.", []field{uint16Field, name}}
	nodeForm = dataForm{"10 0014:4fff:ff20:ee64", []field{uint16Field, groups(4, 4, ":")}}
)

// forms are the types whose data are read here, as BIND 9.18 reads them: all that mail uses,
// and those of others that are as simple. What a server would refuse is refused.
var forms = map[uint16]dataForm{
	dns.TypeA:     {"192.0.2.10", []field{ipv4}},
	dns.TypeAAAA:  {"2001:db8::10", []field{ipv6}},
	dns.TypeCNAME: nameForm,
	dns.TypeDNAME: nameForm,
	dns.TypeMX:    hostForm,
	dns.TypeNS:    nameForm,
	dns.TypePTR:   nameForm,
	dns.TypeRP:    {"hostmaster.example.test. contact.example.test.", []field{name, name}},
	dns.TypeSOA: {"ns.example.test. hostmaster.example.test. 2026010100 7200 900 1209600 300",
		[]field{name, name, uint32Field, seconds, seconds, seconds, seconds}},
	dns.TypeSPF: textForm,
	dns.TypeSRV: {"1 2 25 mail.example.test.", []field{uint16Field, uint16Field, uint16Field, name}},
	dns.TypeTXT: textForm,

	dns.TypeAFSDB:      hostForm,
	dns.TypeAVC:        textForm,
	dns.TypeCAA:        {`0 issue "ca.example"`, []field{uint8Field, propertyTag, longString}},
	dns.TypeCDNSKEY:    keyForm,
	dns.TypeCDS:        dsForm,
	dns.TypeCERT:       {"PKIX 12345 8 and a certificate", []field{certType, uint16Field, algorithm, base64Data}},
	dns.TypeCSYNC:      {"2026010100 3 A NS AAAA", []field{uint32Field, uint16Field, typeMap(0)}},
	dns.TypeDHCID:      {"an identifier in base64", []field{base64Data}},
	dns.TypeDLV:        dsForm,
	dns.TypeDNSKEY:     keyForm,
	dns.TypeDS:         dsForm,
	dns.TypeEUI48:      {"00-00-5e-00-53-2a", []field{groups(6, 2, "-")}},
	dns.TypeEUI64:      {"00-00-5e-ef-10-00-00-2a", []field{groups(8, 2, "-")}},
	dns.TypeGPOS:       {"-32.6882 116.8652 10.0", []field{oneString, oneString, oneString}},
	dns.TypeHINFO:      {`"AMD64" "Linux"`, []field{oneString, oneString}},
	dns.TypeISDN:       {`"150862028003217" "004"`, []field{oneString, maybeString}},
	dns.TypeKX:         hostForm,
	dns.TypeL32:        {"10 10.1.2.0", []field{uint16Field, ipv4}},
	dns.TypeL64:        nodeForm,
	dns.TypeLP:         hostForm,
	dns.TypeMB:         nameForm,
	dns.TypeMG:         nameForm,
	dns.TypeMINFO:      {"hostmaster.example.test. errors.example.test.", []field{name, name}},
	dns.TypeMR:         nameForm,
	dns.TypeNAPTR:      {`10 10 "S" "SIP+D2U" "" _sip._udp.example.test.`, []field{uint16Field, uint16Field, oneString, oneString, oneString, name}},
	dns.TypeNID:        nodeForm,
	dns.TypeNINFO:      textForm,
	dns.TypeNSAPPTR:    nameForm,
	dns.TypeNSEC:       {"next.example.test. A MX RRSIG NSEC", []field{name, typeMap(1)}},
	dns.TypeNSEC3:      {"1 1 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A MX RRSIG", []field{hash, uint8Field, uint16Field, salt, hashedName, typeMap(0)}},
	dns.TypeNSEC3PARAM: {"1 0 0 -", []field{hash, uint8Field, uint16Field, salt}},
	dns.TypeOPENPGPKEY: {"a key in base64", []field{base64Data}},
	dns.TypePX:         {"10 a.example.test. b.example.test.", []field{uint16Field, name, name}},
	dns.TypeRRSIG: {"MX 13 2 300 20301231235959 20301201235959 12345 example.test. and a signature",
		[]field{coveredType, algorithm, uint8Field, uint32Field, moment, moment, uint16Field, signer, base64Data}},
	dns.TypeRT:     hostForm,
	dns.TypeSMIMEA: tlsaForm,
	dns.TypeSSHFP:  {"4 2 and a fingerprint", []field{uint8Field, uint8Field, digest(1, map[byte]int{1: 20, 2: 32})}},
	dns.TypeTA:     dsForm,
	dns.TypeTALINK: {"a.example.test. b.example.test.", []field{name, name}},
	dns.TypeTLSA:   tlsaForm,
	dns.TypeURI:    {`10 1 "https://www.example.test/"`, []field{uint16Field, uint16Field, quotedString}},
	dns.TypeX25:    {"311061700956", []field{digits}},
	dns.TypeAPL:    {"", []field{prefixes}},
	dns.TypeKEY:    {"", keyForm.fields},
	dns.TypeLOC:    {"", []field{location}},
	typeNSAP:       {"", []field{accessPoint}},
	dns.TypeZONEMD: {"2026010100 1 1 and a digest", []field{uint32Field, uint8Field, uint8Field, digest(12, map[byte]int{1: 48, 2: 64})}},
}

// A dataReader reads the data of one record at a time.
type dataReader struct {
	tokens []token
	origin []byte // in wire form; empty while there is none
	out    []byte // what was read; those of the record begin at start
	start  int
	last   token // the last one that was taken
	cause  error // why a field could not be read, where it knows
	// relative are the names of the record that the origin completes.
	relative []string
}

// next takes the next token off those that are left; the zero token if there is none.
func (d *dataReader) next() token {
	if d.last = (token{}); len(d.tokens) > 0 {
		d.last, d.tokens = d.tokens[0], d.tokens[1:]
	}
	return d.last
}

// rest takes all words that are left as one; a string in quotes is not one of them.
func (d *dataReader) rest() string {
	var b strings.Builder
	for len(d.tokens) > 0 {
		if t := d.next(); t.quoted {
			return `"`
		}
		b.WriteString(d.last.text)
	}
	return b.String()
}

func (d *dataReader) name(text string) bool {
	if isOdd(text) { // servers would serve these octets, and nobody would ask for them
		return false
	}
	if text == "@" {
		text = ""
	}
	if text == "" || text[len(text)-1] != '.' || !dns.IsFqdn(text) {
		if len(d.origin) == 0 {
			d.cause = errors.New("it is relative and there is no origin: put $ORIGIN above it")
			return false
		}
		if text == "" {
			d.out = append(d.out, d.origin...)
			return true
		}
		d.relative = append(d.relative, text)
	}
	d.out, d.cause = dnsname.AppendWire(d.out, text, d.origin)
	return d.cause == nil
}

// charString reads a string of at most 255 octets.
func (d *dataReader) charString() bool {
	if len(d.tokens) == 0 {
		d.next()
		return false
	}
	at := len(d.out)
	d.out = append(d.out, 0)
	if !d.text(d.next()) {
		return false
	}
	if n := len(d.out) - at - 1; n > 255 {
		d.cause = fmt.Errorf("%d octets, at most 255 fit (RFC 1035, Section 3.3): split it into several strings in quotes", n)
		return false
	}
	d.out[at] = byte(len(d.out) - at - 1)
	return true
}

// text appends the octets that a token means.
func (d *dataReader) text(t token) bool {
	rest := t.text
	for i := strings.IndexByte(rest, '\\'); i >= 0; i = strings.IndexByte(rest, '\\') {
		octet, size := dnsname.Unescape(rest[i:])
		if size == 0 {
			d.cause = escapeError(rest[i:])
			return false
		}
		d.out = append(append(d.out, rest[:i]...), octet)
		rest = rest[i+size:]
	}
	d.out = append(d.out, rest...)
	return true
}

func escapeError(text string) error {
	return fmt.Errorf("%#.4q is not an escape, which is a backslash before three digits up to 255 or before another character", text)
}

// errUnread is the cause for data of a type that is not read here, in a form that
// miekg/dns does not know either.
var errUnread = errors.New("data in a form that is not known here")

// read appends the wire form of data to those before. It returns errUnread for data which
// may be right though they cannot be read.
func (d *dataReader) read(rtype uint16, tokens []token) error {
	d.tokens, d.start, d.last, d.cause, d.relative = tokens, len(d.out), token{}, nil, d.relative[:0]
	form, known := forms[rtype]
	var err error
	switch {
	case isGeneric(rtype, tokens):
		err = d.generic(rtype)
	case known && form.example != "":
		err = d.fields(form)
	case badEscape(tokens) != "":
		err = escapeError(badEscape(tokens))
	case known && d.fields(form) != nil:
		err = errUnread
	case !known && dns.TypeToString[rtype] == "" && !slices.Contains(slices.Collect(maps.Values(moreTypes)), rtype):
		err = fmt.Errorf(`%s is a type that nobody knows: write its data as \# and octets (RFC 3597, Section 5)`, TypeString(rtype))
	case !known:
		err = d.rare(rtype)
	}
	if err == nil && len(d.out)-d.start > math.MaxUint16 {
		err = fmt.Errorf("%d octets of data: a record holds at most %d", len(d.out)-d.start, math.MaxUint16)
	}
	if err != nil {
		d.out = d.out[:d.start]
	}
	return err
}

func (d *dataReader) fields(form dataForm) error {
	for _, f := range form.fields {
		d.last = token{}
		if f.read(d) {
			continue
		}
		got := "the end of the data"
		if d.last != (token{}) {
			got = d.last.shown()
		}
		if isOdd(d.last.text) && !d.last.quoted {
			return fmt.Errorf("%s has non-ASCII octets: %s", got, oddRemedy(d.last.text))
		}
		if d.cause != nil {
			return fmt.Errorf("%s: %w", got, d.cause)
		}
		return fmt.Errorf("expected %s, got %s; write it as in %s", f.expected, got, form.example)
	}
	if len(d.tokens) > 0 {
		return fmt.Errorf("expected nothing more, got %s; write it as in %s", d.tokens[0].shown(), form.example)
	}
	return nil
}

// isGeneric reports whether data are written as RFC 3597, Section 5, says. In TXT data
// without a number behind it a \# is text.
func isGeneric(rtype uint16, data []token) bool {
	if len(data) == 0 || data[0].quoted || data[0].text != `\#` {
		return false
	}
	if rtype != dns.TypeTXT {
		return true
	}
	if len(data) < 2 || data[1].quoted {
		return false
	}
	_, isNumber := parseNumber(data[1].text, math.MaxUint32)
	return isNumber
}

// generic reads data as RFC 3597, Section 5, writes them.
func (d *dataReader) generic(rtype uint16) error {
	d.next()
	t := d.next()
	length, ok := parseNumber(t.text, math.MaxUint16)
	if !ok || t.quoted {
		return fmt.Errorf(`\# %s: expected the number of octets`, t.shown())
	}
	out, err := hex.AppendDecode(d.out, []byte(d.rest()))
	if err != nil || len(out)-d.start != int(length) {
		return fmt.Errorf(`\# %d: expected %d octets in hexadecimal digits behind it`, length, length)
	}
	d.out = out
	if validData(rtype, out[d.start:]) {
		return nil
	}
	err = fmt.Errorf(`\# %d: these octets are not %s data (RFC 3597, Section 5)`, length, TypeString(rtype))
	if example := forms[rtype].example; example != "" {
		err = fmt.Errorf("%w; write them as in %s", err, example)
	}
	return err
}

// validData reports whether data in wire form can be those of a type.
func validData(rtype uint16, data []byte) bool {
	form, known := forms[rtype]
	if known && (form.example != "" || len(data) == 0) {
		at := 0
		for _, f := range form.fields {
			if at = f.end(data, at); at < 0 {
				return false
			}
		}
		return at == len(data)
	}
	return len(data) > 0 || rtype == dns.TypeNULL || dns.TypeToString[rtype] == ""
}

// rare has miekg/dns read the data of a type that is not among the forms.
func (d *dataReader) rare(rtype uint16) error {
	origin := ""
	if len(d.origin) > 0 {
		origin, _, _ = dns.UnpackDomainName(d.origin, 0)
	}
	zp := dns.NewZoneParser(strings.NewReader(". 0 IN "+TypeString(rtype)+" "+written(d.tokens)+"\n"), origin, "")
	rr, ok := zp.Next()
	if !ok || rr.Header().Rrtype != rtype {
		return errUnread
	}
	relay, isRelay := rr.(*dns.AMTRELAY)
	discovery := isRelay && relay.GatewayType&0x80 != 0
	if discovery { // RFC 8777, Section 4.2.3: miekg/dns leaves the relay out where this bit is set
		relay.GatewayType &= 0x7f
	}
	packed, err := txt.Wire(rr)
	if err != nil {
		return errUnread
	}
	if discovery {
		packed[1] |= 0x80
	}
	d.out = append(d.out, packed...)
	return nil
}
