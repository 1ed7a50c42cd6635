package dnsfake_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// Empty text is a DNS without zones, to add to.
func TestNewEmpty(t *testing.T) {
	fake, err := dnsfake.New(" \n")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := fake.Lookup(t.Context(), "mail.example.test.", dns.TypeA); !errors.Is(err, resolver.ErrNoZone) {
		t.Errorf("got %+v, %v", a, err)
	}
	fake.Add("$ORIGIN example.test.\nmail A 192.0.2.10")
	if a, err := fake.Lookup(t.Context(), "mail.example.test.", dns.TypeA); err != nil || len(a.Records) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
}

// Who is not waiting any more asks nothing: the fault is still to come.
func TestDoneContext(t *testing.T) {
	fake := newFake(t)
	fake.Fail("mail.example.test", dns.TypeA, dnsfake.ServFail).Times(1).Must()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fake.Lookup(ctx, "mail.example.test.", dns.TypeA); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(fake.Questions()) != 0 || len(fake.Unasked()) != 1 {
		t.Errorf("asked %v, unasked %v", fake.Questions(), fake.Unasked())
	}
}

// What a careless Resolver returns fells no Recorder, and what it cannot do is
// told again by the transcript.
func TestRecordCareless(t *testing.T) {
	var transcript strings.Builder
	r := dnsfake.Record(resolver.Func(func(_ context.Context, _ string, qtype uint16) (resolver.Answer, error) {
		var none *resolver.Error
		switch qtype {
		case dns.TypeA:
			return resolver.Answer{}, none
		case dns.TypeMX:
			return resolver.Answer{Records: []dns.RR{nil}}, nil
		}
		return resolver.Answer{}, errors.ErrUnsupported
	}), &transcript)
	for _, qtype := range []uint16{dns.TypeA, dns.TypeMX, dns.TypeRP} {
		_, _ = r.Lookup(t.Context(), "mail.example.test", qtype)
	}
	player, err := dnsfake.Replay("t", strings.NewReader(transcript.String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := player.Lookup(t.Context(), "mail.example.test", dns.TypeA); err == nil {
		t.Error("A: no error")
	}
	if a, err := player.Lookup(t.Context(), "mail.example.test", dns.TypeMX); !errors.Is(err, resolver.ErrMalformed) {
		t.Errorf("MX: %+v, %v", a, err)
	}
	if _, err := player.Lookup(t.Context(), "mail.example.test", dns.TypeRP); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("RP: %v", err)
	}
}
