package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// A log that never ends does not outlast -timeout, whether or not it has clients.
func TestEndlessLog(t *testing.T) {
	for _, line := range []string{
		"x y\n", "Jan  2 03:04:05 mx sshd[1]: x\n",
		"Jan  2 03:04:05 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x.test[203.0.113.1]: 450 x; proto=SMTP helo=<a.test>\n",
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error)
		go func() {
			text := strings.Repeat(line, 100)
			for {
				if _, err := io.WriteString(w, text); err != nil {
					written <- err
					return
				}
			}
		}()
		var stderr strings.Builder
		status := run(t.Context(), []string{"-timeout", "100ms", "-observed-log", fmt.Sprintf("/dev/fd/%d", r.Fd())}, io.Discard, &stderr)
		if status != 2 || !strings.Contains(stderr.String(), "longer than -timeout 100ms") {
			t.Errorf("%q: %d, %s", line, status, &stderr)
		}
		r.Close()
		<-written
		w.Close()
	}
}
