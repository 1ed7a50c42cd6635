package spf_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/spf"
)

// again returns a value after JSON, which is the same when it is written again.
func again[T any](t *testing.T, v *T) *T {
	t.Helper()
	first, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	read := new(T)
	if err := json.Unmarshal(first, read); err != nil {
		t.Fatalf("%s: %v", first, err)
	}
	if second, err := json.Marshal(read); err != nil || string(second) != string(first) {
		t.Errorf("first  %s\nsecond %s, %v", first, second, err)
	}
	return read
}

func TestJSON(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN test.\n$TTL 60\na TXT \"v=spf1 ip4:192.0.2.0/24 include:b.test -all\"\nb TXT \"v=spf1 a:c.test ~all\"\nc A 203.0.113.1\nd TXT \"v=spf1 include:none.test\"\ne TXT \"v=spf1 exists:%{i}.test\"\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"a.test", "b.test", "d.test", "e.test", "none.test", "x"} {
		policy := spf.Analyze(t.Context(), zones, domain)
		read := again(t, policy)
		for _, text := range []string{"192.0.2.1", "203.0.113.1", "198.51.100.1", "2001:db8::1"} {
			if addr := netip.MustParseAddr(text); read.Status(addr) != policy.Status(addr) {
				t.Errorf("%s, %s: %s, was %s", domain, text, read.Status(addr), policy.Status(addr))
			}
		}
		if _, err := read.Flatten(t.Context(), zones, 60); !errors.Is(err, spf.ErrNotFlat) {
			t.Errorf("%s: flattened, %v", domain, err)
		}
		if flat, err := policy.Flatten(t.Context(), zones, 60); err == nil {
			again(t, &flat)
		}
		result := spf.Checker{Resolver: zones}.CheckMailFrom(t.Context(), netip.MustParseAddr("203.0.113.1"), "h.test", domain)
		if got := again(t, result); got.ReceivedSPF() != result.ReceivedSPF() || got.IsNull() != result.IsNull() {
			t.Errorf("%s: %s\nwas %s", domain, got.ReceivedSPF(), result.ReceivedSPF())
		}
	}
	again(t, &spf.Analysis{})
	again(t, &spf.Result{})
	again(t, &spf.FlatRecord{})
}

// An address that Sets leaves out has a status that nobody takes for an answer.
func TestJSONStatusLeftOut(t *testing.T) {
	var a spf.Analysis
	if err := json.Unmarshal([]byte(`{"domain":"a.test.","sets":{"pass":["192.0.2.0/24","192.0.2.0/25",""],"fail":["192.0.2.0/28","::/0"]}}`), &a); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]spf.Status{"192.0.2.1": spf.Pass, "2001:db8::1": spf.Fail, "198.51.100.1": spf.TempError, "::ffff:192.0.2.200": spf.Pass} {
		if got := a.Status(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if err := json.Unmarshal([]byte(`{"sets":{"what":[]}}`), &a); err == nil {
		t.Error("a status that does not exist was read")
	}
}

// A term of the path is cut, or each of the terms below it would have it whole.
func TestJSONIsNoMultipleOfTheRecords(t *testing.T) {
	include := "include:" + strings.Repeat("x.", 30000) + "%{d}"
	hostile := resolver.Func(func(_ context.Context, name string, qtype uint16) (resolver.Answer, error) {
		text := "v=spf1 " + include + " -all"
		if strings.HasPrefix(name, "x.") {
			text = "v=spf1 " + strings.Repeat("ptr ", 3900) + "-all"
		}
		rr := &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}}
		for ; len(text) > 250; text = text[250:] {
			rr.Txt = append(rr.Txt, text[:250])
		}
		rr.Txt = append(rr.Txt, text)
		if qtype != dns.TypeTXT {
			return resolver.Answer{}, nil
		}
		return resolver.Answer{Records: []dns.RR{rr}}, nil
	})
	a := spf.Analyze(t.Context(), hostile, "a.test")
	if len(a.Undecided) != 3900 || len(a.Undecided[0].Path[0].Text) < 60000 {
		t.Fatalf("%d terms, %v", len(a.Undecided), a.Err)
	}
	text, err := json.Marshal(a)
	if err != nil || len(text) > 8<<20 {
		t.Errorf("%d octets, %v", len(text), err)
	}
	again(t, &a.Undecided[0])
}

// A result is kept as JSON, beside the message that it is about.
func ExampleResult_MarshalJSON() {
	zones, err := resolver.ParseZones("$ORIGIN example.org.\n$TTL 300\n@ TXT \"v=spf1 ip4:192.0.2.0/28 -all\"\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	result := spf.Checker{Resolver: zones}.CheckMailFrom(context.Background(), netip.MustParseAddr("192.0.2.99"), "mx.example.net", "user@example.org")
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", text)

	var read spf.Result
	if err := json.Unmarshal(text, &read); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Status, "by", read.Term)
	// Output:
	// {
	//   "status": "fail",
	//   "identity": "mailfrom",
	//   "addr": "192.0.2.99",
	//   "helo": "mx.example.net",
	//   "sender": "user@example.org",
	//   "domain": "example.org.",
	//   "term": {
	//     "text": "-all",
	//     "offset": 24,
	//     "kind": "all",
	//     "qualifier": "fail",
	//     "domain": "example.org."
	//   },
	//   "lookups": 0,
	//   "voids": 0,
	//   "questions": 1,
	//   "responses": [
	//     {
	//       "name": "example.org.",
	//       "type": "TXT",
	//       "status": "NOERROR",
	//       "authentic": false,
	//       "server": "zone example.org.",
	//       "records": [
	//         "example.org. 300 IN TXT \"v=spf1 ip4:192.0.2.0/28 -all\""
	//       ],
	//       "ttl": "5m0s"
	//     }
	//   ],
	//   "authentic": false
	// }
	// fail by -all at offset 24 of example.org.
}
