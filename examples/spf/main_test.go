package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

var update = flag.Bool("update", false, "rewrite testdata/demo.txt")

func TestDemonstration(t *testing.T) {
	var out strings.Builder
	if status, err := run(t.Context(), nil, &out); status != 0 || err != nil {
		t.Fatal(status, err)
	}
	const file = "testdata/demo.txt"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Each command, over zone files and over a server.
func TestCommands(t *testing.T) {
	server := resolvertest.Serve(t, resolvertest.New(t, demoZone)).String()
	for _, tt := range []struct {
		args   string
		status int
		want   string // in the output
	}{
		{"check -zone demo.zone 203.0.113.70 a@harbour.example", 0, "pass by ip4:203.0.113.64/26 at offset 7 of _b.news.example., by include:_b.news.example"},
		{"check -server " + server + " -helo mx1.harbour.example 198.51.100.200 a@harbour.example", 1, "softfail by ~all"},
		{"check -zone demo.zone 2001:db8::25 a@mx1.harbour.example", 1, "none by no term"},
		{"check -zone demo.zone 192.0.2.1 a@elsewhere.example", 3, "because: lookup elsewhere.example. TXT"},
		{"explain -server " + server + " harbour.example", 0, "mx  = 192.0.2.10 192.0.2.20 2001:db8::10"},
		{"explain -zone demo.zone mx1.harbour.example", 1, "broken: there is no SPF record"},
		{"flatten -zone demo.zone -ttl 60 _spf.news.example", 0, `_spf.news.example.	60	IN	TXT	"v=spf1 ip4:198.51.100.0/25 ip4:203.0.113.0/25 ip6:2001:db8:25::/48 ~all"`},
		{"-h", 0, "usage: spf check"},
		{"check -h", 0, "usage: spf check"},
	} {
		var out strings.Builder
		status, err := run(t.Context(), strings.Fields(tt.args), &out)
		if status != tt.status || err != nil || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: status %d, %v:\n%s", tt.args, status, err, &out)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"nonsense -zone demo.zone", 2, "expected check"},
		{"check -zone demo.zone 192.0.2.1", 2, "expected check"},
		{"check -zone demo.zone nonsense a@harbour.example", 2, "IPv4 or IPv6 address"},
		{"check -nonsense", 2, "not defined"},
		{"check -zone demo.zone -server 192.0.2.53 192.0.2.1 a@harbour.example", 2, "one of them"},
		{"check -zone missing.zone 192.0.2.1 a@harbour.example", 2, "missing.zone"},
		{"check -server nonsense:x 192.0.2.1 a@harbour.example", 2, "-server"},
		{"flatten -zone demo.zone mx1.harbour.example", 2, "cannot be flattened"},
		{"flatten -zone demo.zone elsewhere.example", 3, "elsewhere.example"},
		{"explain -zone demo.zone elsewhere.example", 3, "elsewhere.example"},
	} {
		var out strings.Builder
		if status, err := run(t.Context(), strings.Fields(tt.args), &out); status != tt.status || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: status %d, %v", tt.args, status, err)
		}
	}
}
