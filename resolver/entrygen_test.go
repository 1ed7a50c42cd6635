package resolver_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// entryForms are the data of types, as words of entryWords.
var entryForms = map[string]string{
	"A": "ip4", "AAAA": "ip6", "NS": "name", "CNAME": "name", "DNAME": "name", "PTR": "name", "MX": "u16 name", "TXT": "texts", "SPF": "texts",
	"SRV": "u16 u16 u16 name", "RP": "name name", "HINFO": "text text", "MINFO": "name name", "AFSDB": "u16 name", "X25": "digits",
	"ISDN": "text maybetext", "RT": "u16 name", "NAPTR": "u16 u16 text text regexp name", "KX": "u16 name", "CERT": "cert u16 alg base64",
	"DS": "u16 alg digest", "CDS": "u16 alg digest", "DNSKEY": "keyflags proto alg base64", "CDNSKEY": "keyflags proto alg base64",
	"SSHFP": "u8 fingerprint", "TLSA": "u8 u8 u8 hex", "SMIMEA": "u8 u8 u8 hex", "NSEC": "name types", "NSEC3": "hash u8 u16 salt hashed types",
	"NSEC3PARAM": "hash u8 u16 salt", "CSYNC": "u32 u16 types", "RRSIG": "type alg u8 u32 time time u16 name base64", "CAA": "u8 tag text",
	"URI": "u16 u16 quoted", "LOC": "loc", "APL": "apl", "SVCB": "u16 name svc", "HTTPS": "u16 name svc", "OPENPGPKEY": "base64",
	"DHCID": "base64", "EUI48": "eui48", "EUI64": "eui64", "L32": "u16 ip4", "L64": "u16 locator", "LP": "u16 name", "NID": "u16 locator",
	"ZONEMD": "u32 u8 zonemd", "GPOS": "text text text", "WKS": "ip4 wks", "NSAP": "nsap", "IPSECKEY": "ipseckey", "PX": "u16 name name",
	"TALINK": "name name", "MB": "name", "MG": "name", "MR": "name", "NINFO": "texts", "AVC": "texts", "KEY": "keyflags proto alg base64",
	"AMTRELAY": "u8 relay", "DSYNC": "", "WALLET": "texts", "HHIT": "base64", "CLA": "texts",
	"NULL": "", "TYPE65280": "", "TYPE15": "u16 name", "type16": "texts",
}

// entryHead is the beginning of each zone of entries.
const entryHead = "$TTL 300\n@ SOA ns.other.test. h 1 2 3 4 5\n@ NS ns.other.test.\n"

var entryTypes = slices.Sorted(maps.Keys(entryForms))

// An entryGen makes entries of zone text: right ones in many spellings, and wrong ones.
type entryGen struct{ *rand.Rand }

func (g entryGen) of(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g entryGen) one(n int) bool { return g.IntN(n) == 0 }

func (g entryGen) hex(octets int) string {
	var b strings.Builder
	for range octets {
		fmt.Fprintf(&b, g.of("%02x", "%02X"), g.IntN(256))
	}
	return b.String()
}

// entry returns one line, whose owner has the label eN.
func (g entryGen) entry(n int) (rtype, line string) {
	if g.one(20) {
		return "$GENERATE", g.generate(n)
	}
	rtype = pick(g, entryTypes)
	data := g.data(rtype)
	owner := fmt.Sprintf("e%d", n)
	switch g.IntN(20) {
	case 0:
		owner = g.of(`a\.b.`, `\065.`, `A.`, `*.`, `_x.`, `\255.`, `\000.`, `\$.`, `\\.`, `\@.`, `a\032b.`, `a;b.`, `\256.`, `\1.`, `\25.`, `\25x.`, `a..`, `.`, `\[a.`) + owner
	case 1:
		owner += g.of(".z.test.", ".Z.test.", ".z.test", `\`, ".sub")
	case 2:
		owner = `"` + owner + `"`
	}
	header := g.of("", "", "", "IN", "in", "300", "1h", "IN 60", "60 IN", "1h30m IN", "0", "2W", "CLASS1", "class1 5")
	if g.one(60) {
		header = g.of("CH", "1h30", "4294967295", "4294967296", "IN IN", "60 60", "CLASS3", "h1", "-1", "3000000000", "ANY", "1hm", "1s1s")
	}
	name := rtype
	if g.one(10) {
		name = strings.ToLower(rtype)
	}
	line = strings.Join(strings.Fields(owner+" "+header+" "+name+" \x00"), " ")
	line = strings.TrimSuffix(line, "\x00")
	switch g.IntN(16) {
	case 0:
		data = "( " + data + " )"
	case 1:
		data += ` ; "a" ( comment`
	case 2:
		data = strings.ReplaceAll(data, " ", "\t ")
	case 3:
		data = "(" + data + ")"
	}
	return rtype, line + data
}

// generate returns a $GENERATE line.
func (g entryGen) generate(n int) string {
	modified := func() string {
		return g.of("$", "$", "${0}", "${10}", "${-1}", "${0,3}", "${0,3,d}", "${5,4,x}", "${5,2,X}", "${8,3,o}", "${16,3,n}", "${171,0,N}", "${0,2,n}",
			"$$", `\$`, "${", "${0,}", "${0,3,}", "${0,3,z}", "${x}", "${+2}", "${-5,2,x}", "x")
	}
	owner := fmt.Sprintf("e%d-%s", n, modified())
	data := g.of("PTR host"+modified(), "A 192.0.2.1"+modified(), `MX "10 mail`+modified()+`"`, "MX 10 mail$", `TXT "a b"`, `TXT "\"a b\" $"`, "TXT "+modified(),
		`TXT ""`, `TXT "a;b"`, `TXT "a(b c)"`, `TXT "a(b"`, "AAAA 2001:db8::$", "CNAME a."+modified()+".x", `SRV "0 0 25 mail$"`, "ANY x", `"A" 192.0.2.1`, `RP "a$ ."`, `HINFO "a$ b"`, "A")
	return fmt.Sprintf("$GENERATE %s %s %s%s", g.of("1-3", "0-4/2", "1-1", "3-1", "1-3/0", "x", "1", "001-2"), owner, g.of("", "", "IN ", "60 ", "60 IN ", "CH "), data)
}

// data makes the data of a type, at times with a fault.
func (g entryGen) data(rtype string) string {
	if entryForms[rtype] == "" || g.one(12) {
		return g.generic()
	}
	var words []string
	for kind := range strings.FieldsSeq(entryForms[rtype]) {
		word := g.word(kind)
		if g.one(30) {
			word = g.fault(word)
		}
		words = append(words, word)
	}
	switch g.IntN(40) {
	case 0:
		words = words[:len(words)-1]
	case 1:
		words = append(words, g.of("x", "1", `"x"`, "00", `""`))
	case 2:
		words = append(words[:1], words...)
	}
	return strings.Join(words, " ")
}

// fault changes a word.
func (g entryGen) fault(word string) string {
	at := g.IntN(len(word) + 1)
	switch g.IntN(8) {
	case 0:
		return `"` + strings.ReplaceAll(word, `"`, "") + `"`
	case 1:
		return strings.ReplaceAll(word, `"`, "")
	case 2:
		return g.of("x", "-1", "65536", "256", "4294967296", "99999999999999999999", "0x10", "@", ".", `""`, "1.5", "+1", `\049`, "00007", `\#`, "a..b", strings.Repeat("a", 64), strings.Repeat("abcdefgh.", 32))
	case 3:
		return word[:at] + g.of(`\256`, `\1`, `\25`, `\999`, `\000`, `\255`, `\a`, `\;`, `\"`, `\\`, `\(`, `\ `, `\[`) + word[at:]
	case 4:
		return word[:at]
	case 5:
		return word + word
	case 6:
		return word[:at] + g.of(`"`, "(", ")", ";", "'", "$", "@", "\xc2\xa0", "\xe9", "\u201c", "[", "=", ",") + word[at:]
	}
	return strings.ToUpper(word)
}

// generic makes data as RFC 3597, Section 5, writes them, of some type or none.
func (g entryGen) generic() string {
	data := g.of("", "00", "000a", "000a00", "000a046d61696c00", "c0000201", "20010db8000000000000000000000001", "046d61696c00",
		"046d61696c00046d61696c00", "000100020019046d61696c00", "03616263", "0361626303646566", "03616263036465", "000ac00c", "0061626364", "00056973737565", "0000",
		"0001020304", "00070103"+g.hex(g.IntN(24)), g.hex(g.IntN(40)), "00000001000000010000", "0000000100030003600000")
	size := len(data) / 2
	if g.one(12) {
		size += g.of2(-1, 1, 100, 65536)
	}
	if len(data) > 4 && g.one(6) {
		at := g.IntN(len(data))
		data = data[:at] + " " + data[at:]
	}
	if g.one(40) {
		data += g.of("0", "zz", " 00", ` "00"`)
	}
	return strings.TrimSpace(fmt.Sprintf(`\# %d %s`, size, data))
}

func (g entryGen) of2(choices ...int) int { return choices[g.IntN(len(choices))] }

// word makes a right word, at times in an unusual spelling.
func (g entryGen) word(kind string) string {
	number := func(most int) string {
		return g.of("0", "1", "10", fmt.Sprint(most), fmt.Sprint(g.IntN(most+1)), fmt.Sprint(g.IntN(256)), "007")
	}
	switch kind {
	case "u8":
		return number(255)
	case "u16":
		return number(65535)
	case "u32":
		return number(1<<32 - 1)
	case "name":
		return g.of("mail", "mail.z.test.", "a.b.c", "@", ".", `a\.b`, `a\046b`, "MAIL", `\m\a\i\l`, "x_y", "192.0.2.25", "xn--mxa", `a\032b`, `\195\169.x`, "*", "mail.other.test.", `a\"b`, `\@`, "1", "a'b", `$x`, "a:b/c")
	case "ip4":
		return g.of("192.0.2.1", "198.51.100.255", "203.0.113.0")
	case "ip6":
		return g.of("2001:db8::1", "2001:DB8::1", "::ffff:192.0.2.1", "::", "2001:db8:0:0:0:0:0:1", "2001:db8::192.0.2.1")
	case "text", "quoted":
		text := g.of("", "a", "v=spf1 -all", `a\"b`, `a\\`, `\195\169`, "\u00e9", "a;b", "(x)", strings.Repeat("x", 255), `\;`, "$", "\u201cx\u201d")
		if kind == "text" && g.one(4) {
			text = g.of("a", "v=spf1", `a\"b`, `\000`, "x=y", `\;`, "a'b", "$", "caf\u00e9", "@")
			return text
		}
		return `"` + text + `"`
	case "maybetext":
		return g.of("", g.word("text"))
	case "texts":
		words := []string{g.word("text")}
		for g.one(2) {
			words = append(words, g.word("text"))
		}
		return strings.Join(words, g.of(" ", " ", " ", "", "\t"))
	case "digits":
		return g.of("311061700956", `"311061700956"`, "1234")
	case "regexp":
		return g.of(`""`, `"!^.*$!sip:a@b.test!"`, `"!a!b!i"`)
	case "tag":
		return g.of("issue", "issuewild", "IODEF", "x1")
	case "eui48":
		return g.of("00-00-5e-00-53-2a", "00-00-5E-00-53-2A")
	case "eui64":
		return "00-00-5e-ef-10-00-00-2a"
	case "locator":
		return g.of("0014:4fff:ff20:ee64", "14:4FFF:0:1", "0:0:0:0")
	}
	return g.secWord(kind)
}

// secWord makes the words of DNSSEC and its neighbors, and those of odd types.
func (g entryGen) secWord(kind string) string {
	switch kind {
	case "alg":
		return g.of("8", "13", "RSASHA256", "ecdsap256sha256", "ED25519", "NSEC3RSASHA1", "0", "255", "PRIVATEOID")
	case "cert":
		return g.of("1", "PKIX", "pgp", "OID", "65535", "IPGP")
	case "keyflags":
		return g.of("256", "257", "0", "ZONE")
	case "proto":
		return g.of("3", "3", "3", "DNSSEC", "0")
	case "hash":
		return g.of("1", "1", "1", "SHA-1")
	case "base64":
		return g.of("AQID", "AQIDBA==", "AQ ID", "AQIDBA= =", "A QIDB AUG", "AA==")
	case "hex":
		return g.of("00", g.hex(32), "ab cd", "a bc d", g.hex(20))
	case "digest":
		return g.of("1 "+g.hex(20), "2 "+g.hex(32), "SHA-256 "+g.hex(32), "4 "+g.hex(48), "99 00", "2 "+g.hex(16)+" "+g.hex(16), "2 "+g.hex(31), "1 "+g.hex(21), "0 00")
	case "fingerprint":
		return g.of("1 "+g.hex(20), "2 "+g.hex(32), "3 00", "2 "+g.hex(31), "1 "+g.hex(32))
	case "zonemd":
		return g.of("1 "+g.hex(48), "2 "+g.hex(64), "3 "+g.hex(12), "3 "+g.hex(11), "1 "+g.hex(47))
	case "salt":
		return g.of("-", "aabb", "AABBCCDD", "00")
	case "hashed":
		return g.of("2t7b4g4vsa5smi47k61mv5bv1a22bojr", "2T7B4G4VSA5SMI47K61MV5BV1A22BOJR")
	case "types":
		return g.of("A MX RRSIG NSEC", "NSEC RRSIG A", "A NS SOA MX TXT RRSIG NSEC DNSKEY TYPE1234", "CAA A", "a mx", "TYPE65535", "A A", "")
	case "type":
		return g.of("A", "MX", "TYPE1234", "soa", "DNSKEY")
	case "time":
		return g.of("20301231235959", "19700101000000", "1", "4294967295", "20240229120000", "21060207062815")
	case "loc":
		return g.of("51 30 12.748 N 0 7 39.611 W 0.00m 0.00m 0.00m 0.00m", "52 14 05 N 00 08 50 E 10m", "42 21 54 N 71 06 18 W -24m 30m", "1 N 1 E 1", "60 9 N 24 39 E 10m 20m 2000m 20m", "91 N 1 E 1m", "1 N 1 E")
	case "apl":
		return g.of("1:192.0.2.0/24", "!1:192.0.2.0/25 2:2001:db8::/32", "", "1:192.0.2.0/33", "3:x/1")
	case "svc":
		return g.of("", "alpn=h2", `alpn="h2,h3"`, "port=443 ipv4hint=192.0.2.1", "key667=x", "key65535=x", `key667="a b"`, "mandatory=port port=25", "no-default-alpn", "ech=AQID", "port=x")
	case "wks":
		return g.of("6 25", "TCP smtp", "17 53 80", "udp domain", "6")
	case "nsap":
		return g.of("0x47.0005.80.005a00.0000.0001.e133.ffffff000162.00", "0x00", "47")
	case "relay":
		return g.of("0 0 .", "1 0 .", "0 1 192.0.2.38", "1 1 192.0.2.38", "1 2 2001:db8::1", "1 3 mail.z.test.", "0 3 mail.z.test.", "2 0 .", "1 1 x", "1 3", "1 3 mail")
	case "ipseckey":
		return g.of("10 0 2 . AQID", "10 1 2 192.0.2.38 AQID", "10 2 2 2001:db8::1 AQID", "10 3 2 mail.z.test. AQID", "10 9 2 x AQID")
	}
	panic("no such word: " + kind)
}
