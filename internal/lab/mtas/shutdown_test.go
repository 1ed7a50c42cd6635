//go:build interop

package mtas_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/d--j/go-milter"
)

// TestInteropShutdown: Postfix closes the connection of a client at 421, which policyd and
// milter reply for a client that has used up its questions: of a policy service at RCPT, of
// a milter at MAIL.
func TestInteropShutdown(t *testing.T) {
	if !enter(t) {
		return
	}
	_, etc := network(t, []client{{addr: mta}})
	configure(t, etc, "", `127.0.0.1:2525 inet n - n - - smtpd -o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:2570,permit
127.0.0.1:2526 inet n - n - - smtpd -o smtpd_milters=inet:127.0.0.1:2571
`)
	policy, filters := listen(t, "127.0.0.1:2570"), listen(t, "127.0.0.1:2571")
	go func() {
		conn, err := policy.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if lines.Text() == "" {
				fmt.Fprint(conn, "action=421 4.7.0 come back\n\n")
			}
		}
	}()
	server := milter.NewServer(milter.WithMilter(func() milter.Milter { return &closing{} }))
	go server.Serve(filters)
	t.Cleanup(func() { server.Close() })
	startPostfix(t)
	for port, steps := range map[int][]string{
		2525: {" => 220", "EHLO smtp.example.test => 250", "MAIL FROM:<a@example.test> => 250", "RCPT TO:<box@receiver.test> => 421 4.7.0"},
		2526: {" => 220", "EHLO smtp.example.test => 250", "MAIL FROM:<a@example.test> => 421 4.7.0"},
	} {
		await(t, fmt.Sprintf("127.0.0.1:%d", port))
		d := connect(t, mta, port)
		d.say(t, steps...)
		if _, err := d.ReadLine(); err != io.EOF {
			t.Errorf("port %d: %v", port, err)
		}
	}
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// closing is a milter that ends every connection at MAIL.
type closing struct{ milter.NoOpMilter }

func (closing) MailFrom(string, string, milter.Modifier) (*milter.Response, error) {
	return milter.RejectWithCodeAndReason(421, "4.7.0 come back")
}
