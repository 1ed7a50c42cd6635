package identity_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Work that StartHelo began gives the verdicts that Helo alone gives, and nothing is asked
// twice.
func TestStartHelo(t *testing.T) {
	for _, tt := range clients {
		addr := netip.MustParseAddr(tt.client)
		judge := func(steps func(*identity.Session) *identity.Verdict) (map[string]string, int) {
			fake := fakeClients(t)
			s := verifier(fake).Session(t.Context(), addr)
			defer s.Close()
			v := steps(s)
			asked := make(map[resolver.Question]bool)
			for _, q := range fake.Questions() {
				if asked[q] {
					t.Errorf("%s %s: asked twice: %v", tt.client, tt.helo, q)
				}
				asked[q] = true
			}
			holdsVerdict(t, v)
			return facts(v), v.Questions
		}
		for name, steps := range map[string][2]func(*identity.Session) *identity.Verdict{
			"HELO": {
				func(s *identity.Session) *identity.Verdict { return s.Helo(t.Context(), tt.helo) },
				func(s *identity.Session) *identity.Verdict {
					s.StartHelo(tt.helo)
					s.StartHelo(tt.helo)
					return s.Helo(t.Context(), tt.helo)
				},
			},
			"MAIL FROM": {
				func(s *identity.Session) *identity.Verdict {
					s.Helo(t.Context(), tt.helo)
					return s.MailFrom(t.Context(), tt.sender)
				},
				func(s *identity.Session) *identity.Verdict {
					s.StartHelo(tt.helo)
					return s.MailFrom(t.Context(), tt.sender)
				},
			},
		} {
			alone, asked := judge(steps[0])
			started, askedStarted := judge(steps[1])
			if diff := cmp.Diff(alone, started); diff != "" || asked != askedStarted {
				t.Errorf("%s %s, %s: %d questions, after StartHelo %d:\n%s", tt.client, tt.helo, name, asked, askedStarted, diff)
			}
		}
	}
}

// StartHelo does not wait, and a step after it waits only for what is left.
func TestStartHeloWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fakeClients(t)
		s := identity.Verifier{Resolver: slowly(fake, 2*time.Second)}.Session(t.Context(), client)
		defer s.Close()
		s.StartHelo("mail.other.test")
		s.MailFrom(t.Context(), "a@example.test")
		start, questions := time.Now(), len(fake.Questions())
		s.StartHelo("smtp.example.test") // which ends MAIL FROM, and the other name
		if took := time.Since(start); took != 0 {
			t.Errorf("StartHelo took %v", took)
		}
		time.Sleep(time.Second)
		v := s.Helo(t.Context(), "smtp.example.test")
		if took := time.Since(start); v.Level != identity.Explicit || v.MailFromSPF != nil || v.Sender != "" || took != 2*time.Second || len(fake.Questions()) == questions {
			t.Errorf("%s after %v, sender %q", v.Level, took, v.Sender)
		}
	})
}

// There is nothing to begin for a client that is not judged, without a name, or after Close,
// which may come at the same time.
func TestStartHeloNothing(t *testing.T) {
	fake := fakeClients(t)
	v := verifier(fake)
	v.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}
	for _, addr := range []string{"192.0.2.10", "10.0.0.1"} {
		s := v.Session(t.Context(), netip.MustParseAddr(addr))
		s.StartHelo("smtp.example.test")
		if got := s.MailFrom(t.Context(), "a@example.test"); got.Level != identity.NotApplicable || got.HeloText != "smtp.example.test" || len(fake.Questions()) > 0 {
			t.Errorf("%s: %s, HELO %q, asked %v", addr, got.Level, got.HeloText, fake.Questions())
		}
		s.Close()
	}
	v.Trusted = nil
	s := v.Session(t.Context(), client)
	s.StartHelo("")
	if got := s.MailFrom(t.Context(), "a@example.test"); !got.Has(identity.NoHelo) {
		t.Errorf("without a name: %v", got.Reasons)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close() }()
	s.StartHelo("smtp.example.test")
	<-closed
	asked := len(fake.Questions())
	s.StartHelo("mail.other.test")
	if got := s.MailFrom(t.Context(), "a@example.test"); got.Level != identity.Undetermined || len(fake.Questions()) != asked {
		t.Errorf("after Close: %s, %d questions more", got.Level, len(fake.Questions())-asked)
	}
}
