package roleaddr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/internal/untrusted"
)

// Bounds of what is read from a host, and of what is kept of one reply.
const (
	maxRead  = 16 << 10 // octets
	maxLines = 8
	maxLine  = 512 // octets (RFC 5321, Section 4.5.3.1.5)
)

// errTooMuch stands for what was not read.
var errTooMuch = fmt.Errorf("the server has said more than %d octets", maxRead)

// A session is one connection to a host. net/textproto reads the replies, and not a
// client of SMTP: what servers say of recipients that they accept is wanted, too.
type session struct {
	ctx     context.Context
	text    *textproto.Conn
	limit   *io.LimitedReader
	replies []Exchange
	broken  error // why there is nothing more to say
}

// limited is a connection of which no more is read than the limit.
type limited struct {
	io.Reader
	net.Conn
}

// Read implements io.Reader.
func (l limited) Read(p []byte) (int, error) { return l.Reader.Read(p) }

// ask connects to the host of a result and asks for the mailboxes. The error is why it
// could not ask; there are no Mailboxes then.
func (c Checker) ask(ctx context.Context, r *Result) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, DefaultTimeout))
	defer cancel()
	dial := c.Dial
	if dial == nil {
		dial = func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr.String())
		}
	}
	conn, err := dial(ctx, r.Addr)
	if err != nil {
		return err
	}
	// Whatever happens, all waiting ends with the context: a server that says one octet a
	// minute has no more time than others.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	limit := &io.LimitedReader{R: conn, N: maxRead}
	s := &session{ctx: ctx, text: textproto.NewConn(limited{limit, conn}), limit: limit}
	defer s.text.Close()
	err = s.converse(r, c.heloText(conn))
	s.command("QUIT")
	r.Replies = s.replies
	return err
}

// heloText returns what to say in EHLO.
func (c Checker) heloText(conn net.Conn) string {
	if c.Helo != "" {
		return c.Helo
	}
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	addr := local.Addr().Unmap().WithZone("")
	switch {
	case err != nil:
		return "[127.0.0.1]" // a connection without addresses
	case addr.Is6():
		return "[IPv6:" + addr.String() + "]" // RFC 5321, Section 4.1.3
	}
	return "[" + addr.String() + "]"
}

// converse asks for all mailboxes.
func (s *session) converse(r *Result, helo string) error {
	greeting, err := s.reply("")
	if err == nil {
		err = greeting.refusal()
	}
	if err != nil {
		return err
	}
	hello, err := s.command("EHLO " + helo)
	if err == nil && hello.Code/100 == 5 {
		hello, err = s.command("HELO " + helo) // RFC 5321, Section 3.2
	}
	if err == nil {
		err = hello.refusal()
	}
	if err != nil {
		return err
	}
	domain := strings.TrimSuffix(r.Domain, ".")
	control := s.mailbox(Control(domain))
	if !control.said {
		return control.Err
	}
	r.CatchAll = control.Status == Pass
	// RFC 5321, Sections 4.1.1.3 and 4.5.1: Postmaster without a domain, in any case.
	for _, address := range []string{"postmaster@" + domain, "abuse@" + domain, "Postmaster"} {
		r.Mailboxes = append(r.Mailboxes, s.mailbox(address).Mailbox)
	}
	return nil
}

// asked is a mailbox, and whether the server said something of it.
type asked struct {
	Mailbox
	said bool
}

// mailbox asks for one address in a transaction of its own: many servers take but one
// recipient from the null sender.
func (s *session) mailbox(address string) asked {
	m := asked{Mailbox: Mailbox{Address: address}}
	mail, err := s.command("MAIL FROM:<>")
	if err == nil {
		err = mail.refusal()
	}
	if err != nil {
		m.Status, m.Err = TempError, err
		if errors.Is(err, ErrClient) {
			m.Status = PermError
		}
		return m
	}
	rcpt, err := s.command("RCPT TO:<" + address + ">")
	if err != nil {
		m.Status, m.Err = TempError, err
		return m
	}
	m.said = true
	m.Status, m.Err = rcpt.recipient(!strings.Contains(address, "@"))
	s.command("RSET") // what was said stands, whatever comes of it
	return m
}

// command says a line and reads the reply.
func (s *session) command(line string) (Exchange, error) {
	if s.broken != nil {
		return Exchange{}, s.broken
	}
	if err := s.text.PrintfLine("%s", line); err != nil {
		return s.lost(Exchange{Command: line}, err)
	}
	return s.reply(line)
}

// reply reads a reply to a command.
func (s *session) reply(command string) (Exchange, error) {
	r := Exchange{Command: command}
	for more := true; more; {
		line, err := s.text.ReadLine()
		if err != nil && s.limit.N <= 0 {
			err = errTooMuch
		}
		if err != nil {
			return s.lost(Exchange{Command: command}, err)
		}
		code, text, follows, ok := parseReplyLine(line)
		if !ok || r.Code != 0 && r.Code != code {
			return s.lost(Exchange{Command: command}, fmt.Errorf("reply %q: a code like 250 expected, the same in each line, then a space or a hyphen, or nothing", shorten(line)))
		}
		r.Code, more = code, follows
		if len(r.Lines) < maxLines {
			r.Lines = append(r.Lines, untrusted.Line(shorten(strings.TrimSpace(line[:3]+" "+text))))
		}
	}
	s.replies = append(s.replies, r)
	return r, nil
}

// parseReplyLine reads a line of a reply: its code, its text, and whether more lines follow.
// A code may have nothing behind it (RFC 5321, Section 4.2).
func parseReplyLine(line string) (code int, text string, follows, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	code, err := strconv.Atoi(line[:3])
	if err != nil || code < 200 || code > 599 {
		return 0, "", false, false
	}
	switch text = line[3:]; {
	case text == "":
		return code, "", false, true
	case text[0] == ' ' || text[0] == '-':
		return code, text[1:], text[0] == '-', true
	}
	return 0, "", false, false
}

// lost ends the session: a reply that did not come leaves nothing more to say.
func (s *session) lost(r Exchange, err error) (Exchange, error) {
	s.replies = append(s.replies, r)
	s.broken = cmp.Or(context.Cause(s.ctx), err)
	return r, s.broken
}

func shorten(line string) string { return line[:min(len(line), maxLine)] }

// refusal returns why a reply is a refusal: ErrClient where it is for good. The first digit
// decides (RFC 5321, Section 4.3.2).
func (r Exchange) refusal() error {
	switch r.Code / 100 {
	case 2:
		return nil
	case 5:
		return fmt.Errorf("%w: %s", ErrClient, r)
	}
	return fmt.Errorf("put off: %s", r)
}

// recipient reads the reply to RCPT. A 5yz reply says that there is no such mailbox only
// with the codes for that: the others are about the client or its command, unless they
// say that a bare address, which must be known, is no address.
func (r Exchange) recipient(bare bool) (Status, error) {
	switch r.Code / 100 {
	case 2:
		return Pass, nil
	case 5:
	default:
		return TempError, fmt.Errorf("put off: %s", r)
	}
	switch class := r.enhanced(); {
	case bare && r.Code/10 == 50:
		return Fail, nil
	case class == "5.1.7", class == "5.1.8": // about the sender (RFC 3463, Section 3.2)
	case strings.HasPrefix(class, "5.1."), strings.HasPrefix(class, "5.2."): // RFC 3463, Sections 3.2 and 3.3
		return Fail, nil
	case strings.HasPrefix(class, "5."):
	case r.Code == 550, r.Code == 551, r.Code == 553, r.Code == 556: // RFC 5321, Section 4.2.3; RFC 7504
		return Fail, nil
	}
	return PermError, fmt.Errorf("%w: %s", ErrClient, r)
}

// enhanced returns the enhanced status code (RFC 2034): of the first line that has one.
func (r Exchange) enhanced() string {
	for _, line := range r.Lines {
		if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[1], "5.") {
			return words[1]
		}
	}
	return ""
}

// String returns the command and the reply on one line.
func (r Exchange) String() string {
	command, lines := cmp.Or(r.Command, "greeting"), strings.Join(r.Lines, " / ")
	return command + ": " + cmp.Or(lines, "no reply")
}
