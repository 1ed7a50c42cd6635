package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/identity"
)

// A server accepts mail for some domains into one Maildir.
type server struct {
	verifier identity.Verifier
	name     string // of this host: in the banner, and as authserv-id
	domains  []string
	maildir  maildir
	log      *slog.Logger
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
	if err := session.refusal(client.Helo(client.ctx, c.Hostname())); err != nil {
		return nil, err
	}
	return session, nil
}

// A session is one SMTP session, as go-smtp calls it.
type session struct {
	server  *server
	conn    *smtp.Conn
	client  *client
	verdict *identity.Verdict // of MAIL FROM
	from    string
	to      []string
}

// refusal returns an error, and logs it, if the verdict advises to reject or defer.
func (s *session) refusal(v *identity.Verdict) error {
	if v.Advice.Action < identity.Defer {
		return nil
	}
	s.server.log.Info("refused", "verdict", v)
	reply := v.Advice.Reply
	return &smtp.SMTPError{Code: reply.Code, EnhancedCode: smtp.EnhancedCode(reply.Enhanced), Message: reply.Text}
}

// Mail judges the HELO name again: at a second EHLO go-smtp calls only Reset. Judging the
// same name again costs nothing.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if err := s.refusal(s.client.Helo(s.client.ctx, s.conn.Hostname())); err != nil {
		return err
	}
	s.verdict = s.client.MailFrom(s.client.ctx, from)
	if err := s.refusal(s.verdict); err != nil {
		return err
	}
	s.from = from
	return nil
}

// Rcpt accepts mail only for our domains.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	domain := to[strings.LastIndexByte(to, '@')+1:]
	for _, ours := range s.server.domains {
		if strings.EqualFold(domain, ours) {
			s.to = append(s.to, to)
			return nil
		}
	}
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "no relaying"}
}

// Data delivers the message, and logs one line about it.
func (s *session) Data(r io.Reader) error {
	trace, err := s.trace()
	if err != nil {
		return err
	}
	file, forged, err := s.server.maildir.deliver(trace, r, s.server.name)
	if err != nil {
		s.server.log.Info("not delivered", "verdict", s.verdict, "to", s.to, "err", err)
		return err
	}
	s.server.log.Info("delivered", "verdict", s.verdict, "to", s.to, "forged", forged, "file", file)
	return nil
}

// trace returns the fields that this server adds, from the top of the header down.
func (s *session) trace() (string, error) {
	v := s.verdict
	var b strings.Builder
	field := func(f string) { b.WriteString(f + "\r\n") }
	field("Return-Path: <" + s.from + ">")
	results, err := v.AuthenticationResults(s.server.name)
	if err != nil {
		return "", err
	}
	field(results)
	if v.MailFromSPF != nil {
		field(v.MailFromSPF.ReceivedSPF())
	}
	// The field has only a valid HELO name, and only a confirmed PTR name.
	helo, name := "unknown", "unknown"
	if v.Helo != nil && v.Helo.Argument.Name != "" {
		helo = strings.TrimSuffix(v.Helo.Argument.Name, ".")
	}
	if v.PTRName != "" {
		name = strings.TrimSuffix(v.PTRName, ".")
	}
	field(fmt.Sprintf("Received: from %s (%s [%s])\r\n\tby %s with ESMTP; %s", helo, name, v.Client, s.server.name, time.Now().Format(time.RFC1123Z)))
	return b.String(), nil
}

func (s *session) Reset()        { s.verdict, s.from, s.to = nil, "", nil }
func (s *session) Logout() error { return nil } // after STARTTLS, too: the connection goes on

// A listener begins an identity.Session with each connection, so that the lookup of the
// client's PTR name runs while the banner is sent. It limits the number of connections.
type listener struct {
	net.Listener
	ctx        context.Context // of the work for clients
	verifier   identity.Verifier
	maxOpen    int // connections at a time
	maxPerAddr int // of one address

	mu         sync.Mutex
	open       int
	openByAddr map[netip.Addr]int
}

// A client is a connection with its session.
type client struct {
	net.Conn
	*identity.Session
	ctx   context.Context
	close func()
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addrPort, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		addr := addrPort.Addr().Unmap().WithZone("")
		if err != nil || !l.acquire(addr) {
			conn.SetWriteDeadline(time.Now().Add(time.Second))
			io.WriteString(conn, "421 4.7.0 too many connections\r\n")
			conn.Close()
			continue
		}
		ctx, cancel := context.WithCancel(l.ctx)
		c := &client{Conn: conn, Session: l.verifier.Session(ctx, addr), ctx: ctx}
		context.AfterFunc(ctx, func() { conn.Close() }) // of a client that does not finish when the server stops
		c.close = sync.OnceFunc(func() {
			c.Session.Close()
			cancel()
			l.release(addr)
		})
		return c, nil
	}
}

// Close ends the session with the connection.
func (c *client) Close() error {
	c.close()
	return c.Conn.Close()
}

func (l *listener) acquire(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.maxOpen || l.openByAddr[addr] >= l.maxPerAddr {
		return false
	}
	l.open++
	l.openByAddr[addr]++
	return true
}

func (l *listener) release(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.openByAddr[addr]--; l.openByAddr[addr] == 0 {
		delete(l.openByAddr, addr)
	}
}
