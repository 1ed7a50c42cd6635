//go:build interop

package netns

import (
	"context"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/lab/debian"
	"github.com/bonafide-mta/bonafide/resolver"
)

// Enter reports whether the test runs in a network and with mounts of its own. If not, it
// runs the test again there, with more in the environment, and the test must return.
func Enter(t *testing.T, env ...string) bool {
	t.Helper()
	const inside = "BONAFIDE_NAMESPACE"
	if os.Getenv(inside) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "--mount", "--propagation", "private", "--kill-child",
		os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), env...), inside+"=1")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("in a namespace of its own, which takes root:\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// Loopback brings the loopback up, with these addresses besides its own.
func Loopback(t *testing.T, addrs ...netip.Addr) {
	t.Helper()
	ip := debian.Program(t, "ip", "iproute2")
	Run(t, ip, "link", "set", "lo", "up")
	for _, addr := range addrs {
		prefix, _ := addr.Prefix(addr.BitLen())
		args := []string{"addr", "add", prefix.String(), "dev", "lo"}
		if addr.Is6() {
			args = append(args, "nodad")
		}
		Run(t, ip, args...)
	}
}

// ServeDNS serves DNS by the handler at 127.0.0.1, where the system of MountEtc has its
// resolver, and returns a client of it.
func ServeDNS(t *testing.T, handler dns.Handler) *resolver.Client {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		server := &dns.Server{Addr: "127.0.0.1:53", Net: network, Handler: handler, NotifyStartedFunc: func() { close(started) }}
		failed := make(chan error, 1)
		go func() { failed <- server.ListenAndServe() }()
		select {
		case <-started:
		case err := <-failed:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := server.ShutdownContext(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return &resolver.Client{Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}}
}

// Forward asks a server the question that a handler of ServeDNS got. It returns SERVFAIL
// if the server does not answer.
func Forward(w dns.ResponseWriter, question *dns.Msg, server netip.AddrPort) *dns.Msg {
	client := dns.Client{Net: w.RemoteAddr().Network(), Timeout: 5 * time.Second}
	reply, _, err := client.Exchange(question, server.String())
	if err != nil {
		reply = new(dns.Msg).SetRcode(question, dns.RcodeServerFailure)
	}
	reply.RecursionAvailable = true
	return reply
}

// MountEtc gives the system an /etc of its own, with the users of mail servers and the
// resolver of ServeDNS, and an empty /run. It returns the /etc that is hidden by it,
// where installed packages have their files.
func MountEtc(t *testing.T) fs.FS {
	t.Helper()
	hidden, err := os.OpenRoot("/etc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hidden.Close() })
	for _, path := range []string{"/etc", "/run"} {
		if err := syscall.Mount("tmpfs", path, "tmpfs", 0, ""); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	WriteFile(t, "/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:3\n")
	WriteFile(t, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
	WriteFile(t, "/etc/hosts", "127.0.0.1 localhost\n")
	WriteFile(t, "/etc/services", "smtp 25/tcp\n")
	WriteFile(t, "/etc/passwd", "root:x:0:0::/root:/bin/sh\nDebian-exim:x:65533:65533:::\npostfix:x:65532:65532:::\nnobody:x:65534:65534:::\n")
	WriteFile(t, "/etc/group", "root:x:0:\nDebian-exim:x:65533:\npostfix:x:65532:\npostdrop:x:65531:\nmail:x:8:\nnogroup:x:65534:\n")
	return hidden.FS()
}

// Run runs a program, which must succeed, and returns its output.
func Run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// WriteFile writes a file that all users may read.
func WriteFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
