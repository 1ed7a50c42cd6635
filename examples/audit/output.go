package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/report"
	"github.com/bonafide-mta/bonafide/internal/bounded"
)

// A document is a report, or with -since its changes.
type document interface {
	WriteText(io.Writer) error
	WriteMarkdown(io.Writer) error
	WriteJSON(io.Writer) error
	fmt.Stringer // on one line
}

// A printer writes the results of the audits.
type printer struct {
	*options
	stdout, stderr io.Writer
	isList         bool                      // JSON is a list
	previous       map[string]*report.Report // of -since, by organization
	saveFile       *os.File                  // becomes the file of -save
	pageFailed     bool                      // a page of -html could not be written
	pageWritten    map[string]bool           // of -html, by organization
}

// A verdict sums up one organization. The worst is the greatest.
type verdict int

const (
	passed verdict = iota
	undecided
	failed
	unreported // no report was possible
)

var (
	verdictText = []string{passed: "pass", undecided: "undecided", failed: "fail", unreported: "error"}
	exitStatus  = []int{passed: 0, undecided: 3, failed: 1, unreported: 2}
)

func (p *printer) verdict(r result) verdict {
	switch {
	case r.err != nil:
		return unreported
	case r.report.Failed(p.threshold):
		return failed
	case r.report.Undecided(p.threshold):
		return undecided
	}
	return passed
}

// printError writes an error for people.
func (p *printer) printError(err error) {
	fmt.Fprintf(p.stderr, "audit: %s\n", strings.TrimPrefix(err.Error(), "audit: "))
}

// fail ends a program that cannot audit anything.
func (p *printer) fail(err error) int {
	p.printError(err)
	if p.format == "json" {
		report.NoReport{Version: report.Version, Error: err.Error()}.WriteJSON(p.stdout)
	}
	return exitStatus[unreported]
}

// open reads the file of -since and makes sure that what -html and -save name can be
// written.
func (p *printer) open() error {
	if err := p.checkPage(); err != nil {
		return err
	}
	if p.since != "" {
		f, err := os.Open(p.since)
		if err != nil {
			return err
		}
		defer f.Close()
		if p.previous, err = readReports(f); err != nil {
			return fmt.Errorf("%s: %s", p.since, strings.TrimPrefix(err.Error(), "report: "))
		}
	}
	if p.save == "" {
		return nil
	}
	if info, err := os.Stat(p.save); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("-save %s: expected a file", p.save)
	}
	kept, err := os.CreateTemp(filepath.Dir(p.save), ".audit-*.json")
	if path, ok := errors.AsType[*os.PathError](err); ok { // whose name is not the user's
		return fmt.Errorf("-save %s: %w", p.save, path.Err)
	}
	p.saveFile = kept
	return err
}

// What the file of -since may have, in octets: one report as report.ReadReport reads it, or
// a list of them.
const (
	maxOne  = 64 << 20
	maxList = 1 << 30
)

// readDocuments yields one JSON document, or those of a list, of which it has one at a time
// in memory. An error is the last.
func readDocuments(r io.Reader) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		in := bufio.NewReader(r)
		if head, _ := in.Peek(512); !bytes.HasPrefix(bytes.TrimSpace(head), []byte("[")) {
			yield(bounded.ReadAll(in, maxOne))
			return
		}
		var one struct{ io.Reader } // has a limit of its own for each document
		dec := json.NewDecoder(bounded.NewReader(&one, maxList))
		next := func(get func() error) error {
			one.Reader = bounded.NewReader(in, maxOne)
			return get()
		}
		token := func() error { _, err := dec.Token(); return err }
		err := next(token)
		for err == nil && dec.More() {
			var document json.RawMessage
			if err = next(func() error { return dec.Decode(&document) }); err == nil && !yield(document, nil) {
				return
			}
		}
		if err == nil {
			err = next(token)
		}
		if err == nil && dec.More() {
			err = errors.New("there is more after the list of reports")
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// readReports reads one report, or a list of them. Any of them may be the reason why there
// was no report.
func readReports(r io.Reader) (map[string]*report.Report, error) {
	reports := make(map[string]*report.Report)
	for d, err := range readDocuments(r) {
		if long, ok := errors.AsType[*bounded.Error](err); ok {
			return nil, fmt.Errorf("%w: expected what -save wrote", long)
		}
		if err != nil {
			return nil, err
		}
		var none report.NoReport
		if json.Unmarshal(d, &none) == nil && none.Version == report.Version && none.Error != "" {
			continue
		}
		report, err := report.ReadReport(bytes.NewReader(d))
		if err != nil {
			return nil, err
		}
		reports[report.Organization] = report
	}
	return reports, nil
}

// print writes all results, and returns the exit status.
func (p *printer) print(ctx context.Context, results iter.Seq[result], bar *bar) int {
	worst := passed
	out, kept := &listing{w: p.stdout, brackets: p.isList}, &listing{w: p.saveFile, brackets: p.isList}
	audited, all := make(map[string]bool), true
	for r := range results {
		worst = max(worst, p.verdict(r))
		if all = all && r.report != nil; r.report != nil {
			audited[r.report.Organization] = true
		}
		err := bar.hidden(func() error { return p.result(out, r) })
		if err == nil && p.saveFile != nil {
			err = kept.add(p.json(r, r.report))
		}
		if err != nil {
			p.printError(err)
			return exitStatus[unreported]
		}
	}
	for _, organization := range slices.Sorted(maps.Keys(p.previous)) {
		if all && !audited[organization] {
			fmt.Fprintf(p.stderr, "audit: warning: %s has a report of %s, which is not audited any more\n", p.since, organization)
		}
	}
	var err error
	if p.format == "json" {
		err = out.end()
	}
	if err == nil && p.saveFile != nil && ctx.Err() == nil { // an interrupted audit is not kept
		err = p.keep(kept)
	}
	if err != nil {
		p.printError(err)
	}
	if err != nil || p.pageFailed {
		return exitStatus[unreported]
	}
	if p.demonstrates() && worst != unreported {
		return exitStatus[passed] // it shows failures, it is not one
	}
	return exitStatus[worst]
}

// result writes what came of one organization to standard output.
func (p *printer) result(out *listing, r result) error {
	if r.err != nil {
		p.printError(r.err)
	}
	var d document
	if r.report != nil {
		d = r.report
	}
	if r.report != nil && p.html != "" {
		if err := p.page(r.report); err != nil { // the report is not lost with it
			p.printError(err)
			p.pageFailed = true
		}
	}
	if r.report != nil && p.since != "" {
		before := p.previous[r.report.Organization]
		if before == nil {
			fmt.Fprintf(p.stderr, "audit: warning: %s has no report of %s: all of it is new\n", p.since, r.report.Organization)
		}
		d = r.report.Diff(before)
	}
	switch {
	case p.format == "json":
		return out.add(p.json(r, d))
	case p.format == "summary":
		verdict := verdictText[p.verdict(r)] + " " + r.name
		if d == nil {
			said, _, _ := strings.Cut(r.err.Error(), "\n")
			_, err := fmt.Fprintf(p.stdout, "%s: %s\n", verdict, said)
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "%s at %s: %s\n", verdict, p.threshold, d)
		return err
	case d == nil:
		return nil
	}
	if out.n++; out.n > 1 {
		fmt.Fprintln(p.stdout)
	}
	switch {
	case p.format == "markdown":
		return d.WriteMarkdown(p.stdout)
	case p.since == "" && colors(p.stdout):
		return r.report.WriteColor(p.stdout)
	}
	return d.WriteText(p.stdout)
}

// json returns a function that writes the document of a result.
func (p *printer) json(r result, d document) func(io.Writer) error {
	if r.err != nil {
		return report.NoReport{Version: report.Version, Organization: r.name, Error: r.err.Error()}.WriteJSON
	}
	return d.WriteJSON
}

// keep renames the saved reports to the file of -save.
func (p *printer) keep(kept *listing) error {
	if err := kept.end(); err != nil {
		return err
	}
	if err := p.saveFile.Chmod(0o644); err != nil {
		return err
	}
	if err := p.saveFile.Close(); err != nil {
		return err
	}
	return os.Rename(p.saveFile.Name(), p.save)
}

// discard removes the saved reports unless they were renamed.
func (p *printer) discard() {
	if p.saveFile != nil {
		p.saveFile.Close()
		os.Remove(p.saveFile.Name()) // fails after keep
	}
}

// A listing writes JSON documents one after the other, in brackets if there may be several.
type listing struct {
	w        io.Writer
	brackets bool
	n        int
}

func (l *listing) add(write func(io.Writer) error) error {
	if l.brackets {
		before := ","
		if l.n == 0 {
			before = "["
		}
		if _, err := fmt.Fprintln(l.w, before); err != nil {
			return err
		}
	}
	l.n++
	return write(l.w)
}

func (l *listing) end() error {
	if !l.brackets {
		return nil
	}
	_, err := fmt.Fprintln(l.w, "]")
	return err
}
