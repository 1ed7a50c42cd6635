package main

import (
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

// deliver writes a message: in tmp first, so that nobody reads half of one. It returns the
// file.
func (m maildir) deliver(message io.Reader, host string) (file string, err error) {
	name := fmt.Sprintf("%d.P%dQ%d.%s", time.Now().Unix(), os.Getpid(), delivered.Add(1), host)
	tmp := filepath.Join(string(m), "tmp", name)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
	}()
	if _, err = io.Copy(f, message); err != nil {
		return "", err
	}
	if err = errors.Join(f.Sync(), f.Close()); err != nil {
		return "", err
	}
	file = filepath.Join(string(m), "new", name)
	return file, os.Rename(tmp, file)
}
