package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/identity/plan"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/reputation/roleaddr"
	"github.com/bonafide-mta/bonafide/resolver"
)

// mailboxes asks the mail servers of an archive's file smtp: "ADDRESS | COMMAND | REPLY" a
// line, or the address alone, and CONTROL for the mailbox that cannot exist; what has no reply there gets 250, or 220 at first. Nobody
// listens at addresses that it does not have.
func mailboxes(t testing.TB, r resolver.Resolver, script string) func(context.Context, string) *roleaddr.Result {
	t.Helper()
	servers := make(map[string]map[string]string)
	for line := range strings.Lines(script) {
		addr, rest, _ := strings.Cut(strings.TrimSpace(line), " | ")
		if servers[addr] == nil {
			servers[addr] = make(map[string]string)
		}
		if command, reply, ok := strings.Cut(rest, " | "); ok {
			if _, domain, ok := strings.Cut(strings.TrimSuffix(command, ">"), "<CONTROL@"); ok {
				command = "RCPT TO:<" + roleaddr.Control(domain) + ">"
			}
			servers[addr][command] = reply
		}
	}
	dial := func(_ context.Context, addr netip.AddrPort) (net.Conn, error) {
		replies := servers[addr.Addr().String()]
		if replies == nil {
			return nil, errors.New("connection refused")
		}
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			fmt.Fprint(theirs, "220 mail server\r\n")
			for lines := bufio.NewScanner(theirs); lines.Scan(); {
				reply, ok := replies[lines.Text()]
				if !ok {
					reply = "250 2.0.0 Ok"
				}
				if _, err := fmt.Fprint(theirs, reply+"\r\n"); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}
	return roleaddr.Checker{Resolver: r, Helo: "probe.example.net", Dial: dial, AllowPrivate: true}.Check
}

// Only an audit that is told to asks mail servers, and none for what is not published yet.
func TestMailboxesAreAskedOnlyWhenToldTo(t *testing.T) {
	for _, f := range readScenario(t, "testdata/good.txtar").audit(t).Findings {
		if f.Rule == rule.RoleMailboxes {
			t.Errorf("%s: %s", f.Subject, f.Message)
		}
	}
	s := readScenario(t, "testdata/mailboxes.txtar")
	asked, running := 0, new(sync.Mutex)
	ask := s.auditor.Mailboxes
	s.auditor.Mailboxes = func(ctx context.Context, domain string) *roleaddr.Result {
		if !running.TryLock() {
			t.Errorf("%s is asked for beside another domain", domain)
		} else {
			defer running.Unlock()
		}
		asked++
		return ask(ctx, domain)
	}
	s.audit(t)
	if asked != 11 {
		t.Errorf("%d domains were asked for", asked)
	}
	p, err := plan.New(s.org, new(plan.Published), plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.auditor.Prove(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if asked != 11 {
		t.Errorf("a proof asked for %d domains", asked-11)
	}
}

// What a server says is evidence, as text.
func TestMailboxEvidence(t *testing.T) {
	s := readScenario(t, "testdata/mailboxes.txtar")
	for _, f := range s.audit(t).Findings {
		if f.Code != rule.CodeRefused {
			continue
		}
		e := f.Evidence[len(f.Evidence)-1]
		if e.Type != "SMTP" || e.Name != "refused.example.test." || !strings.Contains(e.String(), "RCPT TO:<abuse@refused.example.test>: 550 5.1.1 no such user; ") || !strings.HasSuffix(e.String(), "[mx.refused.example.test. 192.0.2.31:25]") {
			t.Errorf("%+v", e)
		}
		return
	}
	t.Error("nothing is refused")
}

var _ = audit.Auditor{Mailboxes: roleaddr.Checker{}.Check} // as users set it
