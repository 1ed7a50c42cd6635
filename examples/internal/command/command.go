// Package command runs the examples as command lines: signals, exit statuses, the text of
// -h, flags that repeat, and output files that replace no other file.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Main runs a program that ends with exit status 0, or with 2 for an error, which it
// prints after the program's name.
func Main(name string, run func(ctx context.Context, args []string, stdout io.Writer) error) {
	MainStatus(withStatus(name, run))
}

func withStatus(name string, run func(ctx context.Context, args []string, stdout io.Writer) error) func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
		if err := run(ctx, args, stdout); err != nil {
			return Status(name, 2, err, stderr)
		}
		return 0
	}
}

// MainStatus runs a program that returns its exit status. The context ends with an
// interrupt or SIGTERM; the second one ends the program.
func MainStatus(run func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Status prints an error after the program's name, unless it is nil, and returns the
// status, which is 0 for flag.ErrHelp.
func Status(name string, status int, err error, stderr io.Writer) int {
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		// Errors of a file are on lines of their own, each with its position.
		fmt.Fprintf(stderr, "%s: %s\n", name, strings.TrimPrefix(err.Error(), name+": "))
	}
	return status
}

// NewFlags returns flags for Parse.
func NewFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error comes back, and is printed once
	return fs
}

// Parse reads flags. For -h it prints the usage and returns flag.ErrHelp.
func Parse(fs *flag.FlagSet, args []string, usage string, stdout io.Writer) error {
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return err
	case err != nil:
		return fmt.Errorf("%w (-h lists the flags)", err)
	}
	return nil
}

// ParseAll is Parse for a command without other arguments than flags.
func ParseAll(fs *flag.FlagSet, args []string, usage string, stdout io.Writer) error {
	if err := Parse(fs, args, usage, stdout); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q (-h lists the flags)", fs.Arg(0))
	}
	return nil
}

// Strings defines a flag that may be repeated.
func Strings(fs *flag.FlagSet, name string, values *[]string) {
	fs.Func(name, "", func(value string) error {
		*values = append(*values, value)
		return nil
	})
}

// Timeout defines -timeout, a duration over 0, with a default.
func Timeout(fs *flag.FlagSet, timeout *time.Duration, otherwise time.Duration) {
	*timeout = otherwise
	fs.Func("timeout", "", func(value string) (err error) {
		if *timeout, err = time.ParseDuration(value); err != nil || *timeout <= 0 {
			return errors.New("expected a duration over 0, such as 30s")
		}
		return nil
	})
}
