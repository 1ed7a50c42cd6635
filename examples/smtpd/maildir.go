package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/bonafide-mta/bonafide/identity"
)

// A maildir is the path of a Maildir.
type maildir string

var delivered atomic.Uint64

// open makes the directories.
func (m maildir) open() error {
	for _, dir := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(string(m), dir), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// deliver writes the trace fields and a message: in tmp first, so that nobody reads half
// a message. It returns the file, and the number of forged fields it removed.
func (m maildir) deliver(trace string, message io.Reader, authservID string) (file string, forged int, err error) {
	name := fmt.Sprintf("%d.P%dQ%d.%s", time.Now().Unix(), os.Getpid(), delivered.Add(1), authservID)
	tmp := filepath.Join(string(m), "tmp", name)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
	}()
	w := bufio.NewWriter(f)
	w.WriteString(trace) // its error comes from Flush
	if forged, err = copyMessage(w, message, authservID); err != nil {
		return "", 0, err
	}
	if err = errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return "", 0, err
	}
	file = filepath.Join(string(m), "new", name)
	return file, forged, os.Rename(tmp, file)
}

// maxHeader bounds the header of a message, in octets.
const maxHeader = 256 << 10

var (
	errHeader = &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "header too large"}
	errBareCR = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "a carriage return that ends no line in the header"}
)

// copyMessage copies a message without the Authentication-Results fields that claim to be
// ours, and returns their number.
func copyMessage(w io.Writer, message io.Reader, authservID string) (forged int, err error) {
	r := bufio.NewReader(message)
	var field []byte // with its continuation lines
	size := 0
	flush := func() error {
		if len(field) == 0 {
			return nil
		}
		name, value, _ := strings.Cut(string(field), ":")
		if strings.EqualFold(strings.TrimRight(name, " \t"), "Authentication-Results") && identity.ForgedResults(value, authservID) {
			forged++
		} else if _, err := w.Write(field); err != nil {
			return err
		}
		field = field[:0]
		return nil
	}
	for {
		line, err := r.ReadSlice('\n')
		size += len(line)
		text := bytes.TrimRight(line, "\n")
		text = bytes.TrimSuffix(text, []byte("\r"))
		switch {
		case errors.Is(err, bufio.ErrBufferFull), size > maxHeader:
			return forged, errHeader
		case bytes.IndexByte(text, '\r') >= 0:
			// Some readers begin another line there.
			return forged, errBareCR
		case err != nil && err != io.EOF:
			return forged, err
		}
		if len(text) > 0 && (text[0] == ' ' || text[0] == '\t') {
			field = append(field, line...)
		} else if err := flush(); err != nil {
			return forged, err
		} else {
			field = append(field, line...)
		}
		if len(text) == 0 || err == io.EOF {
			break // the end of the header
		}
	}
	if err := flush(); err != nil {
		return forged, err
	}
	_, err = io.Copy(w, r)
	return forged, err
}
