//go:build interop

package nsd

import (
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

	"github.com/miekg/dns"
)

// Start serves a zone's text on a loopback port until the test ends. The options
// are lines of the configuration of the zone. A missing server fails the test:
// where interop tests run, it is installed.
func Start(t testing.TB, zone, text string, options ...string) netip.AddrPort {
	t.Helper()
	program, err := exec.LookPath("nsd")
	if err != nil {
		t.Fatalf("%v: install NSD (Debian: apt-get install nsd)", err)
	}
	dir := t.TempDir()
	addr := freePort(t)
	conf := fmt.Sprintf(`server:
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
zone:
  name: %[4]q
  zonefile: "zone"
  %[5]s
`, addr.Addr(), addr.Port(), dir, zone, strings.Join(options, "\n  "))
	for name, text := range map[string]string{"zone": text, "nsd.conf": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "-d", "-c", filepath.Join(dir, "nsd.conf"))
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
	// Over TCP too: NSD may answer one before the other.
	for _, network := range []string{"udp", "tcp"} {
		wait(t, network, addr, zone)
	}
	return addr
}

// wait asks until there is an answer.
func wait(t testing.TB, network string, addr netip.AddrPort, zone string) {
	t.Helper()
	client := &dns.Client{Net: network, Timeout: 200 * time.Millisecond}
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		reply, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(zone), dns.TypeSOA), addr.String())
		if err == nil && reply.Rcode == dns.RcodeSuccess {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("NSD does not answer: %v %v", err, reply)
		}
	}
}

// freePort returns a loopback port that was free for UDP and TCP just now.
func freePort(t testing.TB) netip.AddrPort {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		l.Close()
		if packets, err := net.ListenPacket("udp", addr.String()); err == nil {
			packets.Close()
			return addr
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return netip.AddrPort{}
}
