package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/identity/rule"
	"github.com/bonafide-mta/bonafide/resolver"
)

// answered returns an answer with n addresses.
func answered(name string, n int) resolver.Response {
	r := resolver.Response{Question: resolver.Question{Name: name, Type: dns.TypeA}, Answer: resolver.Answer{Server: "192.0.2.53"}}
	for i := range n {
		hdr := dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}
		r.Records = append(r.Records, &dns.A{Hdr: hdr, A: net.IPv4(192, 0, byte(i>>8), byte(i))})
	}
	return r
}

func TestEvidenceOfLargeAnswers(t *testing.T) {
	var f report.Finding
	f.SetEvidence([]resolver.Response{answered("a.test.", 2), answered("a.test.", 2), answered("b.test.", 4000)})
	if len(f.Evidence) != 2 || f.LeftOut != 0 {
		t.Fatalf("%d pieces of evidence, %d left out", len(f.Evidence), f.LeftOut)
	}
	e := f.Evidence[1]
	if e.LeftOut == 0 || len(e.Records)+e.LeftOut != 4000 || e.LeftOutOctets != e.LeftOut*len("\x01b\x04test\x00")+e.LeftOut*14 {
		t.Errorf("%d records, %d more with %d octets", len(e.Records), e.LeftOut, e.LeftOutOctets)
	}
	if want := fmt.Sprintf("; … and %d more records (%d octets) left out [192.0.2.53]", e.LeftOut, e.LeftOutOctets); !strings.HasSuffix(e.String(), want) {
		t.Errorf("%.200s does not end with %s", e, want)
	}
	// One record that is too long for any report.
	long := resolver.Response{Question: resolver.Question{Name: "c.test.", Type: dns.TypeTXT}}
	long.Records = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "c.test.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{strings.Repeat("x", 9000)}}}
	f.SetEvidence([]resolver.Response{long})
	if got := f.Evidence[0].String(); got != "c.test. TXT: 1 record (9019 octets), left out here []" {
		t.Error(got)
	}
}

func TestEvidenceOfManyAnswers(t *testing.T) {
	var f report.Finding
	var all []resolver.Response
	for i := range 500 {
		all = append(all, answered(fmt.Sprintf("h%d.test.", i), 3))
	}
	all = append(all, all...)
	dialog := report.Evidence{Name: "a.test.", Type: "SMTP", Records: []string{strings.Repeat("x", 3000), strings.Repeat("y", 3000)}}
	f.SetEvidence(all, dialog)
	if len(f.Evidence)+f.LeftOut != 501 || f.LeftOut == 0 {
		t.Errorf("%d answers, %d left out", len(f.Evidence), f.LeftOut)
	}
	f.SetEvidence(nil, dialog)
	if e := f.Evidence[0]; len(e.Records) != 1 || e.LeftOut != 1 || e.LeftOutOctets != 3000 || f.LeftOut != 0 {
		t.Errorf("%d records, %d more, %d octets", len(e.Records), e.LeftOut, e.LeftOutOctets)
	}
	f.SetEvidence([]resolver.Response{{Question: all[0].Question, Err: errors.New(strings.Repeat("\x00é", 5000))}})
	if e := f.Evidence[0]; len(e.Error) > 1200 || !strings.HasSuffix(e.Error, " octets more)") {
		t.Errorf("%d octets: %q", len(e.Error), e.Error)
	}
}

// The first findings keep their evidence, and every writer says that others do not.
func TestTrim(t *testing.T) {
	r := &report.Report{Version: report.Version, Organization: "a.test."}
	var all []resolver.Response
	for i := range 20 {
		all = append(all, answered(fmt.Sprintf("h%d.test.", i), 5))
	}
	for range 1500 {
		f := report.Finding{Rule: rule.PTRExists, Level: rule.Must, Status: rule.Fail, Code: rule.CodeMissing, Fix: []string{}}
		f.SetMessage("the address has no PTR record: " + strings.Repeat("<", 9999))
		f.SetEvidence(all)
		r.Findings = append(r.Findings, f)
	}
	r.Trim()
	first, last := r.Findings[0], r.Findings[len(r.Findings)-1]
	if len(first.Evidence) == 0 || len(last.Evidence) != 0 || last.LeftOut == 0 || len(last.Message) > 400 {
		t.Errorf("first %d and %d, last %d and %d, message of %d octets", len(first.Evidence), first.LeftOut, len(last.Evidence), last.LeftOut, len(last.Message))
	}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil || b.Len() > 16<<20+1500*(8<<10) || b.Len() < 8<<20 {
		t.Errorf("%d octets, %v", b.Len(), err)
	}
	r.Findings = r.Findings[1499:]
	for _, write := range []func() error{
		func() error { return r.WriteText(&b) }, func() error { return r.WriteMarkdown(&b) }, func() error { return r.WriteHTML(&b, nil) },
		func() error { return r.Diff(nil).WriteText(&b) }, func() error { return r.Diff(nil).WriteMarkdown(&b) },
	} {
		b.Reset()
		if err := write(); err != nil || !strings.Contains(b.String(), fmt.Sprintf("… and %d more answers left out", last.LeftOut)) {
			t.Errorf("%v, %.300s", err, &b)
		}
	}
}
