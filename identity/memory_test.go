package identity_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/internal/lab/cost"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// large answers so many records to each question for addresses, and has an SPF policy of
// ten mail exchangers for every name.
func large(addresses int) resolver.Resolver {
	return resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		var a resolver.Answer
		header := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 300}
		switch qtype {
		case dns.TypeTXT:
			a.Records = append(a.Records, &dns.TXT{Hdr: header, Txt: []string{"v=spf1 mx ?all"}})
		case dns.TypeMX:
			for i := range 10 {
				a.Records = append(a.Records, &dns.MX{Hdr: header, Preference: 10, Mx: fmt.Sprintf("h%d.%s", i, name)})
			}
		case dns.TypeA:
			for i := range addresses {
				header.Name = strings.Clone(name) // as in a message
				a.Records = append(a.Records, &dns.A{Hdr: header, A: net.IPv4(198, 51, byte(i>>8), byte(i)).To4()})
			}
		}
		return a, nil
	})
}

// A session keeps at most 4 MiB of answers, and a step no more than 1 MiB, whatever the
// Resolver returns. Close frees them while the Session is still referenced; a verdict keeps
// its evidence.
func TestSessionMemory(t *testing.T) {
	for _, tt := range []struct {
		addresses int // in each answer
		status    spf.Status
		exhausted bool
	}{
		{1, spf.Neutral, false},
		{1000, spf.Neutral, true},    // 2.3 MiB a message
		{3000, spf.TempError, false}, // of which nothing is kept
	} {
		before := cost.Live()
		s := identity.Verifier{Resolver: large(tt.addresses), MaxQuestions: 5000}.Session(t.Context(), client)
		s.Helo(t.Context(), "h.test")
		var last *identity.Verdict
		open := int64(0)
		for i := range 20 {
			v := s.MailFrom(t.Context(), fmt.Sprintf("a@d%d.test", i))
			if exhausted(t, v) {
				break
			}
			last, open = v, max(open, cost.Live()-before)
		}
		if last.MailFromSPF.Status != tt.status || exhausted(t, s.MailFrom(t.Context(), "a@end.test")) != tt.exhausted {
			t.Errorf("%d addresses: SPF %s, %v", tt.addresses, last.MailFromSPF.Status, last.MailFromSPF.Err)
		}
		s.Close()
		closed := cost.Live() - before
		evidence := len(last.MailFromSPF.Responses)
		last = nil
		freed := cost.Live() - before
		t.Logf("%d addresses: %d KiB live, %d KiB after Close with a verdict, %d KiB without", tt.addresses, open>>10, closed>>10, freed>>10)
		if open > 6<<20 || closed > 2<<20 || freed > 100<<10 || evidence == 0 {
			t.Errorf("%d addresses: %d bytes live, %d after Close with a verdict, %d without", tt.addresses, open, closed, freed)
		}
		runtime.KeepAlive(s)
	}
}
