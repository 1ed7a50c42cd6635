package main

import (
	"flag"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bonafide-mta/bonafide/resolver"
)

var update = flag.Bool("update", false, "rewrite what testdata expects")

// TestMain lets the scripts of testdata run this program as "harden".
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"harden": main})
}

// TestScripts runs the program as a user would. The demonstration's zone is transferred
// from $PRIMARY, which refuses all others.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			zones, err := resolver.ParseZones(demoZone)
			if err != nil {
				return err
			}
			server := &dns.Server{Listener: listener, Handler: transfers(zones)}
			started := make(chan struct{})
			server.NotifyStartedFunc = func() { close(started) }
			done := make(chan error, 1)
			go func() { done <- server.ActivateAndServe() }()
			<-started
			env.Defer(func() {
				_ = server.Shutdown()
				<-done
			})
			env.Setenv("PRIMARY", listener.Addr().String())
			return nil
		},
	})
}

// transfers answers AXFR of a zone, and refuses all else.
func transfers(zones *resolver.Zones) dns.HandlerFunc {
	return func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg)
		if q := r.Question[0]; q.Qtype != dns.TypeAXFR || q.Name != zones.Origins()[0] {
			_ = w.WriteMsg(m.SetRcode(r, dns.RcodeRefused))
			return
		}
		m.SetReply(r)
		var soa dns.RR // the first record, and the last
		for rr := range zones.Records() {
			if rr.Header().Rrtype == dns.TypeSOA {
				soa = rr
			} else {
				m.Answer = append(m.Answer, rr)
			}
		}
		m.Answer = slices.Concat([]dns.RR{soa}, m.Answer, []dns.RR{soa})
		_ = w.WriteMsg(m)
	}
}

// The README promises what the demonstration shows.
func TestDemonstration(t *testing.T) {
	var stdout, stderr strings.Builder
	if err := run(t.Context(), nil, &stdout, &stderr); err != nil || stderr.Len() > 0 {
		t.Fatal(err, &stderr)
	}
	const golden = "testdata/demo.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(stdout.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
		t.Errorf("-update rewrites it (-want +got):\n%s", diff)
	}
}

// On a terminal there is a line that goes away again.
func TestProgress(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out, terminal: true}
	p.show("%d records", 7)
	p.warn("odd")
	p.clear()
	if got, want := out.String(), "\r\x1b[K7 records\r\x1b[Kharden: warning: odd\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
