package command

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// CheckNew returns an error if the file of -o exists. Programs call it before their work,
// so that the work is not lost. The file "" is standard output.
func CheckNew(file string) error {
	if file == "" {
		return nil
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("-o %s: it exists, and nothing is written over", file)
	}
	return nil
}

// WriteNew writes the file of -o, which must not exist yet, whole or not at all. The file
// "" is standard output.
func WriteNew(file string, stdout io.Writer, write func(io.Writer) error) error {
	if file == "" {
		return write(stdout)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		os.Remove(file)
		return err
	}
	return nil
}
