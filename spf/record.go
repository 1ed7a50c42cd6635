package spf

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/enum"
)

// A Record is an SPF record: its terms in the order of the text.
type Record struct {
	Terms []Term `json:"terms"`
}

// A Term is a mechanism or a modifier. Terms come from [Parse].
type Term struct {
	Kind      Kind         `json:"kind,omitzero"`
	Qualifier Status       `json:"qualifier,omitzero"` // what a mechanism says of those who match: Pass, Fail, SoftFail or Neutral; 0 for modifiers
	Len4      uint8        `json:"len4,omitzero"`      // prefix length of A and MX for IPv4 clients, 32 where there is none
	Len6      uint8        `json:"len6,omitzero"`      // the same for IPv6 clients, 128 where there is none
	Domain    string       `json:"domain,omitzero"`    // the domain-spec, its macros not expanded; "" where a, mx and ptr have none
	Prefix    netip.Prefix `json:"prefix,omitzero"`    // of IP4 and IP6, as written: host bits are kept
	Name      string       `json:"name,omitzero"`      // of a Modifier, as written: ra, rp and rr are those of RFC 6652
	Value     string       `json:"value,omitzero"`     // of a Modifier
	Text      string       `json:"text"`               // the whole term as written
	Offset    int          `json:"offset"`             // where it begins in the text of the record, in octets from 0
}

// Kind tells terms apart. The zero Kind is invalid.
type Kind uint8

// The kinds of terms (RFC 7208, Sections 5 and 6).
const (
	_        Kind = iota
	All           // everybody
	Include       // who passes by another domain's record
	A             // the addresses of a name
	MX            // the addresses of a name's mail exchangers
	PTR           // a confirmed reverse name; "SHOULD NOT be published" (Section 5.5)
	IP4           // an IPv4 network
	IP6           // an IPv6 network
	Exists        // a name, made of macros, that has an A record
	Redirect      // where nothing matches, another domain's record decides
	Exp           // where the explanation of a Fail is
	Modifier      // any other name=value, which has no part in the verdict
)

var kindText = []string{All: "all", Include: "include", A: "a", MX: "mx", PTR: "ptr", IP4: "ip4", IP6: "ip6", Exists: "exists",
	Redirect: "redirect", Exp: "exp", Modifier: "modifier"}

// String returns the word of RFC 7208, and "modifier" for those it does not know.
func (k Kind) String() string { return enum.String(k, kindText) }

// MarshalText returns the text of String; an invalid Kind is an error.
func (k Kind) MarshalText() ([]byte, error) { return enum.Marshal(k, kindText) }

// UnmarshalText accepts what MarshalText returns, in any case.
func (k *Kind) UnmarshalText(text []byte) error { return enum.Unmarshal(k, text, kindText) }

// looksUp reports whether a term counts toward the limit of look-ups (RFC 7208,
// Section 4.6.4).
func (k Kind) looksUp() bool {
	switch k {
	case Include, A, MX, PTR, Exists, Redirect:
		return true
	}
	return false
}

// qualifiers is how a mechanism's qualifier is written; a plus is left out.
var qualifiers = map[Status]string{Pass: "", Fail: "-", SoftFail: "~", Neutral: "?"}

// String returns the term in its shortest form, from its fields but for Text.
func (t Term) String() string {
	switch t.Kind {
	case Redirect, Exp:
		return t.Kind.String() + "=" + t.Domain
	case Modifier:
		return t.Name + "=" + t.Value
	}
	text := qualifiers[t.Qualifier] + t.Kind.String()
	switch t.Kind {
	case IP4, IP6:
		text += ":" + t.Prefix.Addr().String()
		if !t.Prefix.IsSingleIP() {
			text += "/" + strconv.Itoa(t.Prefix.Bits())
		}
		return text
	}
	if t.Domain != "" {
		text += ":" + t.Domain
	}
	if t.Kind == A || t.Kind == MX {
		if t.Len4 != 32 {
			text += "/" + strconv.Itoa(int(t.Len4))
		}
		if t.Len6 != 128 {
			text += "//" + strconv.Itoa(int(t.Len6))
		}
	}
	return text
}

// located returns the term with the record that it is in, and the path to that record.
func (t *Term) located(domain string, path []TermAt) TermAt {
	return TermAt{Text: t.Text, Offset: t.Offset, Kind: t.Kind, Qualifier: t.Qualifier, Domain: domain, Path: path}
}

// String returns the record as it is published, in its shortest form: Parse reads
// it as the same terms.
func (r *Record) String() string {
	var b strings.Builder
	b.WriteString(version)
	for _, t := range r.Terms {
		b.WriteByte(' ')
		b.WriteString(t.String())
	}
	return b.String()
}

// first returns the first term of a kind, or nil.
func (r *Record) first(kind Kind) *Term {
	for i := range r.Terms {
		if r.Terms[i].Kind == kind {
			return &r.Terms[i]
		}
	}
	return nil
}

// redirect returns the redirect that decides where no mechanism matches, or nil
// (RFC 7208, Section 6.1: any all, wherever it stands, makes it void).
func (r *Record) redirect() *Term {
	if r.first(All) != nil {
		return nil
	}
	return r.first(Redirect)
}
