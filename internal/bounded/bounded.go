// Package bounded reads input of limited size, so that an endless one, such as /dev/zero or
// a pipe, costs an error and not all memory.
package bounded

import (
	"fmt"
	"io"
	"os"
)

// An Error says that input is longer than its limit.
type Error struct{ Limit int64 } // in octets

// Error returns "more than 64 MiB", in the largest unit that is exact.
func (e *Error) Error() string {
	n, unit := e.Limit, "octets"
	for _, larger := range []string{"KiB", "MiB", "GiB"} {
		if n < 1024 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, larger
	}
	return fmt.Sprintf("more than %d %s", n, unit)
}

// NewReader returns a Reader of what r has, up to limit octets. If r has more, its error is
// an *[Error].
func NewReader(r io.Reader, limit int64) io.Reader { return &reader{r, limit, limit} }

type reader struct {
	io.Reader
	left, limit int64
}

func (r *reader) Read(p []byte) (int, error) {
	if int64(len(p)) > r.left+1 {
		p = p[:r.left+1] // one octet more shows that there are more
	}
	n, err := r.Reader.Read(p)
	if int64(n) > r.left {
		n, err = int(r.left), &Error{r.limit}
	}
	r.left -= int64(n)
	return n, err
}

// ReadAll reads all of r, up to limit octets. If r has more, the error is an *[Error].
func ReadAll(r io.Reader, limit int64) ([]byte, error) { return io.ReadAll(NewReader(r, limit)) }

// ReadFile reads a file, up to limit octets. Its errors have the name of the file.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := ReadAll(f, limit)
	if _, long := err.(*Error); long {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return text, err
}
