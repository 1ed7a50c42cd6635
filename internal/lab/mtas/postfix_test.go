//go:build interop

package mtas_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
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
	"github.com/bonafide-mta/bonafide/internal/lab/netns"
	"github.com/bonafide-mta/bonafide/resolver"
)

// network makes a loopback with the clients' addresses, and returns its resolver and the
// /etc of the system.
func network(t *testing.T, clients []client) (resolver.Resolver, fs.FS) {
	t.Helper()
	var addrs []netip.Addr
	for _, c := range clients {
		if addr := netip.MustParseAddr(c.addr).Unmap(); !addr.IsLoopback() && !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	netns.Loopback(t, addrs...)
	etc := netns.MountEtc(t)
	f, err := os.Open("testdata/dns.zone")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zones, err := resolver.ReadZone("", "dns.zone", f)
	if err != nil {
		t.Fatal(err)
	}
	return netns.ServeDNS(t, dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		name := strings.ToLower(q.Question[0].Name)
		answer, err := zones.Lookup(context.Background(), name, q.Question[0].Qtype)
		switch {
		case err != nil, strings.HasSuffix(name, ".lame.test."), name == "77.2.0.192.in-addr.arpa.":
			m.Rcode = dns.RcodeServerFailure
		case answer.Status == resolver.NXDomain:
			m.Rcode = dns.RcodeNameError
		}
		if m.Rcode != dns.RcodeServerFailure {
			m.Answer = append(append(m.Answer, answer.Chain...), answer.Records...)
		}
		w.WriteMsg(m)
	})), etc
}

// postfix is a Postfix with a port for each restriction that is compared.
type postfix struct{ version, mail string }

// The ports, and what smtpd does there.
var ports = []struct {
	port   int
	column string
	option string
}{
	{2501, "pf-reverse", "smtpd_recipient_restrictions=reject_unknown_reverse_client_hostname,permit"},
	{2502, "pf-client", "smtpd_recipient_restrictions=reject_unknown_client_hostname,permit"},
	{2503, "pf-helo", "smtpd_recipient_restrictions=reject_unknown_helo_hostname,permit"},
	{2504, "pf-syntax", "smtpd_recipient_restrictions=reject_invalid_helo_hostname,reject_non_fqdn_helo_hostname,permit"},
	{2505, "policyd", "smtpd_recipient_restrictions=check_policy_service,{inet:127.0.0.1:10040,default_action=DEFER},permit"},
	{2506, "milter", "smtpd_milters=inet:127.0.0.1:10041"},
}

func newPostfix(t *testing.T, etc fs.FS) postfix {
	t.Helper()
	var services strings.Builder
	for _, p := range ports {
		for _, host := range []string{"127.0.0.1", "[::1]"} {
			fmt.Fprintf(&services, "%s:%d inet n - n - - smtpd -o %s\n", host, p.port, p.option)
		}
	}
	configure(t, etc, "", services.String())
	start(t, "policyd", filepath.Join(os.Getenv("BONAFIDE_EXAMPLES"), "policyd"), "-name", "mx.receiver.test", "-dns", "127.0.0.1")
	start(t, "milter", filepath.Join(os.Getenv("BONAFIDE_EXAMPLES"), "milter"), "-name", "mx.receiver.test", "-domain", "receiver.test", "-dns", "127.0.0.1")
	await(t, "127.0.0.1:10040")
	await(t, "127.0.0.1:10041")
	p := startPostfix(t)
	for _, p := range ports {
		await(t, fmt.Sprintf("127.0.0.1:%d", p.port))
	}
	return p
}

// startPostfix starts what configure has configured.
func startPostfix(t *testing.T) postfix {
	t.Helper()
	start(t, "postfix", "/usr/sbin/postfix", "start-fg")
	t.Cleanup(func() {
		netns.Run(t, "/usr/sbin/postfix", "stop") // a signal to start-fg would leave its master behind
		if t.Failed() {
			log, _ := os.ReadFile("/run/postfix/log")
			t.Logf("Postfix: %s", log[max(0, len(log)-4000):])
		}
	})
	version := strings.TrimSpace(netns.Run(t, "/usr/sbin/postconf", "-h", "mail_version"))
	return postfix{version: "Postfix " + version, mail: "/run/postfix/mail/box/new"}
}

// configure makes the directories and the configuration of Postfix: the files of testdata,
// with more behind them; a parameter of mainCF replaces that of the file. It takes the other
// files that the package has in /etc/postfix from etc, where the package is installed
// (Debian's Postfix requires postfix-files there), or from where it was unpacked.
func configure(t *testing.T, etc fs.FS, mainCF, masterCF string) {
	t.Helper()
	path := debian.Program(t, "postfix", "postfix")
	if root, ok := strings.CutSuffix(path, "/usr/sbin/postfix"); ok && root != "" {
		// The package was unpacked, and looks for its parts below /usr.
		netns.Run(t, "mount", "-t", "overlay", "overlay", "-o", "lowerdir="+root+"/usr:/usr", "/usr")
		etc = os.DirFS(root + "/etc")
	}
	packaged, err := fs.Sub(etc, "postfix")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS("/etc/postfix", packaged); err != nil {
		t.Fatal(err)
	}
	for dir, owner := range map[string]int{"/run/postfix": 0, "/run/postfix/spool": 0, "/run/postfix/data": 65532, "/run/postfix/mail": 65534, "/etc/postfix": 0} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, owner, -1); err != nil {
			t.Fatal(err)
		}
	}
	for file, more := range map[string]string{"main.cf": mainCF, "master.cf": masterCF} {
		text, err := os.ReadFile("testdata/postfix/" + file)
		if err != nil {
			t.Fatal(err)
		}
		netns.WriteFile(t, "/etc/postfix/"+file, without(string(text), more)+more)
	}
}

// without returns the lines of a main.cf without those whose parameter another one sets.
func without(text, other string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		name, _, ok := strings.Cut(line, "=")
		if !ok || !strings.Contains("\n"+other, "\n"+name+"=") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// start runs a program until the test ends.
func start(t *testing.T, name, path string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%s: %v: %s", name, err, out.Bytes()[max(0, out.Len()-2000):])
		}
	})
}

func await(t *testing.T, addr string) {
	t.Helper()
	for range 300 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("nothing listens at %s", addr)
}

// ask adds what Postfix says about a client: whether its own restrictions refuse, and
// the reply by our programs.
func (p postfix) ask(t *testing.T, c client, theirs map[string]string) {
	t.Helper()
	for _, q := range ports {
		got := smtpSession(t, c, q.port)
		if strings.HasPrefix(q.column, "pf-") {
			got = okIf(got == "ok")
		}
		theirs[q.column] = got
	}
}

// checkMilter sends messages through the milter, and checks what is delivered: a forged field
// is deleted, ours is there, and a client that is refused reaches the role mailboxes alone.
func (p postfix) checkMilter(t *testing.T) {
	t.Helper()
	os.RemoveAll(p.mail)
	const port = 2506
	d := connect(t, mta, port)
	d.say(t, " => 220", "EHLO smtp.example.test => 250", "MAIL FROM:<a@example.test> => 250", "RCPT TO:<box@receiver.test> => 250", "RCPT TO:<box2@receiver.test> => 250",
		"DATA => 354", "Authentication-Results: mx.receiver.test; spf=pass forged\r\nAuthentication-Results: mx.other.test; spf=pass\r\nSubject: x\r\n\r\nx\r\n. => 250", "QUIT => 221")
	for _, message := range p.delivered(t, 2) {
		unfolded := strings.NewReplacer("\n\t", " ", "\n ", " ").Replace("\n" + message)
		if strings.Count(unfolded, "\nAuthentication-Results:"+ours+"\n") != 1 || strings.Contains(unfolded, "forged") || !strings.Contains(unfolded, "mx.other.test") {
			t.Errorf("delivered %s", message)
		}
	}
	d = connect(t, "192.0.2.66", port)
	d.say(t, " => 220", "EHLO www.example.test => 250", "MAIL FROM:<a@example.test> => 250", "RCPT TO:<box@receiver.test> => 550 5.7.23", "RCPT TO:<Postmaster@receiver.test> => 250", "RCPT TO:<box2@receiver.test> => 550 5.7.23",
		"DATA => 354", "Subject: x\r\n\r\nx\r\n. => 250", "QUIT => 221")
	for _, message := range p.delivered(t, 1) {
		if !strings.Contains(message, "\nDelivered-To: Postmaster@receiver.test\n") || !strings.Contains(message, "spf=fail smtp.helo=www.example.test") {
			t.Errorf("delivered %s", message)
		}
	}
}
