//go:build interop

package publish_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/identity/flow"
	"github.com/bonafide-mta/bonafide/internal/lab/netns"
)

// A mail is the result of sending one: the receiver's reply to MAIL, and what its verify =
// helo and verify = csa found.
type mail struct{ Code, Helo, CSA string }

func (m mail) accepted() bool { return m.Code == "250" }

// exims are two Exims: one sends, from the address and with the HELO name that it is given,
// the other receives, and refuses clients that it cannot verify.
type exims struct {
	sender, receiver netns.Exim
	from             string // the envelope sender
	sent, accepted   int
}

// senderConf takes the address, the HELO name and the server from macros (-D).
const senderConf = `primary_hostname = localhost
begin routers
out:
  driver = manualroute
  domains = receiver.test
  route_list = * "<+ SERVER"
  transport = smtp
  self = send
bounces:
  driver = redirect
  data = :blackhole:
begin transports
smtp:
  driver = smtp
  port = 2525
  interface = <+ ADDR
  helo_data = HELO
  allow_localhost
`

// receiverConf refuses clients at MAIL, and says in every reply what it found.
const receiverConf = `primary_hostname = mx.receiver.test
daemon_smtp_port = 2525
local_interfaces = <+ 127.0.0.1 + ::1
tls_advertise_hosts =
deliver_drop_privilege
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
begin acl
mail:
  warn   set acl_c_helo = fail
  warn   verify = helo
         set acl_c_helo = ok
  deny   ! verify = csa
         message = helo=$acl_c_helo csa=$csa_status
  deny   condition = ${if eq{$acl_c_helo}{fail}}
         message = helo=$acl_c_helo csa=$csa_status
  accept message = helo=$acl_c_helo csa=$csa_status
rcpt:
  accept domains = receiver.test
begin routers
box:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = $spool_directory/box
  user = Debian-exim
`

func newExims(t *testing.T, from string) *exims {
	t.Helper()
	x := &exims{from: from}
	x.sender = netns.NewExim(t, senderConf)
	x.receiver = netns.NewExim(t, receiverConf)
	daemon := x.receiver.Command(context.Background(), "-bdf", "-odi")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Nothing may write into a directory that is being removed. A refused mail is
		// completed twice: the second time as a bounce.
		await(t, "all mail", func() bool {
			return completed(t, x.receiver) == x.accepted && completed(t, x.sender) == x.sent+(x.sent-x.accepted)
		})
		if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = daemon.Wait()
		if log := x.log(t); t.Failed() {
			t.Logf("Exim: %s", log[max(0, len(log)-4000):])
		}
	})
	await(t, "Exim", func() bool {
		conn, err := net.Dial("tcp", "[::1]:2525")
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return x
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 500 {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%s: not after 10 s", what)
}

// completed returns how many mails an Exim has finished.
func completed(t *testing.T, x netns.Exim) int {
	t.Helper()
	log, err := os.ReadFile(x.Dir + "/mainlog")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(log), " Completed\n")
}

var mailReply = regexp.MustCompile(`SMTP<< (\d+) helo=(\w+) csa=(\w+)`)

// send sends a mail from an address.
func (x *exims) send(t *testing.T, addr netip.Addr, helo string) mail {
	t.Helper()
	return x.sendAll(t, []envelope{{addr, helo, x.from}})[0]
}

// An envelope is how a client sends a mail.
type envelope struct {
	addr       netip.Addr
	helo, from string
}

// sendAll sends mails, some at the same time.
func (x *exims) sendAll(t *testing.T, envelopes []envelope) []mail {
	t.Helper()
	const atOnce = 4
	mails, errs := make([]mail, len(envelopes)), make([]error, len(envelopes))
	var wg sync.WaitGroup
	for first := range atOnce {
		wg.Go(func() {
			for i := first; i < len(envelopes); i += atOnce {
				mails[i], errs[i] = x.deliver(t.Context(), envelopes[i])
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		x.sent++
		if m.accepted() {
			x.accepted++
		}
	}
	return mails
}

func (x *exims) deliver(ctx context.Context, e envelope) (mail, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	server := "127.0.0.1"
	if e.addr.Is6() {
		server = "::1"
	}
	cmd := x.sender.Command(ctx, "-DSERVER="+server, "-DADDR="+e.addr.String(), "-DHELO="+e.helo, "-odi", "-v", "-f", e.from, "box@receiver.test")
	cmd.Stdin = strings.NewReader("Subject: " + e.helo + "\n\nx\n")
	out, err := cmd.CombinedOutput()
	found := mailReply.FindSubmatch(out)
	if err != nil || found == nil {
		return mail{}, fmt.Errorf("Exim at %s, HELO %s: %v\n%s", e.addr, e.helo, err, out)
	}
	return mail{string(found[1]), string(found[2]), string(found[3])}, nil
}

// log returns the receiver's log of the mail that it accepted and refused.
func (x *exims) log(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(x.receiver.Dir + "/mainlog")
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// observed waits until the HELO names seen in a file of the receiver are these, and returns
// them. The file is its mainlog, or the box, which has them in Received fields.
func (x *exims) observed(t *testing.T, file string, helos map[netip.Addr]string) map[netip.Addr]string {
	t.Helper()
	var seen map[netip.Addr]string
	await(t, fmt.Sprintf("%v in the %s", helos, file), func() bool {
		text, err := os.ReadFile(x.receiver.Dir + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		seen = make(map[netip.Addr]string)
		for o, err := range flow.Observations(bytes.NewReader(text)) {
			if err != nil {
				t.Fatal(err)
			}
			seen[o.Addr] = o.Helo
		}
		return maps.Equal(seen, helos)
	})
	return seen
}
