package flow_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity/flow"
)

func TestObservations(t *testing.T) {
	const log = "2026-01-02 03:04:05 "
	for _, test := range []struct{ name, text, want string }{
		{"mail", "Received: from post.example.test (mta1.example.test [192.0.2.10])\nReceived: from other.test (x [192.0.2.11])", "1 192.0.2.10 post.example.test"},
		{"a log", log + "H=(a.test) [192.0.2.1] x\n" + log + "H=(b.test) [192.0.2.2] x", "1 192.0.2.1 a.test\n2 192.0.2.2 b.test"},
		{"no HELO", log + "H=mta1.example.test [192.0.2.10] rejected connection", ""},
		{"a line with two readings", log + "H=(a.test) [192.0.2.1] ) [203.0.113.66] x\n" + log + "H=(b.test) [192.0.2.2] x", "1 ambiguous\n2 192.0.2.2 b.test"},
		{"a banner", "220 post.example.test ESMTP", ""},
		{"nothing", "", ""},
	} {
		var got []string
		for o, err := range flow.Observations(strings.NewReader(test.text)) {
			if errors.Is(err, flow.ErrAmbiguous) {
				got = append(got, fmt.Sprint(o.Line, " ambiguous"))
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(o.Line, " ", o.Addr, " ", o.Helo))
		}
		if strings.Join(got, "\n") != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestObservationsFail(t *testing.T) {
	failure := errors.New("broken")
	const line = "Received: from a.test (x [192.0.2.1])\n"
	for _, test := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"a reader that fails", io.MultiReader(strings.NewReader(line), iotest.ErrReader(failure)), failure},
		{"a line too long", strings.NewReader(line + strings.Repeat("x", 70_000)), bufio.ErrTooLong},
	} {
		var got []string
		for o, err := range flow.Observations(test.r) {
			if err == nil {
				got = append(got, o.Helo)
			} else if !errors.Is(err, test.want) || test.want == bufio.ErrTooLong && !strings.HasPrefix(err.Error(), "flow: line 2: longer than 64 KiB, expected mail or a log (") {
				t.Errorf("%s: %v", test.name, err)
			} else {
				got = append(got, "error")
			}
		}
		if diff := cmp.Diff([]string{"a.test", "error"}, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// With the names of one's own hosts, an inner host above does not hide the client.
func TestObservationsBy(t *testing.T) {
	const mail = "Received: from mx.here.test (x [198.51.100.1])\n\tby inner.here.test\nReceived: from a.test (x [192.0.2.1])\n\tby mx.here.test\n"
	for o, err := range flow.Observations(strings.NewReader(mail), "mx.here.test") {
		if err != nil || o.Line != 3 || o.Helo != "a.test" {
			t.Errorf("%+v, %v", o, err)
		}
		break
	}
}
