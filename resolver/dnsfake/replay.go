package dnsfake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/internal/bounded"
	"github.com/bonafide-mta/bonafide/internal/txt"
	"github.com/bonafide-mta/bonafide/resolver"
)

// ErrNotRecorded is the cause of the error for a question that a transcript does
// not have.
var ErrNotRecorded = errors.New("the transcript does not have this question")

// A Player is a Resolver that answers from a transcript and asks nobody. [Recorder] documents
// the transcript. Make a Player with [Replay].
type Player struct {
	mu       sync.Mutex
	replies  map[resolver.Question][]resolver.Response
	missing  []error
	answered map[resolver.Question]int
}

// Replay reads a transcript of at most 128 MiB. The file name is used in errors and is not
// opened. The error is a *resolver.ZoneError that lists the bad lines, at most 1000.
//
// If the transcript has a question several times, its answers are given in that order, and
// then the last one again. Any other question is an error that wraps [ErrNotRecorded]: record
// again.
func Replay(file string, transcript io.Reader) (*Player, error) {
	p := &Player{replies: make(map[resolver.Question][]resolver.Response), answered: make(map[resolver.Question]int)}
	reader := player{file: file, into: p.replies}
	lines := bufio.NewScanner(bounded.NewReader(transcript, maxTranscript))
	lines.Buffer(nil, maxLine)
	for len(reader.problems) < maxProblems && lines.Scan() {
		reader.line++
		reader.read(lines.Text())
	}
	if err := lines.Err(); err != nil {
		reader.fail("%v", err)
	}
	if len(reader.problems) > 0 {
		return nil, &resolver.ZoneError{Problems: reader.problems}
	}
	return p, nil
}

// What Replay reads at most: octets, and lines with an error.
const (
	maxTranscript = 128 << 20
	maxProblems   = 1000
)

// maxLine holds the longest record: 64 KiB of octets, four characters each.
const maxLine = 1 << 20

// Lookup implements resolver.Resolver.
func (p *Player) Lookup(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	canonical, err := resolver.Canonical(name)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return resolver.Answer{}, &resolver.Error{Name: name, Type: qtype, Err: err}
	}
	q := resolver.Question{Name: canonical, Type: qtype}
	p.mu.Lock()
	defer p.mu.Unlock()
	replies := p.replies[q]
	if len(replies) == 0 {
		missing := &resolver.Error{Name: canonical, Type: qtype, Err: ErrNotRecorded}
		p.missing = append(p.missing, missing)
		return resolver.Answer{}, missing
	}
	reply := replies[min(p.answered[q], len(replies)-1)]
	p.answered[q]++
	return reply.Answer, reply.Err
}

// Missing returns an error for each question that was asked and is not in the transcript,
// in order.
func (p *Player) Missing() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.missing)
}

// A player reads a transcript line by line.
type player struct {
	file     string
	line     int
	into     map[resolver.Question][]resolver.Response
	at       *resolver.Question // the question whose answer is being read
	problems []resolver.Problem
}

func (p *player) fail(format string, args ...any) {
	p.problems = append(p.problems, resolver.Problem{File: p.file, Line: p.line, Text: fmt.Sprintf(format, args...)})
}

func (p *player) read(line string) {
	switch rest, beneath := strings.CutPrefix(line, "\t"); {
	case strings.TrimSpace(line) == "", strings.HasPrefix(line, ";"):
	case !beneath:
		p.question(line)
	case p.at == nil:
		if len(p.problems) == 0 {
			p.fail("expected a question first: a name and a type")
		}
	default:
		replies := p.into[*p.at]
		p.detail(&replies[len(replies)-1], rest)
	}
}

// question reads "NAME TYPE".
func (p *player) question(line string) {
	p.at = nil
	space := max(strings.LastIndexByte(line, ' '), 0) // a name may have an escaped one
	canonical, err := resolver.Canonical(line[:space])
	qtype, ok := txt.Type(strings.TrimSpace(line[space:]))
	if err != nil || !ok {
		p.fail("%q: expected a name and a type, or a tab before what belongs to a question", line)
		return
	}
	p.at = &resolver.Question{Name: canonical, Type: qtype}
	p.into[*p.at] = append(p.into[*p.at], resolver.Response{Question: *p.at})
}

// detail reads one line beneath a question.
func (p *player) detail(r *resolver.Response, line string) {
	keyword, rest, _ := strings.Cut(line, " ")
	var err error
	switch keyword {
	case "status":
		err = r.Status.UnmarshalText([]byte(rest))
	case "ttl":
		r.TTL, err = time.ParseDuration(rest)
	case "ad":
		r.Authentic = true
	case "server":
		err = p.server(r, rest)
	case "alias":
		r.Chain, err = appendRR(r.Chain, rest)
	case "record":
		r.Records, err = appendRR(r.Records, rest)
	case "fault":
		err = fault(r, rest)
	case "extended", "cause":
		e, ok := errors.AsType[*resolver.Error](r.Err)
		switch {
		case !ok:
			err = errors.New("expected a fault before it")
		case keyword == "cause":
			err = addCause(e, rest)
		default:
			err = addExtended(e, rest)
		}
	default:
		err = errors.New("expected server, status, ttl, ad, alias, record, fault, extended or cause")
	}
	if err != nil {
		p.fail("%s: %v", keyword, err)
	}
}

func (p *player) server(r *resolver.Response, text string) (err error) {
	r.Server, err = strconv.Unquote(text)
	return err
}

func appendRR(to []dns.RR, text string) ([]dns.RR, error) {
	rr, err := txt.Parse(text)
	if err != nil {
		return to, err
	}
	return append(to, rr), nil
}

// fault reads what is behind the word: a response code, a quoted text, or both.
func fault(r *resolver.Response, text string) error {
	e := &resolver.Error{Name: r.Name, Type: r.Type, Server: r.Server}
	r.Server, r.Err = "", e
	word, quoted, _ := strings.Cut(text, " ")
	if strings.HasPrefix(text, `"`) || text == "" {
		word, quoted = "", text
	}
	if word != "" {
		rcode, ok := dns.StringToRcode[word]
		if n, err := strconv.ParseUint(word, 10, 12); err == nil {
			rcode, ok = int(n), true
		}
		if !ok {
			return fmt.Errorf("%q: expected a response code or a quoted text", word)
		}
		e.RCode = rcode
	}
	if quoted == "" {
		return nil
	}
	said, err := strconv.Unquote(quoted)
	e.Err = &replayed{text: said}
	return err
}

func addExtended(e *resolver.Error, text string) error {
	number, quoted, _ := strings.Cut(text, " ")
	code, errCode := strconv.ParseUint(number, 10, 16)
	said, errText := strconv.Unquote(quoted)
	e.Extended = append(e.Extended, resolver.ExtendedError{Code: uint16(code), Text: said})
	return errors.Join(errCode, errText)
}

func addCause(e *resolver.Error, word string) error {
	i := slices.IndexFunc(causes, func(c cause) bool { return c.word == word })
	if i < 0 {
		return fmt.Errorf("%q: no such cause", word)
	}
	r, ok := e.Err.(*replayed)
	if !ok {
		r = new(replayed)
		e.Err = r
	}
	r.causes = append(r.causes, causes[i].err)
	return nil
}

// replayed is the cause of an error as a transcript has it.
type replayed struct {
	text   string
	causes []error
}

// Error implements error.
func (r *replayed) Error() string { return r.text }

// Unwrap returns the causes, for errors.Is.
func (r *replayed) Unwrap() []error { return r.causes }
