package resolver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
)

func TestJSON(t *testing.T) {
	mx := &dns.MX{Hdr: dns.RR_Header{Name: "a.test.", Rrtype: dns.TypeMX, Class: dns.ClassINET, Ttl: 300}, Preference: 10, Mx: "b.test."}
	failed := &resolver.Error{Name: "a.test.", Type: dns.TypeMX, Server: "192.0.2.53:53", RCode: dns.RcodeServerFailure,
		Extended: []resolver.ExtendedError{{Code: 6, Text: "no\nkey"}}}
	question := resolver.Question{Name: "a.test.", Type: dns.TypeMX}
	answer := resolver.Answer{Records: []dns.RR{mx}, TTL: 90 * time.Second, Authentic: true, Server: "192.0.2.53:53"}
	for _, tt := range []struct {
		value any
		want  string
	}{
		{&resolver.Question{}, `{"name":""}`},
		{&question, `{"name":"a.test.","type":"MX"}`},
		{&resolver.Question{Name: "a b\xff", Type: 65400}, "{\"name\":\"a b\ufffd\",\"type\":\"TYPE65400\"}"},
		{&resolver.Answer{}, `{"status":"NOERROR","authentic":false}`},
		{&answer, `{"status":"NOERROR","authentic":true,"server":"192.0.2.53:53","records":["a.test. 300 IN MX 10 b.test."],"ttl":"1m30s"}`},
		{&resolver.Response{}, `{"name":"","status":"NOERROR","authentic":false}`},
		{&resolver.Response{Question: question, Answer: answer}, `{"name":"a.test.","type":"MX","status":"NOERROR","authentic":true,"server":"192.0.2.53:53","records":["a.test. 300 IN MX 10 b.test."],"ttl":"1m30s"}`},
		{&resolver.Response{Question: question, Answer: resolver.Answer{Status: resolver.NXDomain, Chain: []dns.RR{mx}}}, `{"name":"a.test.","type":"MX","status":"NXDOMAIN","authentic":false,"chain":["a.test. 300 IN MX 10 b.test."]}`},
		{&resolver.Response{Question: question, Err: failed}, `{"name":"a.test.","type":"MX","err":{"text":"lookup a.test. MX: SERVFAIL, EDE 6 DNSSEC Bogus: \"no\\nkey\" (192.0.2.53:53)","temporary":true}}`},
		{&resolver.Response{Answer: answer, Err: context.DeadlineExceeded}, `{"name":"","status":"NOERROR","authentic":true,"server":"192.0.2.53:53","records":["a.test. 300 IN MX 10 b.test."],"ttl":"1m30s","err":{"text":"context deadline exceeded","temporary":true,"timeout":true}}`},
		{&resolver.Error{}, `{"name":""}`},
		{failed, `{"name":"a.test.","server":"192.0.2.53:53","rcode":2,"extended":[{"code":6,"text":"no\nkey"}],"type":"MX"}`},
		{&resolver.Error{Name: "a.", Err: errors.New("x")}, `{"name":"a.","err":{"text":"x"}}`},
		{&resolver.Patch{}, `{}`},
		{&resolver.Patch{Add: []dns.RR{mx}, Replace: []dns.RR{mx}, Remove: []resolver.Question{question}},
			`{"remove":[{"name":"a.test.","type":"MX"}],"add":["a.test. 300 IN MX 10 b.test."],"replace":["a.test. 300 IN MX 10 b.test."]}`},
	} {
		first, err := json.Marshal(tt.value)
		if err != nil || string(first) != tt.want {
			t.Errorf("%T: %s, %v\nwant %s", tt.value, first, err, tt.want)
			continue
		}
		read := map[bool]any{}
		for _, again := range []any{new(resolver.Question), new(resolver.Answer), new(resolver.Response), new(resolver.Error), new(resolver.Patch)} {
			if fmt.Sprintf("%T", again) != fmt.Sprintf("%T", tt.value) {
				continue
			}
			if err := json.Unmarshal(first, again); err != nil {
				t.Errorf("%s: %v", first, err)
			}
			read[true] = again
		}
		if second, err := json.Marshal(read[true]); err != nil || string(second) != string(first) {
			t.Errorf("%s\nthen %s, %v", first, second, err)
		}
	}
}

// What was read back says the same as before.
func TestJSONReadsBack(t *testing.T) {
	zones, err := resolver.ParseZones("$ORIGIN test.\n$TTL 60\na CNAME b\nb MX 10 c\nb TXT \"\\000\\\"\\255\"\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []resolver.Question{{Name: "a.test.", Type: dns.TypeMX}, {Name: "b.test.", Type: dns.TypeTXT}, {Name: "none.test.", Type: dns.TypeA}} {
		said := resolver.Ask(t.Context(), zones, q.Name, q.Type)
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		var read resolver.Response
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(said, read, cmp.Comparer(func(a, b dns.RR) bool { return a.String() == b.String() })); diff != "" {
			t.Error(diff)
		}
	}
	failed := resolver.Ask(t.Context(), zones, "a.example.", dns.TypeA)
	text, err := json.Marshal(failed)
	if err != nil {
		t.Fatal(err)
	}
	var read resolver.Response
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](read.Err)
	if !ok || !temporary.Temporary() || read.Err.Error() != failed.Err.Error() {
		t.Errorf("%v is read as %v", failed.Err, read.Err)
	}
}

// The longest JSON of a message that a Client accepts: small records at a long name.
func TestJSONSize(t *testing.T) {
	label := strings.Repeat(`\255`, 63) + "."
	name := label + label + label + strings.Repeat(`\255`, 61) + "."
	m := new(dns.Msg).SetQuestion(name, dns.TypeTXT)
	m.Response, m.Compress = true, true
	for i := range 4350 {
		header := dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1<<31 - 1}
		m.Answer = append(m.Answer, &dns.TXT{Hdr: header, Txt: []string{fmt.Sprintf(`\%03d\%03d`, i%256, 128+i/256)}})
	}
	raw, err := m.Pack()
	if err != nil || len(raw) > dns.MaxMsgSize {
		t.Fatalf("%d octets, %v", len(raw), err)
	}
	read, err := resolver.ReadMessage(name, dns.TypeTXT, raw)
	if err != nil || len(read.Records) != 4350 {
		t.Fatalf("%d records, %v", len(read.Records), err)
	}
	text, err := json.Marshal(resolver.Answer{Records: read.Records})
	if err != nil || len(text) > 8<<20 {
		t.Errorf("%d octets, %v", len(text), err)
	}
	t.Logf("%d octets of JSON for %d", len(text), len(raw))
}

func TestJSONFails(t *testing.T) {
	for _, text := range []string{`{"type":"WHAT"}`, `{"type":"TYPE65536"}`, `{"ttl":"5"}`, `{"ttl":5}`, `{"status":"FINE"}`, `{"chain":"x"}`, `{"records":["$INCLUDE /etc/hostname"],"err":7}`} {
		var r resolver.Response
		if err := json.Unmarshal([]byte(text), &r); err == nil {
			t.Errorf("%s: read as %+v", text, r)
		}
	}
}

// The evidence in results is kept as JSON, and read back.
func ExampleResponse_MarshalJSON() {
	zones, err := resolver.ParseZones("$ORIGIN example.org.\n$TTL 300\nwww CNAME mail\nmail A 192.0.2.10\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.MarshalIndent(resolver.Ask(context.Background(), zones, "www.example.org", dns.TypeA), "", "  ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", text)

	var read resolver.Response
	if err := json.Unmarshal(text, &read); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Question, read.Addrs())
	// Output:
	// {
	//   "name": "www.example.org.",
	//   "type": "A",
	//   "status": "NOERROR",
	//   "authentic": false,
	//   "server": "zone example.org.",
	//   "records": [
	//     "mail.example.org. 300 IN A 192.0.2.10"
	//   ],
	//   "chain": [
	//     "www.example.org. 300 IN CNAME mail.example.org."
	//   ],
	//   "ttl": "5m0s"
	// }
	// www.example.org. A [192.0.2.10]
}
