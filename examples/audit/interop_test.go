//go:build interop

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/identity/audit"
	"github.com/bonafide-mta/bonafide/internal/dnsname"
	"github.com/bonafide-mta/bonafide/resolver"
)

// TestInteropNSD audits the demonstration as NSD serves it: the findings are
// those of the zone file, but for who said so.
func TestInteropNSD(t *testing.T) {
	server := startNSD(t, demoZone)
	dir := t.TempDir()
	orgFile := filepath.Join(dir, "org.yaml")
	if err := os.WriteFile(orgFile, demoOrg, 0o644); err != nil {
		t.Fatal(err)
	}
	zoneFile := filepath.Join(dir, "demo.zone")
	if err := os.WriteFile(zoneFile, []byte(demoZone), 0o644); err != nil {
		t.Fatal(err)
	}
	fromFile := auditJSON(t, "-org", orgFile, "-allow-documentation", "-zone", zoneFile)
	fromNSD := auditJSON(t, "-org", orgFile, "-allow-documentation", "-server", server.String())
	sources := 0
	for _, report := range []*audit.Report{fromFile, fromNSD} {
		for i := range report.Findings {
			for j := range report.Findings[i].Evidence {
				e := &report.Findings[i].Evidence[j]
				if e.Server == server.String() {
					sources++
				}
				e.Server = ""
			}
		}
	}
	if diff := cmp.Diff(fromFile, fromNSD); diff != "" {
		t.Errorf("findings differ (-zone file, +NSD):\n%s", diff)
	}
	t.Logf("%d findings equal, %d pieces of evidence from NSD", len(fromNSD.Findings), sources)
	if sources == 0 || len(fromNSD.Findings) == 0 {
		t.Error("NSD was not asked")
	}
}

func auditJSON(t *testing.T, args ...string) *audit.Report {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), append(args, "-json"), &stdout, &stderr); status != 1 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	report := new(audit.Report)
	if err := json.Unmarshal(stdout.Bytes(), report); err != nil {
		t.Fatal(err)
	}
	return report
}

// startNSD serves every zone of a text on a loopback port until the test ends.
// A missing server fails the test: where interop tests run, it is installed.
func startNSD(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	nsd, err := exec.LookPath("nsd")
	if err != nil {
		t.Fatalf("%v: install NSD (Debian: apt-get install nsd)", err)
	}
	zones, err := resolver.ParseZones(text)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	addr := freePort(t)
	var conf strings.Builder
	fmt.Fprintf(&conf, `server:
  ip-address: %s@%d
  username: ""
  chroot: ""
  zonesdir: "%[3]s"
  database: ""
  zonelistfile: "%[3]s/zone.list"
  xfrdfile: "%[3]s/xfrd.state"
  xfrdir: "%[3]s"
  pidfile: "%[3]s/nsd.pid"
  server-count: 1
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  do-ip6: no
remote-control:
  control-enable: no
`, addr.Addr(), addr.Port(), dir)
	for i, apex := range zones.Origins() {
		var zone strings.Builder
		for rr := range zones.Records() {
			if dnsname.Under(rr.Header().Name, apex) {
				fmt.Fprintln(&zone, rr)
			}
		}
		file := fmt.Sprintf("%d.zone", i)
		if err := os.WriteFile(filepath.Join(dir, file), []byte(zone.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&conf, "zone:\n  name: %q\n  zonefile: %q\n", apex, file)
	}
	if err := os.WriteFile(filepath.Join(dir, "nsd.conf"), []byte(conf.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(nsd, "-d", "-c", filepath.Join(dir, "nsd.conf"))
	cmd.Stdout, cmd.Stderr = log, log
	// NSD forks: its whole process group is ended, or a child outlives the test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("NSD says:\n%s", text)
		}
	})
	client := &resolver.Client{Servers: []netip.AddrPort{addr}, TryTimeout: 100 * time.Millisecond, Rounds: 1}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for {
		reply := resolver.Ask(ctx, client, zones.Origins()[0], dns.TypeSOA)
		if reply.Err == nil {
			return addr
		}
		select {
		case <-ctx.Done():
			t.Fatalf("NSD does not answer: %v", reply.Err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freePort returns a loopback port that was free for UDP and TCP just now.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		l.Close()
		if pc, err := net.ListenPacket("udp", addr.String()); err == nil {
			pc.Close()
			return addr
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return netip.AddrPort{}
}
