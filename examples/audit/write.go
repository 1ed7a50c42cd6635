package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bonafide-mta/bonafide/identity/audit"
)

// write writes the report as the flags say: the page to its file, and to stdout what is
// for people, machines or issues.
func (o *options) write(report *audit.Report, stdout io.Writer) error {
	if o.html != "" {
		if err := o.writePage(report); err != nil {
			return err
		}
	}
	switch {
	case o.json:
		return report.WriteJSON(stdout)
	case o.markdown:
		return report.WriteMarkdown(stdout)
	case colours(stdout):
		return report.WriteColour(stdout)
	}
	return report.WriteText(stdout)
}

// writePage writes the page to its file, which is none that the report was made from.
func (o *options) writePage(report *audit.Report) error {
	if there, err := os.Stat(o.html); err == nil {
		for _, input := range append([]string{o.orgFile}, o.zones...) {
			file := input[strings.IndexByte(input, '=')+1:] // of a zone file with its origin
			if is, err := os.Stat(file); err == nil && os.SameFile(there, is) {
				return fmt.Errorf("-html %s: that is an input file", o.html)
			}
		}
	}
	var page bytes.Buffer
	if err := report.WriteHTML(&page, nil); err != nil {
		return err
	}
	return os.WriteFile(o.html, page.Bytes(), 0o666)
}

// colours reports whether w is a terminal whose user wants them (no-color.org).
func colours(w io.Writer) bool {
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
