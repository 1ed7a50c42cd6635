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
	for _, test := range []struct{ name, text, want string }{
		{"Postfix", "Received: from post.example.test (mta1.example.test [192.0.2.10])\n\tby mx.example.test (Postfix) with ESMTPS id 1", "1 192.0.2.10 post.example.test"},
		{"Postfix, unknown", "Received: from post.example.test (unknown [192.0.2.10])", "1 192.0.2.10 post.example.test"},
		{"Postfix, IPv6", "Received: from post.example.test (mta1.example.test [IPv6:2001:db8::10])", "1 2001:db8::10 post.example.test"},
		{"Sendmail, with an ident", "Received: from post.example.test (root@mta1.example.test [192.0.2.10] (may be forged))", "1 192.0.2.10 post.example.test"},
		{"Sendmail, no name", "Received: from post.example.test ([192.0.2.10])", "1 192.0.2.10 post.example.test"},
		{"folded", "Subject: x\nreceived: from post.example.test\n (mta1.example.test [192.0.2.10])\nby: y", "2 192.0.2.10 post.example.test"},
		{"CR LF", "Received: from post.example.test\r\n\t(mta1.example.test [192.0.2.10])\r\n", "1 192.0.2.10 post.example.test"},
		{"Exim, another name", "Received: from mta1.example.test ([192.0.2.10] helo=post.example.test)\n\tby mx.example.test with esmtp", "1 192.0.2.10 post.example.test"},
		{"Exim, with a port", "Received: from mta1.example.test ([192.0.2.10]:40000 helo=post.example.test)", "1 192.0.2.10 post.example.test"},
		{"Exim, the same name", "Received: from mta1.example.test ([192.0.2.10])", "1 192.0.2.10 mta1.example.test"},
		{"Exim, no name", "Received: from [192.0.2.10] (helo=post.example.test)", "1 192.0.2.10 post.example.test"},
		{"a literal", "Received: from [192.0.2.10] (mta1.example.test [192.0.2.10])", "1 192.0.2.10 [192.0.2.10]"},
		{"Exim's log", "2026-01-02 03:04:05 1abc <= a@b.test H=mta1.example.test (post.example.test) [192.0.2.10] P=esmtp", "1 192.0.2.10 post.example.test"},
		{"Exim's log, no name", "2026-01-02 03:04:05 1abc <= a@b.test H=(post.example.test) [2001:db8::10] P=esmtp", "1 2001:db8::10 post.example.test"},
		{"Exim's log, the same name", "2026-01-02 03:04:05 H=mta1.example.test [192.0.2.10] rejected", "1 192.0.2.10 mta1.example.test"},
		{"Postfix's log", "Jan  2 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from mta1.example.test[192.0.2.10]: 450 4.1.8 x; from=<a@b.test> proto=ESMTP helo=<post.example.test>", "1 192.0.2.10 post.example.test"},
		{"mapped", "Received: from post.example.test (x [::ffff:192.0.2.10])", "1 192.0.2.10 post.example.test"},
		{"no address", "Received: from post.example.test (mta1.example.test [192.0.2.300])", ""},
		{"a banner", "220 post.example.test ESMTP", ""},
		{"nothing", "", ""},
		{"two", "Received: from a.test (x [192.0.2.1])\nReceived: from b.test (x [192.0.2.2])", "1 192.0.2.1 a.test\n2 192.0.2.2 b.test"},
	} {
		var got []string
		for o, err := range flow.Observations(strings.NewReader(test.text)) {
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

func FuzzObservations(f *testing.F) {
	f.Add("Received: from a.test (b.test [192.0.2.1])\n\tby c")
	f.Add("x H=a (b) [::1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		for o, err := range flow.Observations(strings.NewReader(text)) {
			if err == nil && (!o.Addr.IsValid() || o.Helo == "" || strings.ContainsAny(o.Helo, " \r\n")) {
				t.Errorf("%+v", o)
			}
		}
	})
}
