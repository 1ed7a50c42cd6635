package main

import (
	"io"
	"strings"
	"testing"
)

// counted counts what is read.
type counted struct {
	io.Reader
	read int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// repeated is a Reader that repeats a text without end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		copied := copy(p[n:], r.text[r.at:])
		n, r.at = n+copied, (r.at+copied)%len(r.text)
	}
	return len(p), nil
}

// Input other than reports is refused at the first document that is not one.
func TestReadReports(t *testing.T) {
	for _, tt := range []struct {
		head, then string // and so on without end
		want       string // "" for none
		most       int    // octets that are read
	}{
		{"[]", "", "", 10}, {"[] [", "", "more after", 10}, {"[", "", "unexpected EOF", 10}, {"[{}]", "", "no version", 10}, {"", "", "unexpected end", 10},
		{"", "\x00", "more than 64 MiB", 64<<20 + 1}, {"[", "\x00", "invalid character", 1 << 20},
		{"[", "{},", "no version", 1 << 20}, {"[", "[", "depth", 1 << 20},
		{`["`, "a", "more than 64 MiB", 64<<20 + 1<<20},
	} {
		c := &counted{Reader: strings.NewReader(tt.head)}
		if tt.then != "" {
			c.Reader = io.MultiReader(c.Reader, &repeated{text: strings.Repeat(tt.then, 1<<12)})
		}
		_, err := readReports(c)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || c.read > tt.most {
			t.Errorf("%q and %q: %v, %d octets read", tt.head, tt.then, err, c.read)
		}
	}
}
