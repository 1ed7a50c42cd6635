// Command mx takes mail.
package main

import (
	"io"
	"log"

	"github.com/emersion/go-smtp"
)

type backend struct{}

func (b backend) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{}, nil
}

type session struct {
	from string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
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
func (s *session) Logout() error { return nil }

func main() {
	server := smtp.NewServer(backend{})
	server.Addr, server.Domain = "127.0.0.1:2525", "mx.example.net"
	log.Fatal(server.ListenAndServe())
}
