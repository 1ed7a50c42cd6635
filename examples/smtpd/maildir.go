package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
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
