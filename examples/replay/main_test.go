package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

const said = "reverse name pass, HELO pass, names same-organization"

func TestDemonstration(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	want := said + `

10.2.0.192.in-addr.arpa. PTR
	server "demo.zone"
	ttl 1h0m0s
	record 10.2.0.192.in-addr.arpa. 3600 IN PTR mta1.harbour.example.
mta1.harbour.example. A
	server "demo.zone"
	ttl 1h0m0s
	record mta1.harbour.example. 3600 IN A 192.0.2.10
post.harbour.example. A
	server "demo.zone"
	ttl 1h0m0s
	record post.harbour.example. 3600 IN A 192.0.2.10

` + said + ", from the transcript alone\n"
	if out.String() != want {
		t.Errorf("got:\n%s", &out)
	}
}

func TestRecordAndPlay(t *testing.T) {
	server := resolvertest.Serve(t, resolvertest.New(t, demoZone))
	file := filepath.Join(t.TempDir(), "verdict.dns")
	var out strings.Builder
	if err := run(t.Context(), []string{"-record", file, "-server", server.String(), "192.0.2.10", "post.harbour.example"}, &out); err != nil {
		t.Fatal(err)
	}
	if want := said + "\nrecorded in " + file + "\n"; out.String() != want {
		t.Errorf("got %s", &out)
	}
	out.Reset()
	if err := run(t.Context(), []string{"-play", file, "192.0.2.10", "post.harbour.example"}, &out); err != nil || out.String() != said+"\n" {
		t.Errorf("got %s, %v", &out, err)
	}
	// Of another client the transcript says nothing.
	out.Reset()
	err := run(t.Context(), []string{"-play", file, "192.0.2.11", "post.harbour.example"}, &out)
	if err == nil || !strings.Contains(err.Error(), "11.2.0.192.in-addr.arpa. PTR: the transcript does not have this question") || out.Len() > 0 {
		t.Errorf("got %q, %v", &out, err)
	}
}

func TestUsage(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.dns")
	if err := os.WriteFile(bad, []byte("what\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"-h", "help requested"},
		{"-nonsense", "not defined"},
		{"192.0.2.10", "expected a client's address"},
		{"192.0.2.10 post.example.test", "one of -record and -play"},
		{"-play x nonsense post.example.test", "IPv4 or IPv6 address"},
		{"-play missing.dns 192.0.2.10 post.example.test", "missing.dns"},
		{"-play " + bad + " 192.0.2.10 post.example.test", "bad.dns:1: "},
		{"-record x -server nonsense:x 192.0.2.10 post.example.test", "nonsense"},
	} {
		var out strings.Builder
		if err := run(t.Context(), strings.Fields(tt.args), &out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.args, err)
		}
	}
}
