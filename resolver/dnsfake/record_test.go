package dnsfake_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

func replay(t testing.TB, transcript string) *dnsfake.Player {
	t.Helper()
	player, err := dnsfake.Replay("test.dns", strings.NewReader(transcript))
	if err != nil {
		t.Fatal(err)
	}
	return player
}

// What is recorded comes back, whatever it was.
func TestRecordAndReplay(t *testing.T) {
	rr := func(text string) dns.RR {
		t.Helper()
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		rr.Header().Rdlength = 0 // which a transcript does not have
		return rr
	}
	answers := []struct {
		answer resolver.Answer
		err    error
		causes []error
	}{
		{answer: resolver.Answer{}},
		{answer: resolver.Answer{Status: resolver.NXDomain, TTL: 90 * time.Minute, Server: "192.0.2.53:53"}},
		{answer: resolver.Answer{Status: resolver.NotFound}},
		{answer: resolver.Answer{
			Records:   []dns.RR{rr(`x\ y.b.test. 60 IN TXT "a\"\\\001\255 ; b" ""`)},
			Chain:     []dns.RR{rr("example.test. 300 IN DNAME b.test."), rr(`x\ y.example.test. 300 IN CNAME x\ y.b.test.`)},
			TTL:       1500 * time.Millisecond,
			Authentic: true,
			Server:    "a \"zone\"\n\tfile\xff",
		}},
		{err: &resolver.Error{RCode: dns.RcodeServerFailure, Server: "192.0.2.53:53", Extended: []resolver.ExtendedError{{Code: 6, Text: "no\nkey"}, {Code: 65000}}}},
		{err: &resolver.Error{RCode: dns.RcodeServerFailure, Err: resolver.ErrChain}, causes: []error{resolver.ErrChain}},
		{err: &resolver.Error{RCode: 3841}},
		{err: &resolver.Error{Err: context.DeadlineExceeded}, causes: []error{context.DeadlineExceeded}},
		{err: &resolver.Error{Err: fmt.Errorf("%w: because", context.Canceled)}, causes: []error{context.Canceled}},
		{err: &resolver.Error{Err: resolver.ErrMalformed}, causes: []error{resolver.ErrMalformed}},
		{err: &resolver.Error{}},
		{err: errors.New("bare\terror")},
	}
	i := 0
	var transcript strings.Builder
	recorder := dnsfake.Record(resolver.Func(func(context.Context, string, uint16) (resolver.Answer, error) {
		defer func() { i++ }()
		return answers[i].answer, answers[i].err
	}), &transcript)
	for range answers {
		_, _ = recorder.Lookup(t.Context(), `X\032y.Example.test`, dns.TypeTXT)
	}
	if recorder.Err() != nil {
		t.Fatal(recorder.Err())
	}
	t.Log(transcript.String())
	player := replay(t, "; a comment\n\n"+transcript.String())
	for _, want := range answers {
		answer, err := player.Lookup(t.Context(), `x\032y.example.test`, dns.TypeTXT)
		if diff := cmp.Diff(want.answer, answer); diff != "" {
			t.Errorf("answer (-recorded +replayed):\n%s", diff)
		}
		if want.err == nil {
			if err != nil {
				t.Errorf("answer is an error: %v", err)
			}
			continue
		}
		got, ok := errors.AsType[*resolver.Error](err)
		if !ok {
			t.Errorf("%v came back as %v", want.err, err)
			continue
		}
		recorded, ok := errors.AsType[*resolver.Error](want.err)
		if !ok {
			recorded = &resolver.Error{Err: want.err}
		}
		recorded.Name, recorded.Type = got.Name, got.Type
		if recorded.Error() != got.Error() || recorded.Timeout() != got.Timeout() || recorded.RCode != got.RCode {
			t.Errorf("%v (timeout %v) came back as %v (%v)", recorded, recorded.Timeout(), got, got.Timeout())
		}
		for _, cause := range want.causes {
			if !errors.Is(err, cause) {
				t.Errorf("%v has lost its cause %v", err, cause)
			}
		}
	}
}

// A name that begins with a dollar sign comes back as it was.
func TestReplayDollar(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN test.\n\\$a 60 A 192.0.2.1\n")
	if err != nil {
		t.Fatal(err)
	}
	var transcript strings.Builder
	recorder := dnsfake.Record(zones, &transcript)
	recorded, err := recorder.Lookup(t.Context(), "$a.test", dns.TypeA)
	if err != nil || len(recorded.Records) != 1 {
		t.Fatal(recorded, err)
	}
	replayed, err := replay(t, transcript.String()).Lookup(t.Context(), "$a.test", dns.TypeA)
	if err != nil || len(replayed.Records) != 1 || replayed.Records[0].Header().Name != "$a.test." {
		t.Errorf("%v, %v\n%s", replayed, err, transcript.String())
	}
}

func TestReplayOrder(t *testing.T) {
	player := replay(t, "a.test. A\n\trecord a.test. 1 IN A 192.0.2.1\nb.test. A\na.test. A\n\trecord a.test. 1 IN A 192.0.2.2\n")
	for _, want := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.2"} {
		if a, err := player.Lookup(t.Context(), "a.test", dns.TypeA); err != nil || a.Addrs()[0].String() != want {
			t.Errorf("got %v, %v, want %s", a, err, want)
		}
	}
	if a, err := player.Lookup(t.Context(), "b.test", dns.TypeA); err != nil || len(a.Records) != 0 {
		t.Errorf("the zero answer: %v, %v", a, err)
	}
	_, err := player.Lookup(t.Context(), "c.test", dns.TypeA)
	if !errors.Is(err, dnsfake.ErrNotRecorded) || len(player.Missing()) != 1 {
		t.Errorf("got %v, %v", err, player.Missing())
	}
	if _, err := player.Lookup(t.Context(), "a..b", dns.TypeA); !errors.Is(err, resolver.ErrName) {
		t.Errorf("no name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := player.Lookup(ctx, "a.test", dns.TypeA); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// Data that zone text as miekg/dns writes it would lose are recorded as octets.
func TestReplayOctets(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN test.\n$TTL 60\na NULL \\# 2 00ff\na TYPE65400 \\# 0\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, qtype := range []uint16{dns.TypeNULL, 65400} {
		var first, second strings.Builder
		resolver.Ask(t.Context(), dnsfake.Record(zones, &first), "a.test", qtype)
		played := resolver.Ask(t.Context(), dnsfake.Record(replay(t, first.String()), &second), "a.test", qtype)
		if played.Err != nil || len(played.Records) != 1 || first.String() != second.String() {
			t.Errorf("%v:\n%s\n%s", played, &first, &second)
		}
	}
}

func TestReplayErrors(t *testing.T) {
	_, err := dnsfake.Replay("bad.dns", strings.NewReader(`	ttl 5s
a.test A
	ttl soon
	status LOST
	record not a record
	record $INCLUDE /etc/hostname
	alias
	server unquoted
	extended 6 ""
	fault ODD
	cause unheard
	fault 5000
	fault "unclosed
	extended six "x"
	what is this
a..b A
	ttl 1s
b.test XYZ
b.test TYPE700000
`))
	want := `bad.dns:1: expected a question first: a name and a type
bad.dns:3: ttl: time: invalid duration "soon"
bad.dns:4: status: "LOST": expected one of NOERROR, NXDOMAIN, NOTFOUND
bad.dns:5: record: "not a record": expected a record: name, TTL, IN, type, data
bad.dns:6: record: "$INCLUDE /etc/hostname": expected a record on one line
bad.dns:7: alias: "": expected a record: name, TTL, IN, type, data
bad.dns:8: server: invalid syntax
bad.dns:9: extended: expected a fault before it
bad.dns:10: fault: "ODD": expected a response code or a quoted text
bad.dns:11: cause: "unheard": no such cause
bad.dns:12: fault: "5000": expected a response code or a quoted text
bad.dns:13: fault: invalid syntax
bad.dns:14: extended: strconv.ParseUint: parsing "six": invalid syntax
bad.dns:15: what: expected server, status, ttl, ad, alias, record, fault, extended or cause
bad.dns:16: "a..b A": expected a name and a type, or a tab before what belongs to a question
bad.dns:18: "b.test XYZ": expected a name and a type, or a tab before what belongs to a question
bad.dns:19: "b.test TYPE700000": expected a name and a type, or a tab before what belongs to a question`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := dnsfake.Replay("long.dns", strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line without end: no error")
	}
}

// full is an io.Writer that cannot.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestRecordWriteError(t *testing.T) {
	recorder := dnsfake.Record(newFake(t), full{})
	for range 2 {
		if a, err := recorder.Lookup(t.Context(), "mail.example.test", dns.TypeA); err != nil || len(a.Records) != 1 {
			t.Errorf("the answer suffers: %v, %v", a, err)
		}
	}
	if !errors.Is(recorder.Err(), os.ErrClosed) {
		t.Errorf("got %v", recorder.Err())
	}
	if _, err := recorder.Lookup(t.Context(), "a..b", dns.TypeA); !errors.Is(err, resolver.ErrName) {
		t.Errorf("no name: %v", err)
	}
}

// Whatever stands in a transcript, reading it does not panic, and what can be read
// is answered.
func FuzzReplay(f *testing.F) {
	f.Add("mail.example.test. A\n\tserver \"x\"\n\tttl 5m0s\n\tad\n\talias a.test. 1 IN CNAME b.test.\n\trecord b.test. 1 IN A 192.0.2.1\n")
	f.Add("slow.example.test. TXT\n\tfault SERVFAIL \"x\"\n\textended 6 \"y\"\n\tcause timeout\n")
	f.Fuzz(func(t *testing.T, transcript string) {
		player, err := dnsfake.Replay("f", strings.NewReader(transcript))
		if err != nil {
			if _, ok := errors.AsType[*resolver.ZoneError](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		_, _ = player.Lookup(t.Context(), "mail.example.test.", dns.TypeA)
	})
}
