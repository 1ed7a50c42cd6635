package main

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

var update = flag.Bool("update", false, "rewrite what testdata expects")

// TestMain lets the scripts of testdata run this program as "plan".
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"plan": main})
}

// TestScripts runs the program as a user would, with its real exit status. What a script
// has as live.zone is served at $SERVER, and transferred from $PRIMARY; $SILENT never
// answers.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"status": status},
		Setup: func(env *testscript.Env) error {
			silent, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { silent.Close() })
			env.Setenv("SILENT", silent.LocalAddr().String())
			text, err := os.ReadFile(filepath.Join(env.WorkDir, "live.zone"))
			if os.IsNotExist(err) {
				return nil
			} else if err != nil {
				return err
			}
			zones, err := resolver.ReadZone("", "live.zone", strings.NewReader(string(text)))
			if err != nil {
				return err
			}
			server, err := dnsfake.FromZones(zones).Serve()
			if err != nil {
				return err
			}
			env.Defer(func() { server.Close() })
			env.Setenv("SERVER", server.Addr.String())
			primary, err := serveTransfers(env, zones)
			env.Setenv("PRIMARY", primary)
			return err
		},
	})
}

// serveTransfers answers AXFR from zones, and refuses those it does not have.
func serveTransfers(env *testscript.Env, zones *resolver.Zones) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg).SetReply(q)
		var soa, others []dns.RR
		for rr := range zones.Records() {
			switch _, ok := rr.(*dns.SOA); {
			case ok && rr.Header().Name == q.Question[0].Name:
				soa = []dns.RR{rr}
			case dns.IsSubDomain(q.Question[0].Name, rr.Header().Name):
				others = append(others, rr)
			}
		}
		if soa == nil {
			reply.Rcode = dns.RcodeRefused
		} else {
			reply.Answer = slices.Concat(soa, others, soa) // RFC 5936, Section 2.2
		}
		w.WriteMsg(reply)
	})}
	go server.ActivateAndServe()
	env.Defer(func() { server.Shutdown() })
	return l.Addr().String(), nil
}

// status N PROGRAM ARG...: the program ends with exit status N.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		// exec.ExitError prints as "exit status N".
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// The README promises what the demonstration shows.
func TestDemonstration(t *testing.T) {
	var stdout, stderr strings.Builder
	if status := run(t.Context(), nil, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	golden := filepath.Join("testdata", "demo.txt")
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
		t.Errorf("the plan differs (-want +got), -update rewrites it:\n%s", diff)
	}
}
