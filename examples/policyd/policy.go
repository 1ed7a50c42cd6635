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

	"github.com/bonafide-mta/bonafide/identity"
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
	log        *slog.Logger
}

// serve answers the requests of one connection, one after the other. All recipients of
// a message come over the same connection: they get the same answer, and the message gets
// one field.
func (s *service) serve(ctx context.Context, conn net.Conn, idle time.Duration) {
	r := bufio.NewReaderSize(conn, maxLine)
	var last struct{ instance, state, action string }
	for {
		conn.SetDeadline(time.Now().Add(idle))
		q, err := read(r)
		if err != nil {
			if err != io.EOF && ctx.Err() == nil {
				s.log.Warn("closed", "peer", conn.RemoteAddr().String(), "err", err)
			}
			return
		}
		action := last.action
		if q["instance"] == "" || q["instance"] != last.instance || q["protocol_state"] != last.state {
			action = s.answer(ctx, q)
			last.instance, last.state, last.action = q["instance"], q["protocol_state"], action
		} else if strings.HasPrefix(action, "PREPEND") {
			action = "DUNNO"
		}
		conn.SetDeadline(time.Now().Add(idle)) // the lookups took time
		if _, err := fmt.Fprintf(conn, "action=%s\n\n", action); err != nil {
			return
		}
	}
}

// answer returns the action for a request: what the verdict advises, or DUNNO if there is
// nothing to judge.
func (s *service) answer(ctx context.Context, q request) string {
	addr, err := netip.ParseAddr(q["client_address"])
	switch {
	case err != nil:
		s.log.Warn("no client", "client_address", q["client_address"])
		return "DUNNO"
	case q["sasl_username"] != "":
		return "DUNNO" // the client has logged in
	}
	session := s.verifier.Session(ctx, addr)
	defer session.Close()
	var v *identity.Verdict
	switch q["protocol_state"] {
	case "CONNECT":
		v = session.Connect(ctx)
	case "HELO", "EHLO":
		v = session.Helo(ctx, q["helo_name"])
	case "MAIL", "RCPT", "DATA", "BDAT", "END-OF-MESSAGE":
		if helo := q["helo_name"]; helo != "" {
			// The ended context makes Helo return at once: the verdict on MAIL FROM has its results.
			done, cancel := context.WithCancel(ctx)
			cancel()
			session.Helo(done, helo)
		}
		v = session.MailFrom(ctx, quoteLocalPart(q["sender"]))
	default:
		return "DUNNO"
	}
	action := s.action(v)
	s.log.Info("judged", "instance", q["instance"], "state", q["protocol_state"], "recipient", q["recipient"], "verdict", v)
	return action
}

func (s *service) action(v *identity.Verdict) string {
	switch v.Advice.Action {
	case identity.Reject:
		return v.Advice.String()
	case identity.Defer:
		return "DEFER_IF_PERMIT " + v.Advice.Reply.Enhanced.String() + " " + v.Advice.Reply.Text
	}
	if v.Step != identity.AtMailFrom || v.Level == identity.NotApplicable {
		return "DUNNO"
	}
	field, err := v.AuthenticationResults(s.authservID)
	if err != nil {
		return "DUNNO"
	}
	return "PREPEND " + strings.ReplaceAll(field, "\r\n\t", " ")
}

// quoteLocalPart returns an address as in SMTP: Postfix removes the quotes of a local part.
func quoteLocalPart(sender string) string {
	at := strings.LastIndexByte(sender, '@')
	if at < 0 || !strings.ContainsAny(sender[:at], " \"(),:;<>@[\\]") && !strings.Contains("."+sender[:at]+".", "..") {
		return sender
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(sender[:at]) + `"` + sender[at:]
}
