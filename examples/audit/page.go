package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/report"
)

// checkPage makes sure that the pages of -html can be written, before anything is asked.
func (o *options) checkPage() error {
	if o.html == "" {
		return nil
	}
	info, err := os.Stat(o.html)
	switch {
	case o.several && (err != nil || !info.IsDir()):
		return fmt.Errorf("-html %s: of several organizations, expected a directory that exists", o.html)
	case o.several:
		return nil
	case err == nil && info.IsDir():
		return fmt.Errorf("-html %s: expected a file, not a directory", o.html)
	case o.reads(o.html):
		return fmt.Errorf("-html %s: that is an input file", o.html)
	case o.save != "" && filepath.Clean(o.html) == filepath.Clean(o.save):
		return fmt.Errorf("-html %s: that is the file of -save", o.html)
	case err == nil:
		return nil
	}
	if info, err := os.Stat(filepath.Dir(o.html)); err != nil || !info.IsDir() {
		return fmt.Errorf("-html %s: expected a file in a directory that exists", o.html)
	}
	return nil
}

// page writes a report as a page, with the changes if -since has an earlier report.
func (p *printer) page(report *report.Report) error {
	var page bytes.Buffer
	if err := report.WriteHTML(&page, p.previous[report.Organization]); err != nil {
		return err
	}
	if !p.several {
		return os.WriteFile(p.html, page.Bytes(), 0o666)
	}
	if p.pageWritten[report.Organization] {
		return fmt.Errorf("-html %s: two descriptions of %s, and one page", p.html, report.Organization)
	}
	p.pageWritten[report.Organization] = true
	dir, err := os.OpenRoot(p.html)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.WriteFile(report.Organization+"html", page.Bytes(), 0o666)
}

// reads reports whether a file is one that the flags name as input.
func (o *options) reads(file string) bool {
	there, err := os.Stat(file)
	if err != nil {
		return false
	}
	inputs := append(slices.Clone(o.orgs), o.since)
	for _, zone := range o.dns.Zones {
		inputs = append(inputs, zone[strings.IndexByte(zone, '=')+1:])
	}
	return slices.ContainsFunc(inputs, func(input string) bool {
		is, err := os.Stat(input)
		return err == nil && os.SameFile(there, is)
	})
}

// colors reports whether w is a terminal whose user wants them (no-color.org).
func colors(w io.Writer) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
