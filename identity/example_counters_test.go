package identity_test

import (
	"context"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"os"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/resolver"
)

// A verdict is one value of a log line; v.LogDetails has what it rests on.
func ExampleVerdict_LogValue() {
	zones, err := resolver.ParseZones("$ORIGIN example.org.\n$TTL 1h\nsmtp A 192.0.2.99\n$ORIGIN .")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	s := identity.Verifier{Resolver: zones, Policy: identity.Policy{
		Reasons: map[identity.Reason]identity.Action{identity.NoPTR: identity.Reject}, ReportOnly: true,
	}}.Session(ctx, netip.MustParseAddr("192.0.2.99"))
	defer s.Close()
	s.Helo(ctx, "smtp.example.org")
	v := s.MailFrom(ctx, "someone@example.org")

	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTimes}))
	logger.Info("judged", "verdict", v)
	// Output:
	// {"level":"INFO","msg":"judged","verdict":{"step":"mail-from","client":"192.0.2.99","level":"anonymous","action":"score","reasons":["no-ptr","helo-alone"],"withheld":"reject","helo":"smtp.example.org","sender":"someone@example.org","questions":9}}
}

// withoutTimes leaves out what differs each time.
func withoutTimes(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "took" {
		return slog.Attr{}
	}
	return a
}

var verdicts = expvar.NewMap("verdicts")

// count counts a verdict, by its level, its action and its reasons.
func count(v *identity.Verdict) {
	verdicts.Add("level "+v.Level.String(), 1)
	verdicts.Add("action "+v.Advice.Action.String(), 1)
	for _, r := range v.Reasons {
		verdicts.Add("reason "+r.String(), 1)
	}
}

// Counters of a server, by package expvar. docs/logs.md has them for Prometheus, too.
func ExampleVerdict_counters() {
	zones, err := resolver.ParseZones(`
$TTL 1h
$ORIGIN example.org.
mta1 A   192.0.2.10
smtp A   192.0.2.10
smtp A   192.0.2.99
$ORIGIN 2.0.192.in-addr.arpa.
10   PTR mta1.example.org.
$ORIGIN .`)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, client := range []string{"192.0.2.10", "192.0.2.99"} {
		s := identity.Verifier{Resolver: zones}.Session(ctx, netip.MustParseAddr(client))
		s.Helo(ctx, "smtp.example.org")
		count(s.MailFrom(ctx, "someone@example.org"))
		s.Close()
	}
	verdicts.Do(func(kv expvar.KeyValue) { fmt.Println(kv.Key, kv.Value) })
	// Output:
	// action accept 1
	// action score 1
	// level anonymous 1
	// level distinct 1
	// reason helo-alone 1
	// reason no-ptr 1
}

// filterField returns the value of a header field for a spam filter: the level, and the
// reasons between brackets.
func filterField(v *identity.Verdict) string { return fmt.Sprintf("%s %v", v.Level, v.Reasons) }

// A field of the message's header tells a spam filter what is known about the client.
// docs/logs.md has the rules of rspamd and SpamAssassin that read it.
func ExampleVerdict_spamFilter() {
	zones, err := resolver.ParseZones("$ORIGIN example.org.\n$TTL 1h\nsmtp A 192.0.2.99\n$ORIGIN .")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	s := identity.Verifier{Resolver: zones}.Session(ctx, netip.MustParseAddr("192.0.2.99"))
	defer s.Close()
	s.Helo(ctx, "smtp.example.org")
	fmt.Println("X-Bonafide: " + filterField(s.MailFrom(ctx, "someone@example.org")))
	// Output:
	// X-Bonafide: anonymous [no-ptr helo-alone]
}
