package roleaddr_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
)

// mailboxes is a server that has a postmaster, and nobody else. As go-smtp has it, an address
// without a domain is none.
type mailboxes struct{}

func (mailboxes) NewSession(*smtp.Conn) (smtp.Session, error) { return mailboxes{}, nil }
func (mailboxes) Mail(string, *smtp.MailOptions) error        { return nil }
func (mailboxes) Rcpt(to string, _ *smtp.RcptOptions) error {
	if local, _, _ := strings.Cut(to, "@"); strings.EqualFold(local, "postmaster") {
		return nil
	}
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox"}
}
func (mailboxes) Data(io.Reader) error { return nil }
func (mailboxes) Reset()               {}
func (mailboxes) Logout() error        { return nil }

func Example() {
	zones, err := resolver.ParseZones(`
$ORIGIN example.org.
$TTL 3600
@   MX 10 mx
mx  A  192.0.2.25
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := smtp.NewServer(mailboxes{})
	go server.Serve(listener)
	defer server.Close()

	c := roleaddr.Checker{
		Resolver: zones,
		Helo:     "probe.example.net",
		// In earnest these two stay as they are.
		AllowPrivate: true,
		Dial: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
		},
	}
	r := c.Check(context.Background(), "example.org")
	fmt.Println(r.Status, r.Host)
	for _, m := range r.Mailboxes {
		fmt.Println(m.Status, m.Address)
	}
	for _, reply := range r.Replies {
		if strings.HasPrefix(reply.Command, "RCPT TO:<abuse") {
			fmt.Println(reply)
		}
	}
	// Output:
	// fail mx.example.org.
	// pass postmaster@example.org
	// fail abuse@example.org
	// fail Postmaster
	// RCPT TO:<abuse@example.org>: 550 5.1.1 No such mailbox
}

// A server sees the same address at each check, so that its own log tells who asked.
func ExampleControl() {
	fmt.Println(roleaddr.Control("example.org"))
	// Output: no-such-mailbox-bfabc3743295@example.org
}
