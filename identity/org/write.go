package org

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Comment is something about a value of a description, for those who read it.
type Comment struct {
	Path string // as in a Problem: "mtas[0].helo"; "" for the whole. The value may be missing
	Text string // on any number of lines; what it says need not be trusted
}

// WriteYAML writes a description in the form that Parse reads, each comment above the
// value that it is about, or where that would stand. Parse returns the same description,
// in the form that it gives to names.
//
// The error is that of [Organization.Validate], of w, or says what Parse would not read:
// text that is not UTF-8, or too much of it.
func (o *Organization) WriteYAML(w io.Writer, comments ...Comment) error {
	if err := o.Validate(); err != nil {
		return err
	}
	y := yamlWriter{comments: make(map[string][]string)}
	for _, c := range comments {
		y.comments[c.Path] = append(y.comments[c.Path], c.Text)
	}
	y.organization(o)
	for _, c := range comments { // of values that there are none of
		y.comment(0, c.Path, c.Path+": ")
	}
	if _, err := Parse("", y.Bytes()); err != nil {
		return fmt.Errorf("org: what was written cannot be read: %w", err)
	}
	_, err := w.Write(y.Bytes())
	return err
}

// A yamlWriter collects the lines of a description.
type yamlWriter struct {
	bytes.Buffer
	comments map[string][]string // by path; those written are taken out
}

// maxColumn is where the lines of comments are broken.
const maxColumn = 90

// comment writes the comments on a path. Their text may be anybody's: it stays in them.
func (y *yamlWriter) comment(indent int, path, before string) {
	for _, text := range y.comments[path] {
		for line := range strings.SplitSeq(before+text, "\n") {
			start := strings.Repeat(" ", indent) + "#"
			out := start
			for _, word := range strings.Fields(untrusted.Line(line)) {
				if len(out) > len(start) && len(out)+1+len(word) > maxColumn {
					fmt.Fprintln(y, out)
					out = start
				}
				out += " " + word
			}
			fmt.Fprintln(y, out)
		}
	}
	delete(y.comments, path)
}

// field writes a key with its value, which is YAML already, or nothing for "".
func (y *yamlWriter) field(indent int, path, key, value string) {
	y.comment(indent, path, "")
	if value != "" {
		fmt.Fprintf(y, "%*s%s: %s\n", indent, "", key, value)
	}
}

// list writes a key with values below it, each YAML already, or nothing for none.
func (y *yamlWriter) list(indent int, path, key string, values []string) {
	y.comment(indent, path, "")
	if len(values) > 0 {
		fmt.Fprintf(y, "%*s%s:\n", indent, "", key)
	}
	for i, value := range values {
		y.comment(indent+2, fmt.Sprintf("%s[%d]", path, i), "")
		fmt.Fprintf(y, "%*s- %s\n", indent+2, "", value)
	}
}

// item writes the first key of a mapping in a list.
func (y *yamlWriter) item(path, key, value string) {
	y.comment(2, path, "")
	y.comment(2, path+"."+key, "")
	fmt.Fprintf(y, "  - %s: %s\n", key, value)
}

func (y *yamlWriter) organization(o *Organization) {
	y.comment(0, "", "")
	y.field(0, "domain", "domain", name(o.Domain))
	y.comment(0, "mtas", "")
	y.WriteString("mtas:\n")
	for i, m := range o.MTAs {
		path := fmt.Sprintf("mtas[%d]", i)
		y.item(path, "id", scalar(m.ID))
		y.field(4, path+".addresses", "addresses", flow(each(m.Addresses, addr)))
		y.field(4, path+".ptr", "ptr", name(m.PTR))
		y.field(4, path+".helo", "helo", scalar(m.Helo))
		y.field(4, path+".roles", "roles", flow(each(m.Roles, Role.String)))
		y.field(4, path+".dedicated", "dedicated", boolean(m.Dedicated))
	}
	y.comment(0, "mail", "")
	if len(o.Mail) > 0 {
		y.WriteString("mail:\n")
	}
	for i, d := range o.Mail {
		path := fmt.Sprintf("mail[%d]", i)
		y.item(path, "domain", name(d.Domain))
		y.field(4, path+".mtas", "mtas", flow(each(d.MTAs, scalar)))
		if d.SentByNone() {
			y.field(4, "", "mtas", "[]")
		}
		y.list(4, path+".includes", "includes", each(d.Includes, name))
		y.list(4, path+".networks", "networks", each(d.Networks, network))
		y.field(4, path+".softfail", "softfail", boolean(d.SoftFail))
	}
	y.list(0, "names", "names", each(o.Names, name))
	y.list(0, "zones", "zones", each(o.Zones, name))
	y.comment(0, "exceptions", "")
	if len(o.Exceptions) > 0 {
		y.WriteString("exceptions:\n")
	}
	for i, e := range o.Exceptions {
		path := fmt.Sprintf("exceptions[%d]", i)
		y.item(path, "rule", scalar(e.Rule))
		y.field(4, path+".subject", "subject", scalar(e.Subject))
		y.field(4, path+".reason", "reason", scalar(e.Reason))
		y.field(4, path+".until", "until", scalar(e.Until))
	}
	y.comment(0, "contacts", "")
	if o.Contacts != (Contacts{}) {
		y.WriteString("contacts:\n")
	}
	y.contact("mta", o.Contacts.MTA)
	y.contact("admin", o.Contacts.Admin)
	y.contact("abuse", o.Contacts.Abuse)
}

func (y *yamlWriter) contact(key string, c *Contact) {
	path := "contacts." + key
	y.comment(2, path, "")
	if c == nil {
		return
	}
	fmt.Fprintf(y, "  %s:\n", key)
	for _, f := range []struct{ key, value string }{
		{"name", c.Name}, {"role", c.Role}, {"phone", c.Phone}, {"email", c.Email}, {"address", c.Address}, {"web", c.Web}, {"mailbox", c.Mailbox},
	} {
		y.field(4, path+"."+f.key, f.key, scalar(f.value))
	}
}

// plain matches what is a text to YAML without quotes, but for a few words. What begins
// with a digit is none, unless it has the two dots that no number has.
var plain = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9._-]*|[0-9]+\.[0-9A-Za-z-]+\.[A-Za-z0-9._-]+)$`)

// words are those that mean something else to YAML, be it 1.1 or 1.2.
var words = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null|nan|inf)$`)

// scalar returns a text as YAML, "" for "". In double quotes YAML has the escapes of Go,
// but for those of octets that are no UTF-8: as it is, Parse refuses such a text.
func scalar(text string) string {
	if !utf8.ValidString(text) || text == "" || plain.MatchString(text) && !words.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// name returns a DNS name as people write it, without the final dot.
func name(name string) string {
	if name == "" {
		return ""
	}
	canonical, _ := dnsname.Canonical(name)
	return scalar(strings.TrimSuffix(canonical, "."))
}

func addr(a netip.Addr) string {
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	return strconv.Quote(a.String())
}

func network(p netip.Prefix) string {
	if p.Addr().Is4() {
		return p.String()
	}
	return strconv.Quote(p.String())
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func flow(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return "[" + strings.Join(values, ", ") + "]"
}

// each returns what f makes of each element.
func each[T any](list []T, f func(T) string) []string {
	var out []string
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}
