//go:build interop

package nameserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/debian"
)

// A Zone is what an authoritative server loads.
type Zone struct {
	Apex     string // absolute
	Text     string // a zone file
	Signed   bool   // Knot signs it by DNSSEC, with keys that it makes up
	Transfer bool   // NSD and BIND transfer it to clients on the loopback (RFC 5936)
	Update   bool   // BIND accepts updates from clients on the loopback (RFC 2136)
}

// A Server is one that runs until the test ends.
type Server struct {
	Addr    netip.AddrPort // UDP and TCP
	Version string         // the name too
	dir     string         // its files
	apexes  []string       // of its zones, in the order of their files
	pid     int
}

// A program describes how to run one kind of server.
type program struct {
	binary, pkg string   // pkg is Debian's
	version     string   // the flag that prints it
	args        []string // besides the configuration file
	// conf returns the configuration for a port and a directory to work in.
	conf func(addr netip.AddrPort, dir string) string
	// files are written into that directory.
	files map[string]string
	// apexes are the zones that it serves, of which each must answer before start returns.
	apexes []string
}

const (
	loadLimit = 30 * time.Second // until the last zone is loaded
	tries     = 3                // ports: one that was free may be taken a moment later
)

// errExited means that the server has exited, as it does if its port is taken.
var errExited = errors.New("it has exited")

func (p program) start(t testing.TB) Server {
	t.Helper()
	path := debian.Program(t, p.binary, p.pkg)
	for try := 1; ; try++ {
		server, err := p.run(t, path)
		if err == nil {
			server.Version = versionOf(path, p.version)
			return server
		}
		if try == tries || !errors.Is(err, errExited) {
			t.Fatalf("%s: %v", p.binary, err)
		}
	}
}

// run starts the server and waits until it answers for every zone.
func (p program) run(t testing.TB, path string) (Server, error) {
	t.Helper()
	none := Server{}
	dir, err := p.directory(t)
	if err != nil {
		return none, err
	}
	addr, err := freePort()
	if err != nil {
		return none, err
	}
	conf := filepath.Join(dir, p.binary+".conf")
	if err := os.WriteFile(conf, []byte(p.conf(addr, dir)), 0o644); err != nil {
		return none, err
	}
	if path, err = unconfined(path, dir); err != nil {
		return none, err
	}
	log, err := os.Create(filepath.Join(dir, p.binary+".log"))
	if err != nil {
		return none, err
	}
	defer log.Close()
	cmd := exec.Command(path, append(slices.Clip(p.args), "-c", conf)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	running, err := startProcess(cmd)
	if err != nil {
		return none, err
	}
	if err := p.await(addr, running.exited); err != nil {
		running.stop(t)
		text, _ := os.ReadFile(log.Name())
		return none, fmt.Errorf("%w; it says:\n%s", err, tail(text))
	}
	t.Cleanup(func() {
		running.stop(t)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s says:\n%s", p.binary, tail(text))
		}
	})
	return Server{Addr: addr, dir: dir, apexes: p.apexes, pid: cmd.Process.Pid}, nil
}

// Rewrite replaces the file of a zone, tells the server to reload it (SIGHUP), and waits
// until the server has the serial number of the text.
func (s Server) Rewrite(t testing.TB, apex, text string) {
	t.Helper()
	var soa *dns.SOA
	parser := dns.NewZoneParser(strings.NewReader(text), apex, "")
	for rr, ok := parser.Next(); ok && soa == nil; rr, ok = parser.Next() {
		soa, _ = rr.(*dns.SOA)
	}
	i := slices.Index(s.apexes, apex)
	if err := parser.Err(); err != nil || soa == nil || i < 0 {
		t.Fatalf("the zone %s: %v\n%s", apex, err, text)
	}
	// In place of the old file and not into it: the server may be reading that.
	file := filepath.Join(s.dir, zoneFile(i))
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	client := &dns.Client{Timeout: time.Second}
	for start := time.Now(); time.Since(start) < loadLimit; time.Sleep(20 * time.Millisecond) {
		reply, _, err := client.Exchange(new(dns.Msg).SetQuestion(apex, dns.TypeSOA), s.Addr.String())
		if err == nil && len(reply.Answer) > 0 && reply.Answer[0].(*dns.SOA).Serial == soa.Serial {
			return
		}
	}
	t.Fatalf("the zone %s is not served with serial %d after %v", apex, soa.Serial, loadLimit)
}

// directory makes the directory of a server, with its files. It does not use t.TempDir,
// which only its owner may enter.
func (p program) directory(t testing.TB) (string, error) {
	dir, err := os.MkdirTemp("", p.binary+"-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { // runs after the server has stopped: last in, first out
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("%v", err)
		}
	})
	for name, text := range p.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// await asks for the SOA record of each zone until the server answers, then over TCP,
// which some servers start later.
func (p program) await(addr netip.AddrPort, exited <-chan struct{}) error {
	limit := time.After(loadLimit)
	ask := func(network, apex string) error {
		client := &dns.Client{Net: network, Timeout: time.Second}
		for {
			reply, _, err := client.Exchange(new(dns.Msg).SetQuestion(apex, dns.TypeSOA), addr.String())
			if err == nil && reply.Rcode == dns.RcodeSuccess && len(reply.Answer) > 0 {
				return nil
			}
			select {
			case <-exited:
				return errExited
			case <-limit:
				return fmt.Errorf("no answer for %s over %s after %v: %v, %v", apex, network, loadLimit, err, reply)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	for _, apex := range p.apexes {
		if err := ask("udp", apex); err != nil {
			return err
		}
	}
	return ask("tcp", p.apexes[0])
}

// freePort returns a loopback port that was free for UDP and TCP just now.
func freePort() (netip.AddrPort, error) {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return netip.AddrPort{}, err
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		l.Close()
		if pc, err := net.ListenPacket("udp", addr.String()); err == nil {
			pc.Close()
			return addr, nil
		}
	}
	return netip.AddrPort{}, errors.New("no port is free for both UDP and TCP")
}
