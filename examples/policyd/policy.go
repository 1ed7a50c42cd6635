package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
)

// Bounds of a request. Postfix sends some thirty attributes, and none longer than a
// command line of SMTP.
const (
	maxLine       = 4096
	maxAttributes = 100
)

// A request has the attributes of the policy delegation protocol.
type request map[string]string

// read reads a request: lines NAME=VALUE, and an empty line. The error is io.EOF after
// the last request.
func read(r *bufio.Reader) (request, error) {
	q := make(request)
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n') // as long as the buffer at most
		switch {
		case err == io.EOF && len(line) == 0 && n == 0:
			return nil, io.EOF
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("line %d is longer than %d octets", n+1, maxLine)
		case err == io.EOF:
			return nil, fmt.Errorf("line %d: the request ends without an empty line", n+1)
		case err != nil:
			return nil, err
		case n > maxAttributes:
			return nil, fmt.Errorf("more than %d attributes", maxAttributes)
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "=")
		if name == "" && !ok {
			break
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("line %d: %q is not NAME=VALUE", n+1, name)
		}
		q[name] = value
	}
	if q["request"] != "smtpd_access_policy" {
		return nil, fmt.Errorf("request=%q: expected smtpd_access_policy", q["request"])
	}
	return q, nil
}

// A service answers requests.
type service struct {
	verifier   identity.Verifier
	authservID string
	field      string // to prepend to messages, "" for none
	roles      recipient.Domains
	log        *slog.Logger
}

// serve answers the requests of one connection, one after the other. All recipients of
// a message come over the same connection, with the same instance: they share a verdict,
// and the message gets one field.
func (s *service) serve(ctx context.Context, conn net.Conn, idle time.Duration) {
	defer daemon.Survive(s.log, nil)
	r := bufio.NewReaderSize(conn, maxLine)
	c := conversation{service: s}
	for {
		conn.SetDeadline(time.Now().Add(idle))
		q, err := read(r)
		if err != nil {
			if err != io.EOF && ctx.Err() == nil {
				s.log.Warn("closed", "peer", conn.RemoteAddr().String(), "err", err)
			}
			return
		}
		action := c.answer(ctx, q)
		conn.SetDeadline(time.Now().Add(idle)) // the lookups took time
		if _, err := fmt.Fprintf(conn, "action=%s\n\n", action); err != nil {
			return
		}
	}
}

// A conversation is what one connection has said about its last client and message.
type conversation struct {
	service  *service
	client   string // address and port
	gate     recipient.Gate
	instance string
	verdict  *identity.Verdict
	stamped  bool // the message has its field
}

// answer returns the action for a request: DUNNO at every step but RCPT, and where there is
// nothing to judge.
func (c *conversation) answer(ctx context.Context, q request) string {
	addr, err := netip.ParseAddr(q["client_address"])
	switch {
	case q["protocol_state"] != "RCPT":
		return dunno
	case err != nil:
		c.service.log.Warn("no client", "client_address", q["client_address"])
		return dunno
	case q["sasl_username"] != "":
		return dunno // the client has logged in
	}
	if client := q["client_address"] + " " + q["client_port"]; client != c.client {
		c.client, c.gate = client, recipient.Gate{Domains: c.service.roles}
	}
	if instance := q["instance"]; instance == "" || instance != c.instance {
		c.instance, c.verdict, c.stamped = instance, c.service.judge(ctx, addr, q), false
	}
	reply, _ := c.gate.Decide(c.verdict, q["recipient"])
	action := c.action(reply)
	verb, _, _ := strings.Cut(action, " ")
	c.service.log.Info("judged", "instance", c.instance, "recipient", q["recipient"], "action", verb, "verdict", c.verdict)
	return action
}

// judge returns the verdict on a client and its sender.
func (s *service) judge(ctx context.Context, addr netip.Addr, q request) *identity.Verdict {
	session := s.verifier.Session(ctx, addr)
	defer session.Close()
	session.StartHelo(q["helo_name"])
	return session.MailFrom(ctx, q["sender"])
}

const dunno = "DUNNO"

// action returns the action for a reply to RCPT, see access(5) of Postfix.
func (c *conversation) action(reply envelope.Reply) string {
	switch {
	case recipient.EndsConnection(reply), reply.Code != 0 && !reply.Temporary():
		return reply.String() // Postfix closes the connection after 421
	case reply.Temporary():
		return "DEFER_IF_PERMIT " + reply.Enhanced.String() + " " + reply.Text
	case c.service.field == "" || c.stamped || c.verdict.Level == identity.NotApplicable:
		return dunno
	}
	results, err := c.verdict.AuthenticationResultsLine(c.service.authservID)
	if err != nil {
		c.service.log.Error("no field", "err", err)
		return dunno
	}
	c.stamped = true
	_, value, _ := strings.Cut(results, ":")
	return "PREPEND " + c.service.field + ":" + value
}
