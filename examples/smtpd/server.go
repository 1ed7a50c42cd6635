package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
)

// A server accepts mail for some domains into one Maildir.
type server struct {
	name    string // of this host: in the banner, and as authserv-id
	domains recipient.Domains
	maildir maildir
	log     *slog.Logger
}

// NewSession is called at the first HELO, and again after STARTTLS. go-smtp has no hook
// for a new connection, so the listener adds the identity.Session to the connection.
func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	conn := c.Conn()
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	client, ok := conn.(*client)
	if !ok {
		return nil, fmt.Errorf("a connection that the listener did not make: %T", conn)
	}
	session := &session{server: s, conn: c, client: client}
	client.StartHelo(c.Hostname())
	return session, nil
}

// A session is one SMTP session, as go-smtp calls it. It decides at RCPT, so that the role
// mailboxes get through.
type session struct {
	server *server
	conn   *smtp.Conn
	client *client

	mu      sync.Mutex        // of the rest: after BDAT, go-smtp calls Data concurrently with others
	verdict *identity.Verdict // of MAIL FROM
	from    string
	to      []string
}

// Mail judges the client, by its HELO name too: go-smtp calls only Reset at a second EHLO,
// and the same name again costs nothing.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.client.done.Load() {
		return errClosed
	}
	if !printable(from) {
		// go-smtp takes any octet in a quoted local part.
		return &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 1, 7}, Message: "a control character in the sender address"}
	}
	s.client.StartHelo(s.conn.Hostname())
	verdict := s.client.MailFrom(s.client.ctx, from)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict, s.from = verdict, from
	if reply := verdict.Advice.Reply; recipient.EndsConnection(reply) {
		s.server.log.Info("closed", "verdict", verdict)
		s.client.done.Store(true)
		return smtpError(reply)
	}
	return nil
}

// Rcpt accepts mail only for our domains, and for the role mailboxes of our own name.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, err := envelope.ParsePath(to)
	switch {
	case s.client.done.Load():
		return errClosed
	case err != nil:
		return &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "malformed recipient address"}
	case !s.server.domains.Has(path.Domain) && !s.client.gate.Domains.Role(to):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "no relaying"}
	}
	if reply, _ := s.client.gate.Decide(s.verdict, to); reply.Code != 0 {
		s.server.log.Info("refused", "recipient", to, "reply", reply.String(), "verdict", s.verdict)
		return smtpError(reply)
	}
	s.to = append(s.to, to)
	return nil
}

// Data delivers the message below the fields of this server, and logs one line about it.
func (s *session) Data(r io.Reader) error {
	s.mu.Lock()
	verdict, from, to := s.verdict, s.from, s.to
	s.mu.Unlock()
	if verdict == nil {
		return smtp.ErrDataReset
	}
	trace, err := trace(verdict, from, s.server.name)
	if err != nil {
		return err
	}
	message := io.MultiReader(strings.NewReader(trace), identity.StripForged(r, s.server.name))
	file, err := s.server.maildir.deliver(message, s.server.name)
	if err != nil {
		s.server.log.Info("not delivered", "recipients", to, "verdict", verdict, "err", err)
		return err
	}
	s.server.log.Info("delivered", "recipients", to, "verdict", verdict, "file", file)
	return nil
}

// Reset ends a message.
func (s *session) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict, s.from, s.to = nil, "", nil
}

// Logout is called after STARTTLS, too: the connection goes on.
func (s *session) Logout() error { return nil }

func smtpError(reply envelope.Reply) error {
	return &smtp.SMTPError{Code: reply.Code, EnhancedCode: smtp.EnhancedCode(reply.Enhanced), Message: reply.Text}
}

// errClosed is for commands behind one that was told 421: go-smtp has read them already where
// they came encrypted.
var errClosed = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "closing the connection"}

// printable reports whether an address has no control characters.
func printable(address string) bool {
	return utf8.ValidString(address) && !strings.ContainsFunc(address, unicode.IsControl)
}
