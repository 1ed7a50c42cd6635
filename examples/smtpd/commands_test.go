package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"pgregory.net/rapid"

	"github.com/bonafide-mta/bonafide/examples/internal/pipenet"
)

// A record is written by several goroutines.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(text)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// A recorder is a backend of go-smtp that writes down what it is told.
type recorder struct{ record }

func (r *recorder) NewSession(*smtp.Conn) (smtp.Session, error) { return r, nil }
func (r *recorder) Reset()                                      {}
func (r *recorder) Logout() error                               { return nil }

func (r *recorder) Mail(from string, _ *smtp.MailOptions) error {
	fmt.Fprintf(r, "from %q\n", from)
	return nil
}

func (r *recorder) Rcpt(to string, _ *smtp.RcptOptions) error {
	fmt.Fprintf(r, "to %q\n", to)
	return nil
}

func (r *recorder) Data(m io.Reader) error {
	text, err := io.ReadAll(m)
	if err == nil {
		fmt.Fprintf(r, "data %q\n", text)
	}
	return err
}

// wrapped serves its connections as commandConns.
type wrapped struct{ net.Listener }

func (l wrapped) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newCommandConn(conn, "mx.quay.example"), nil
}

// play sends text to go-smtp in pieces, and returns what the client and the backend see, and
// the log.
func play(t interface{ Fatal(...any) }, wrap bool, pieces ...string) (replies, told, logged string) {
	l := pipenet.Listen(netip.MustParseAddrPort("192.0.2.1:25"))
	r, lines := &recorder{}, &record{}
	server := smtp.NewServer(r)
	server.Domain, server.MaxMessageBytes, server.ErrorLog = "mx.quay.example", 1000, log.New(lines, "", 0)
	ended := make(chan error)
	go func() {
		if wrap {
			ended <- server.Serve(wrapped{l})
		} else {
			ended <- server.Serve(l)
		}
	}()
	conn, err := l.Dial(netip.MustParseAddr("192.0.2.10"))
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		for _, piece := range pieces {
			io.WriteString(conn, piece) // fails where the server has closed the connection
		}
		conn.CloseWrite()
	}()
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
	return string(text), r.String(), lines.String()
}

func TestPostmaster(t *testing.T) {
	const start = "EHLO x\r\nMAIL FROM:<>\r\n"
	for _, command := range []string{"RCPT TO:<Postmaster>", "rcpt to:<postmaster>", "RCPT  TO: \t<POSTMASTER>  ", "RCPT TO:<postmaster>\n"} {
		if _, told, _ := play(t, true, start+command+"\r\nQUIT\r\n"); !strings.Contains(strings.ToLower(told), `to "postmaster@mx.quay.example"`) {
			t.Errorf("%q: %s", command, told)
		}
	}
	for _, command := range []string{"RCPT TO:<Postmasters>", "RCPT TO:<abuse>", "RCPT TO:postmaster", "VRFY <postmaster>", "XRCPT TO:<postmaster>", "RCPT TO:<postmaster@other.example>"} {
		if _, told, _ := play(t, true, start+command+"\r\nQUIT\r\n"); strings.Contains(told, "mx.quay.example") {
			t.Errorf("%q: %s", command, told)
		}
	}
	// A message is not changed.
	const line = "RCPT TO:<Postmaster>\r\n"
	for name, text := range map[string]string{
		"DATA":              line + "DATA\r\n" + line + "." + line + ".\r\n" + line,
		"BDAT":              line + "BDAT 22 \r\n" + line + "bdat 22 last\r\n" + line + line,
		"BDAT in one piece": line + fmt.Sprintf("BDAT %d LAST\r\n", 2*len(line)) + line + line + line,
	} {
		replies, told, _ := play(t, true, start+text+"MAIL FROM:<a@b.example>\r\n"+line+"QUIT\r\n")
		want := "from \"\"\nto \"Postmaster@mx.quay.example\"\ndata \"RCPT TO:<Postmaster>\\r\\nRCPT TO:<Postmaster>\\r\\n\"\nfrom \"a@b.example\"\nto \"Postmaster@mx.quay.example\"\n"
		if told != want || strings.Count(replies, "502 ") != 1 { // the one after the message, which has no sender
			t.Errorf("%s: %s%s", name, replies, told)
		}
	}
}

// A client that sends commands behind its QUIT is not heard.
func TestAfterQuit(t *testing.T) {
	replies, told, logged := play(t, true, "EHLO x\r\nQUIT\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n")
	if told != "" || logged != "" || !strings.HasSuffix(replies, "221 2.0.0 Bye\r\n") {
		t.Errorf("%q, %q, %s", replies, told, logged)
	}
}

// Any other text is the same to go-smtp with a commandConn and without, except what is read
// after go-smtp has closed the connection.
func TestCommandsUnchanged(t *testing.T) {
	lines := []string{"EHLO x", "HELO y", "MAIL FROM:<>", "MAIL FROM:<a@b.example>", "RCPT TO:<b@c.example>", "RCPT TO:<postmaster@c.example>", "DATA", "RSET", "NOOP", "VRFY x", ".", "..", "", "Subject: x",
		"BDAT 0", "BDAT 5", "BDAT 5 LAST", "BDAT 0 LAST", "BDAT 7 last", "BDAT 99999 LAST", "BDAT -1", "BDAT 5 LAST x", "BDAT", "bdat 3", "BDAT\t3", "BDAT 4294967296", "STARTTLS", "AUTH PLAIN", "354", "220 x", "NOOP\rBDAT 5", "BDAT 5\rLAST"}
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		for _, line := range rapid.SliceOfN(rapid.SampledFrom(lines), 0, 30).Draw(t, "lines") {
			text.WriteString(line + rapid.SampledFrom([]string{"\r\n", "\r\n", "\n"}).Draw(t, "end"))
		}
		text.WriteString("\r\nQUIT\r\n")
		var pieces []string
		for rest := text.String(); rest != ""; {
			n := min(len(rest), rapid.SampledFrom([]int{1, 7, 100, 10_000}).Draw(t, "piece"))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		wantReplies, wantTold, _ := play(t, false, pieces...)
		replies, told, _ := play(t, true, pieces...)
		closed := strings.Contains(replies, "Too many errors")
		if replies != wantReplies || told != wantTold && !(closed && strings.HasPrefix(wantTold, told)) {
			t.Errorf("%q: got\n%s%s, want\n%s%s", text.String(), replies, told, wantReplies, wantTold)
		}
	})
}
