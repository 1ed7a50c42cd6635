// Package rp reads and writes RP records (RFC 1183, Section 2), which name the persons
// responsible for a DNS name: each by a mailbox and by a text at another name.
//
// Call [Lookup] for the persons of a name with their texts. [ParseContact] reads a text
// in the form that the advice on mail servers gives. To publish, write an [Entry] as its
// RP record and a [Contact] as the TXT record that it points to.
//
// Records are not inherited by the names below. Nothing checks that a mailbox exists or
// that a text is true: quote it as untrusted text of its owner. Servers may change the
// case of names, so that a local part may come back in lower case.
//
// # Bounds
//
// A Lookup asks one question for the name, and one for each of [MaxPersons] persons
// at once: two round trips. Beside the answers, of at most 64 KiB each as DNS messages, it
// allocates less than 12 MiB in all, and returns less than 4 MiB. With the answers of a
// resolver.Client it returns less than 5 MiB. The work grows with the size of the answers,
// and takes about 30 ms of CPU time.
package rp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/jsonform"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// MaxPersons is for how many persons of a name Lookup asks for texts, in alphabetical order
// of mailbox and text name: anyone may write any number of records.
const MaxPersons = 10

// A Person is responsible for a name. It marshals to JSON and reads back: see package
// resolver.
type Person struct {
	Mailbox string   `json:"mailbox,omitzero"` // an address, as john.smith@example.org; "" for none, and for what is no address
	Text    string   `json:"text,omitzero"`    // the canonical name of the TXT records; "" for none
	Texts   []string `json:"texts,omitzero"`   // what they say, in alphabetical order, without the cut into strings
	// Err tells why there are no Texts where a name for them is given: a failure of
	// DNS, ErrDangling, or ErrTooManyPersons.
	Err      error             `json:"err,omitzero"`
	RR       *dns.RP           `json:"rr,omitzero"`       // the record; shared, read only
	Response resolver.Response `json:"response,omitzero"` // the question for the texts; zero when nothing was asked
}

// ErrDangling is the Err of a Person whose Text name has no TXT record.
var ErrDangling = errors.New("rp: there is no TXT record where the RP record points to")

// ErrTooManyPersons is the Err of a Person beyond MaxPersons, whose texts were not asked
// for.
var ErrTooManyPersons = errors.New("rp: the text was not looked up: the name has too many RP records")

// Lookup returns the persons of a name. None, and a nil error, means that nobody is
// named. An error means that there is no answer yet; what is not known of one person
// stands in the Person.
func Lookup(ctx context.Context, r resolver.Resolver, name string) ([]Person, error) {
	records, err := resolver.LookupRP(ctx, r, name)
	if err != nil {
		return nil, err
	}
	var persons []Person
	for _, rr := range records {
		p := Person{Mailbox: fromDomain(rr.Mbox), RR: rr}
		if text, err := dnsname.Canonical(rr.Txt); err == nil && text != "." { // "." means none
			p.Text = text
		}
		persons = append(persons, p)
	}
	order := func(a, b Person) int {
		return cmp.Or(cmp.Compare(a.Mailbox, b.Mailbox), dnsname.Compare(a.Text, b.Text))
	}
	slices.SortFunc(persons, order)
	persons = slices.CompactFunc(persons, func(a, b Person) bool { return order(a, b) == 0 })
	var named []*Person // with a name of texts
	var questions []resolver.Question
	for i := range persons {
		switch p := &persons[i]; {
		case p.Text == "":
		case len(named) == MaxPersons:
			p.Err = ErrTooManyPersons
		default:
			named = append(named, p)
			questions = append(questions, resolver.Question{Name: p.Text, Type: dns.TypeTXT})
		}
	}
	for i, response := range resolver.AskAll(ctx, r, questions...) {
		named[i].read(response)
	}
	return persons, nil
}

// read takes the texts of a person from the response.
func (p *Person) read(response resolver.Response) {
	p.Response = response
	if p.Response.Err != nil {
		p.Err = p.Response.Err
		return
	}
	for _, rr := range resolver.Records[*dns.TXT](p.Response.Answer) {
		p.Texts = append(p.Texts, txt.Join(rr.Txt))
	}
	slices.Sort(p.Texts)
	if len(p.Texts) == 0 {
		p.Err = fmt.Errorf("%w: %s: %s", ErrDangling, p.Text, p.Response.Status)
	}
}

// NamesSomebody reports whether the person can be found by the record: it has a mailbox, or a
// text that does not name nobody. It is false also if DNS gave no answer about the texts.
func (p Person) NamesSomebody() bool {
	return p.Mailbox != "" || slices.ContainsFunc(p.Texts, func(text string) bool { return !NamesNobody(text) })
}

// MarshalJSON writes the person with the evidence.
func (p Person) MarshalJSON() ([]byte, error) { return jsonform.Marshal(p.form()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Person) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, p.form()) }

// form replaces each field that encoding/json cannot write by one of another type.
func (p *Person) form() any {
	type plain Person
	return &struct {
		*plain
		RR  txt.JSON[*dns.RP] `json:"rr,omitzero"`
		Err jsonform.Error    `json:"err,omitzero"`
	}{(*plain)(p), txt.JSONAt(&p.RR), jsonform.ErrorAt(&p.Err)}
}

// Covers reports whether a published RP record says what a wanted one does: it points to the
// same text, and has the same mailbox unless the wanted one has none.
func Covers(published, wanted *dns.RP) bool {
	return dnsname.Same(published.Txt, wanted.Txt) && (wanted.Mbox == "." || dnsname.Same(published.Mbox, wanted.Mbox))
}
