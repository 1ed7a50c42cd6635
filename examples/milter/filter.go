package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/d--j/go-milter"

	"github.com/bonafide-mta/bonafide/examples/internal/daemon"
	"github.com/bonafide-mta/bonafide/examples/internal/recipient"
	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/identity/envelope"
)

// actions and protocol are what a filter does, and what it does not need to be sent.
const (
	actions  = milter.OptAddHeader | milter.OptChangeHeader
	protocol = milter.OptNoData | milter.OptNoBody | milter.OptNoUnknown
)

const resultsField = "Authentication-Results"

// A filter serves one connection of a mail server, about one client of the mail server. A
// panic in one of its methods closes the connection of the mail server, and no other.
type filter struct {
	milter.NoOpMilter
	ctx        context.Context
	verifier   identity.Verifier
	authservID string
	roles      recipient.Domains
	log        *slog.Logger

	session *identity.Session // nil without a client that has an address
	gate    recipient.Gate    // of the client
	verdict *identity.Verdict // of MAIL FROM; nil if there is nothing to judge
	to      []string          // the recipients accepted
	fields  int               // Authentication-Results fields so far
	forged  []int             // the indexes of those that claim to be ours, from 1
}

// Connect begins a session. Postfix calls it twice in one connection where the client
// is passed on by XCLIENT: first for the one that passes it on.
func (f *filter) Connect(_, family string, _ uint16, addr string, _ milter.Modifier) (_ *milter.Response, err error) {
	defer daemon.Survive(f.log, &err)
	f.end()
	if client, err := netip.ParseAddr(strings.TrimPrefix(addr, "IPv6:")); err == nil && family != "unix" {
		f.session = f.verifier.Session(f.ctx, client)
	}
	return milter.RespContinue, nil
}

// Helo begins the work, see MailFrom.
func (f *filter) Helo(name string, _ milter.Modifier) (_ *milter.Response, err error) {
	defer daemon.Survive(f.log, &err)
	if f.session != nil {
		f.session.StartHelo(name)
	}
	return milter.RespContinue, nil
}

// MailFrom judges the client. RcptTo replies, so that the role mailboxes get through; only
// the reply that ends a connection is given at once.
func (f *filter) MailFrom(from, _ string, m milter.Modifier) (_ *milter.Response, err error) {
	defer daemon.Survive(f.log, &err)
	f.reset()
	if f.session == nil || m.Get(milter.MacroAuthAuthen) != "" {
		return milter.RespContinue, nil // the client has logged in
	}
	f.verdict = f.session.MailFrom(f.ctx, from)
	if reply := f.verdict.Advice.Reply; recipient.EndsConnection(reply) {
		f.log.Info("closed", "verdict", f.verdict)
		return response(reply) // at which Postfix and Sendmail close the connection
	}
	return milter.RespContinue, nil
}

// RcptTo refuses recipients if the verdict refuses the client.
func (f *filter) RcptTo(to, _ string, _ milter.Modifier) (_ *milter.Response, err error) {
	defer daemon.Survive(f.log, &err)
	if reply, _ := f.gate.Decide(f.verdict, to); reply.Code != 0 {
		f.log.Info("refused", "recipient", to, "reply", reply.String(), "verdict", f.verdict)
		return response(reply)
	}
	if len(f.to) < maxLogged {
		f.to = append(f.to, to)
	}
	return milter.RespContinue, nil
}

// maxLogged is how many recipients of a message the log has.
const maxLogged = 100

func response(reply envelope.Reply) (*milter.Response, error) {
	return milter.RejectWithCodeAndReason(uint16(reply.Code), reply.Enhanced.String()+" "+reply.Text)
}

// Header looks for fields that claim to be ours.
func (f *filter) Header(name, value string, _ milter.Modifier) (_ *milter.Response, err error) {
	defer daemon.Survive(f.log, &err)
	if strings.EqualFold(strings.TrimRight(name, " \t"), resultsField) {
		f.fields++
		if identity.ForgedResults(value, f.authservID) {
			f.forged = append(f.forged, f.fields)
		}
	}
	return milter.RespContinue, nil
}

// EndOfMessage deletes them, and adds ours above the others. It keeps those from a trusted
// client, which may be a backup MX that writes the same name.
func (f *filter) EndOfMessage(m milter.Modifier) (_ *milter.Response, err error) {
	defer daemon.Survive(f.log, &err)
	if f.verdict != nil && f.verdict.Has(identity.TrustedClient) {
		return milter.RespContinue, nil
	}
	for _, index := range slices.Backward(f.forged) { // last first: a deletion changes the indexes after it
		if err := m.ChangeHeader(index, resultsField, ""); err != nil {
			return nil, err
		}
	}
	if f.verdict == nil || f.verdict.Level == identity.NotApplicable {
		return milter.RespContinue, nil
	}
	if f.verdict.MailFromSPF != nil {
		if err := insert(m, f.verdict.MailFromSPF.ReceivedSPF()); err != nil {
			return nil, err
		}
	}
	results, err := f.verdict.AuthenticationResults(f.authservID)
	if err != nil {
		return nil, err
	}
	f.log.Info("accepted", "queue", m.Get(milter.MacroQueueId), "recipients", f.to, "forged", len(f.forged), "verdict", f.verdict)
	return milter.RespContinue, insert(m, results)
}

// insert adds a field above all others.
func insert(m milter.Modifier, field string) error {
	name, value, ok := strings.Cut(field, ": ")
	if !ok {
		return fmt.Errorf("not a field: %q", field)
	}
	return m.InsertHeader(0, name, value)
}

// NewConnection is called if a mail server uses its connection for another client.
func (f *filter) NewConnection(milter.Modifier) (err error) {
	defer daemon.Survive(f.log, &err)
	f.end()
	return nil
}

// Abort ends a message.
func (f *filter) Abort(milter.Modifier) (err error) {
	defer daemon.Survive(f.log, &err)
	f.reset()
	return nil
}

// Cleanup ends the session with the connection.
func (f *filter) Cleanup(milter.Modifier) {
	defer daemon.Survive(f.log, nil)
	f.end()
}

// end forgets the client.
func (f *filter) end() {
	if f.session != nil {
		f.session.Close()
	}
	f.session, f.gate = nil, recipient.Gate{Domains: f.roles}
	f.reset()
}

// reset forgets the message.
func (f *filter) reset() { f.verdict, f.to, f.fields, f.forged = nil, nil, 0, nil }
