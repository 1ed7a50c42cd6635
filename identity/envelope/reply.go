package envelope

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// An EnhancedCode is an enhanced status code (RFC 3463): class, subject, detail. The zero
// EnhancedCode is none. It converts to the type of the same name of
// github.com/emersion/go-smtp.
type EnhancedCode [3]int

// String returns the code as in "5.7.1", "" for none.
func (c EnhancedCode) String() string {
	if c == (EnhancedCode{}) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", c[0], c[1], c[2])
}

// MarshalText returns the text of String.
func (c EnhancedCode) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText accepts what MarshalText returns.
func (c *EnhancedCode) UnmarshalText(text []byte) error {
	var read EnhancedCode
	parts := strings.Split(string(text), ".")
	if len(text) == 0 {
		parts = nil
	} else if len(parts) != len(read) {
		return errEnhanced(text)
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return errEnhanced(text)
		}
		read[i] = n
	}
	*c = read
	return nil
}

func errEnhanced(text []byte) error {
	return fmt.Errorf("%.80q: expected an enhanced status code, as 5.7.1", text)
}

// A Reply is what a server answers to an SMTP command. The zero Reply is none.
type Reply struct {
	Code     int          `json:"code"`              // as 550
	Enhanced EnhancedCode `json:"enhanced,omitzero"` // as 5.7.1
	Text     string       `json:"text,omitzero"`     // one line
}

// String returns the reply on one line, as in "550 5.7.1 text", without line end; "" for
// none.
func (r Reply) String() string {
	switch {
	case r.Code == 0:
		return ""
	case r.Enhanced == (EnhancedCode{}):
		return fmt.Sprintf("%d %s", r.Code, untrusted.Line(r.Text))
	}
	return fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, untrusted.Line(r.Text))
}

// Temporary reports whether the reply asks the client to come back: its code is 4xx.
func (r Reply) Temporary() bool { return r.Code/100 == 4 }
