// Command mx takes mail.
package main

import (
	"context"
	"io"
	"log"
	"net/netip"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/emersion/go-smtp"
)

type backend struct{ verifier identity.Verifier }

func (b backend) NewSession(c *smtp.Conn) (smtp.Session, error) {
	client, err := netip.ParseAddrPort(c.Conn().RemoteAddr().String())
	return &session{conn: c, Session: b.verifier.Session(context.Background(), client.Addr())}, err
}

type session struct {
	from string
	conn *smtp.Conn
	*identity.Session
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.StartHelo(s.conn.Hostname())
	if a := s.MailFrom(context.Background(), from).Advice; a.Action >= identity.Defer {
		return &smtp.SMTPError{Code: a.Reply.Code, EnhancedCode: smtp.EnhancedCode(a.Reply.Enhanced), Message: a.Reply.Text}
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (s *session) Data(r io.Reader) error {
	n, err := io.Copy(io.Discard, r)
	log.Printf("%d octets from <%s>", n, s.from)
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { s.Close(); return nil }

func main() {
	dns, err := resolver.SystemClient()
	if err != nil {
		log.Fatal(err)
	}
	server := smtp.NewServer(backend{identity.Verifier{Resolver: &resolver.Cache{Resolver: dns}}})
	server.Addr, server.Domain = "127.0.0.1:2525", "mx.example.net"
	log.Fatal(server.ListenAndServe())
}
