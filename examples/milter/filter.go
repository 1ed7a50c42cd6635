package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/d--j/go-milter"

	"github.com/bonafide-mta/bonafide/identity"
)

// actions and protocol are what a filter does, and what it does not need to be sent.
const (
	actions  = milter.OptAddHeader | milter.OptChangeHeader
	protocol = milter.OptNoRcptTo | milter.OptNoData | milter.OptNoBody | milter.OptNoUnknown
)

const resultsField = "Authentication-Results"

// A filter serves one connection of a mail server, about one client of the mail server.
type filter struct {
	milter.NoOpMilter
	ctx        context.Context
	verifier   identity.Verifier
	authservID string
	log        *slog.Logger

	session *identity.Session // nil without a client that has an address
	verdict *identity.Verdict // of MAIL FROM; nil if there is nothing to judge
	fields  int               // Authentication-Results fields so far
	forged  []int             // the indexes of those that claim to be ours, from 1
}

// Connect begins a session. Postfix calls it twice in one connection where the client
// is passed on by XCLIENT: first for the one that passes it on.
func (f *filter) Connect(_, family string, _ uint16, addr string, _ milter.Modifier) (*milter.Response, error) {
	f.end()
	if client, err := netip.ParseAddr(strings.TrimPrefix(addr, "IPv6:")); err == nil && family != "unix" {
		f.session = f.verifier.Session(f.ctx, client)
	}
	return milter.RespContinue, nil
}

// Helo only begins the work: mail servers keep a refusal at this step for the rest of
// the connection, even if the client sends another HELO with a better name.
func (f *filter) Helo(name string, _ milter.Modifier) (*milter.Response, error) {
	if f.session != nil {
		ended, cancel := context.WithCancel(f.ctx)
		cancel()
		f.session.Helo(ended, name)
	}
	return milter.RespContinue, nil
}

// MailFrom decides.
func (f *filter) MailFrom(from, _ string, m milter.Modifier) (*milter.Response, error) {
	f.verdict, f.fields, f.forged = nil, 0, nil
	if f.session == nil || m.Get(milter.MacroAuthAuthen) != "" {
		return milter.RespContinue, nil // the client has logged in
	}
	f.verdict = f.session.MailFrom(f.ctx, from)
	advice := f.verdict.Advice
	if advice.Action < identity.Defer {
		return milter.RespContinue, nil
	}
	f.log.Info("refused", "verdict", f.verdict)
	return milter.RejectWithCodeAndReason(uint16(advice.Reply.Code), advice.Reply.Enhanced.String()+" "+advice.Reply.Text)
}

// Header looks for fields that claim to be ours.
func (f *filter) Header(name, value string, _ milter.Modifier) (*milter.Response, error) {
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
func (f *filter) EndOfMessage(m milter.Modifier) (*milter.Response, error) {
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
	f.log.Info("accepted", "queue", m.Get(milter.MacroQueueId), "forged", len(f.forged), "verdict", f.verdict)
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
func (f *filter) NewConnection(milter.Modifier) error {
	f.end()
	return nil
}

// Cleanup ends the session with the connection.
func (f *filter) Cleanup(milter.Modifier) { f.end() }

func (f *filter) end() {
	if f.session != nil {
		f.session.Close()
	}
	f.session, f.verdict, f.fields, f.forged = nil, nil, 0, nil
}
