package main

import (
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
)

// A document is a report, or with -since what has changed.
type document interface {
	WriteText(io.Writer) error
	WriteMarkdown(io.Writer) error
	WriteJSON(io.Writer) error
	fmt.Stringer // on one line
}

// A printer writes what comes of the audits.
type printer struct {
	*options
	stdout, stderr io.Writer
	list           bool                      // JSON is a list
	previous       map[string]*report.Report // of -since, by organization
	kept           *os.File                  // what -save will be
	pageless       bool                      // a page of -html could not be written
	pages          map[string]bool           // of -html, written already, by organization
}

// A verdict is what is said of one organization, the worst being the greatest.
type verdict int

const (
	well verdict = iota
	undecided
	failed
	broken // there is no report
)

var (
	verdictText = []string{well: "pass", undecided: "undecided", failed: "fail", broken: "error"}
	exitStatus  = []int{well: 0, undecided: 3, failed: 1, broken: 2}
)

func (p *printer) verdict(r result) verdict {
	switch {
	case r.err != nil:
		return broken
	case r.report.Failed(p.threshold):
		return failed
	case r.report.Undecided(p.threshold):
		return undecided
	}
	return well
}

// complain writes an error for people; those of package audit say where they are from.
func (p *printer) complain(err error) {
	fmt.Fprintf(p.stderr, "audit: %s\n", strings.TrimPrefix(err.Error(), "audit: "))
}

// refuse ends a program that cannot audit anything.
func (p *printer) refuse(err error) int {
	p.complain(err)
	if p.format == "json" {
		report.NoReport{Version: report.Version, Error: err.Error()}.WriteJSON(p.stdout)
	}
	return exitStatus[broken]
}

// open reads the file of -since and makes sure that what -html and -save name can be
// written.
func (p *printer) open() error {
	if err := p.checkPage(); err != nil {
		return err
	}
	if p.since != "" {
		text, err := os.ReadFile(p.since)
		if err != nil {
			return err
		}
		if p.previous, err = readReports(text); err != nil {
			return fmt.Errorf("%s: %s", p.since, strings.TrimPrefix(err.Error(), "audit: "))
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
	p.kept = kept
	return err
}

// readReports reads one report, or a list of them; in the place of any may stand why there
// was none.
func readReports(text []byte) (map[string]*report.Report, error) {
	documents := []json.RawMessage{text}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		if err := json.Unmarshal(text, &documents); err != nil {
			return nil, err
		}
	}
	reports := make(map[string]*report.Report)
	for _, d := range documents {
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
	worst := well
	out, kept := &listing{w: p.stdout, brackets: p.list}, &listing{w: p.kept, brackets: p.list}
	audited, all := make(map[string]bool), true
	for r := range results {
		worst = max(worst, p.verdict(r))
		if all = all && r.report != nil; r.report != nil {
			audited[r.report.Organization] = true
		}
		err := bar.aside(func() error { return p.result(out, r) })
		if err == nil && p.kept != nil {
			err = kept.add(p.json(r, r.report))
		}
		if err != nil {
			p.complain(err)
			return exitStatus[broken]
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
	if err == nil && p.kept != nil && ctx.Err() == nil { // an interrupted audit is not kept
		err = p.keep(kept)
	}
	if err != nil {
		p.complain(err)
	}
	if err != nil || p.pageless {
		return exitStatus[broken]
	}
	if p.demonstrates() && worst != broken {
		return exitStatus[well] // it shows failures, it is not one
	}
	return exitStatus[worst]
}

// result writes what came of one organization to standard output.
func (p *printer) result(out *listing, r result) error {
	if r.err != nil {
		p.complain(r.err)
	}
	var d document
	if r.report != nil {
		d = r.report
	}
	if r.report != nil && p.html != "" {
		if err := p.page(r.report); err != nil { // the report is not lost with it
			p.complain(err)
			p.pageless = true
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

// json returns what writes the document of a result.
func (p *printer) json(r result, d document) func(io.Writer) error {
	if r.err != nil {
		return report.NoReport{Version: report.Version, Organization: r.name, Error: r.err.Error()}.WriteJSON
	}
	return d.WriteJSON
}

// keep puts what was kept in the place of the file of -save.
func (p *printer) keep(kept *listing) error {
	if err := kept.end(); err != nil {
		return err
	}
	if err := p.kept.Chmod(0o644); err != nil {
		return err
	}
	if err := p.kept.Close(); err != nil {
		return err
	}
	return os.Rename(p.kept.Name(), p.save)
}

// discard removes what was not kept.
func (p *printer) discard() {
	if p.kept != nil {
		p.kept.Close()
		os.Remove(p.kept.Name()) // unless it has its name
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
