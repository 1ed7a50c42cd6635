package dnssource_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/examples/internal/dnssource"
	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/resolvertest"
)

const (
	forward = "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns hostmaster 1 7200 900 1209600 300\nmail A 192.0.2.10\n"
	reverse = "$TTL 3600\n@ SOA ns.example.test. hostmaster.example.test. 1 7200 900 1209600 300\n10 PTR mail.example.test.\n"
)

// write makes files of a directory, and returns its path.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The second file does not say which zone it has, and so its argument does.
func TestReadZones(t *testing.T) {
	dir := write(t, map[string]string{"forward.zone": forward, "reverse.zone": reverse, "bad.zone": "$ORIGIN bad.test.\n@ 60 A 192.0.2.300\n"})
	zones, err := dnssource.ReadZones(filepath.Join(dir, "forward.zone"), "2.0.192.in-addr.arpa="+filepath.Join(dir, "reverse.zone"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2.0.192.in-addr.arpa.", "example.test."}, zones.Origins()); diff != "" {
		t.Error(diff)
	}
	// What is wrong with any of the files is reported.
	_, err = dnssource.ReadZones(filepath.Join(dir, "bad.zone"), filepath.Join(dir, "missing.zone"))
	var bad *resolver.ZoneError
	if !errors.As(err, &bad) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	same := filepath.Join(dir, "forward.zone")
	if _, err := dnssource.ReadZones(same, same); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	dir := write(t, map[string]string{"forward.zone": forward})
	zone := filepath.Join(dir, "forward.zone")
	server := resolvertest.Serve(t, resolvertest.New(t, forward)).String()
	for _, tt := range []struct{ args, want string }{
		{"-zone " + zone, ""},
		{"-dns " + server, ""},
		{"-dns " + server + " -zone " + zone, "-zone and -dns exclude each other"},
		{"-dns nonsense:x", "-dns: "},
		{"-zone missing.zone", "missing.zone"},
	} {
		var f dnssource.Flags
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		f.Register(fs, "dns")
		if err := fs.Parse(strings.Fields(tt.args)); err != nil {
			t.Fatal(err)
		}
		r, err := f.Open()
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.args, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		if addrs, err := resolver.LookupAddrs(t.Context(), r, "mail.example.test"); err != nil || len(addrs) != 1 {
			t.Errorf("%s: %v, %v", tt.args, addrs, err)
		}
	}
	var system dnssource.Flags
	if client, err := system.Live(); err != nil || len(client.Servers) == 0 {
		t.Errorf("%+v, %v", client, err)
	}
}

func TestTransfer(t *testing.T) {
	for _, tt := range []struct{ value, zone, server, err string }{
		{"Example.test=192.0.2.53", "example.test.", "192.0.2.53:53", ""},
		{"example.test=[2001:db8::53]:5353", "example.test.", "[2001:db8::53]:5353", ""},
		{"192.0.2.53", "", "192.0.2.53:53", ""},
		{"a..b=192.0.2.53", "", "", "-axfr a..b=192.0.2.53: "},
		{"example.test=nonsense:x", "", "", "-axfr example.test=nonsense:x: "},
		{"", "", "", "-axfr : "},
	} {
		got, err := dnssource.ParseTransfer(tt.value)
		if tt.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.err) || got != (dnssource.Transfer{}) {
				t.Errorf("%q: %+v, %v", tt.value, got, err)
			}
			continue
		}
		if err != nil || got.Zone != tt.zone || got.Server.String() != tt.server {
			t.Errorf("%q: %+v, %v", tt.value, got, err)
		}
	}
	server := &dns.Server{Addr: "127.0.0.1:0", Net: "tcp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		soa, err := dns.NewRR("example.test. 3600 SOA ns hostmaster 1 7200 900 1209600 300")
		if err != nil {
			t.Error(err)
		}
		reply := new(dns.Msg).SetReply(q)
		reply.Answer = []dns.RR{soa, soa} // RFC 5936, Section 2.2
		w.WriteMsg(reply)
	})}
	started, done := make(chan struct{}), make(chan error, 1)
	server.NotifyStartedFunc = func() { close(started) }
	go func() { done <- server.ListenAndServe() }()
	<-started
	defer func() { server.Shutdown(); <-done }()
	transfer, err := dnssource.ParseTransfer("example.test=" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range transfer.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d records", n)
	}
}
