package flow

import (
	"cmp"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// A Note tells something about a name that its records do not show. The Name is canonical,
// the Text a sentence without a final period.
type Note struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// String returns the name, without its final dot, and the text, printable on any
// terminal.
func (n Note) String() string {
	return untrusted.Line(cmp.Or(strings.TrimSuffix(n.Name, "."), ".") + ": " + n.Text)
}

// Compare orders notes by name, as zones are sorted, then by text.
func (n Note) Compare(other Note) int {
	return cmp.Or(dnsname.Compare(n.Name, other.Name), cmp.Compare(n.Text, other.Text))
}
