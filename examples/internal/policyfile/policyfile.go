// Package policyfile reads the file of -policy, in YAML or JSON. Its keys are those of the JSON
// form of identity.Policy; the package comment of examples/smtpd shows a file.
package policyfile

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity"
	"github.com/bonafide-mta/bonafide/internal/bounded"
	"github.com/bonafide-mta/bonafide/internal/untrusted"
	"github.com/bonafide-mta/bonafide/internal/yamldoc"
)

// maxPrinted is how many mistakes an error lists before it only counts.
const maxPrinted = 20

// Read reads a policy from a file. The error has one line for each of the first twenty mistakes:
// file, line and column, the value, and what was expected. Entries that Policy.Validate refuses are mistakes.
func Read(file string) (identity.Policy, error) {
	text, err := bounded.ReadFile(file, yamldoc.MaxSize)
	if err != nil {
		return identity.Policy{}, err
	}
	return parse(file, text)
}

func parse(file string, text []byte) (identity.Policy, error) {
	doc, body := yamldoc.Parse(text, "one policy", "some of the keys reasons, levels, exceptions, report_only and explain")
	r := reader{Reader: doc}
	if body != nil {
		r.policy(body)
	}
	problems := doc.Problems
	if err := r.read.Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			place, text, _ := strings.Cut(line, ": ")
			if !doc.Unread(place) {
				at, column := doc.Position(place)
				problems = append(problems, yamldoc.Problem{Line: at, Column: column, Path: place, Text: text})
			}
		}
	}
	if len(problems) == 0 {
		return r.read, nil
	}
	slices.SortStableFunc(problems, yamldoc.Problem.Compare)
	var errs []error
	for i, p := range problems {
		if i == maxPrinted {
			errs = append(errs, fmt.Errorf("and %d more", len(problems)-maxPrinted))
			break
		}
		errs = append(errs, errors.New(untrusted.Line(file+":"+p.String())))
	}
	return identity.Policy{}, errors.Join(errs...)
}

// A reader turns a document into a policy.
type reader struct {
	*yamldoc.Reader
	read identity.Policy
}

func (r *reader) policy(body yamldoc.Node) {
	p := &r.read
	r.Mapping("", body, map[string]func(string, yamldoc.Node){
		"reasons":     func(path string, n yamldoc.Node) { p.Reasons = actions(r, path, n, identity.Reasons()) },
		"levels":      func(path string, n yamldoc.Node) { p.Levels = actions(r, path, n, identity.Levels()) },
		"report_only": func(path string, n yamldoc.Node) { p.ReportOnly = r.Boolean(path, n) },
		"explain":     func(path string, n yamldoc.Node) { p.Explain = r.Boolean(path, n) },
		"exceptions": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) { p.Exceptions = append(p.Exceptions, r.exception(path, n)) })
		},
	})
}

func (r *reader) exception(path string, n yamldoc.Node) identity.Exception {
	var e identity.Exception
	r.Mapping(path, n, map[string]func(string, yamldoc.Node){
		"network": func(path string, n yamldoc.Node) {
			text := r.Text(path, n)
			var err error
			if e.Network, err = netip.ParsePrefix(text); err != nil && !r.Unread(path) {
				r.Refuse(n, path, "%q: expected a network, as 192.0.2.0/28", text)
			}
		},
		"name":  func(path string, n yamldoc.Node) { e.Name = r.Text(path, n) },
		"why":   func(path string, n yamldoc.Node) { e.Why = r.Text(path, n) },
		"until": func(path string, n yamldoc.Node) { e.Until = r.Text(path, n) },
		"for": func(path string, n yamldoc.Node) {
			r.Sequence(path, n, func(path string, n yamldoc.Node) {
				var reason identity.Reason
				r.keyword(path, n, &reason)
				e.For = append(e.For, reason)
			})
		},
	})
	return e
}

// actions reads a mapping of keywords to actions.
func actions[K interface {
	comparable
	fmt.Stringer
}](r *reader, path string, n yamldoc.Node, keys []K) map[K]identity.Action {
	read := make(map[K]identity.Action)
	values := make(map[string]func(string, yamldoc.Node))
	for _, key := range keys {
		values[key.String()] = func(path string, n yamldoc.Node) {
			var action identity.Action
			r.keyword(path, n, &action)
			read[key] = action
		}
	}
	r.Mapping(path, n, values)
	return read
}

// keyword reads one of an enumeration.
func (r *reader) keyword(path string, n yamldoc.Node, to encoding.TextUnmarshaler) {
	text := r.Text(path, n)
	if r.Unread(path) {
		return
	}
	if err := to.UnmarshalText([]byte(text)); err != nil {
		r.Refuse(n, path, "%v", err)
	}
}
