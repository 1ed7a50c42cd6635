package report_test

import (
	"errors"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/report"
)

// failing is an io.Writer that cannot.
type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestWriterFails(t *testing.T) {
	full := errors.New("disk full")
	if err := example.WriteText(failing{full}); !errors.Is(err, full) {
		t.Error(err)
	}
	if err := example.WriteJSON(failing{full}); !errors.Is(err, full) {
		t.Error(err)
	}
	if err := (&report.Proof{Before: example, After: example}).WriteText(failing{full}); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestSubject(t *testing.T) {
	for _, tt := range []struct {
		text    string
		subject report.Subject
	}{
		{"organization", report.Subject{}},
		{"mx1", report.Subject{MTA: "mx1"}},
		{"mx1/192.0.2.1", report.Subject{MTA: "mx1", Address: "192.0.2.1"}},
		{"mx1/2001:db8::1", report.Subject{MTA: "mx1", Address: "2001:db8::1"}},
		{"post.example.test.", report.Subject{Name: "post.example.test."}},
	} {
		var s report.Subject
		if err := s.UnmarshalText([]byte(tt.text)); err != nil || s != tt.subject || s.String() != tt.text {
			t.Errorf("%q is %+v, %v", tt.text, s, err)
		}
	}
	for _, text := range []string{"", "/192.0.2.1"} {
		if err := new(report.Subject).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
