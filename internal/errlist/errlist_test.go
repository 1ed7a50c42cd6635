package errlist_test

import (
	"errors"
	"io"
	"testing"

	"github.com/bonafide-mta/bonafide/internal/errlist"
)

func TestJoin(t *testing.T) {
	if err := errlist.Join(nil, nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := errlist.Join(nil, io.EOF); err != io.EOF {
		t.Errorf("one: %v", err)
	}
	other := errors.New("other")
	err := errlist.Join(io.EOF, nil, other)
	if err.Error() != "EOF; other" || !errors.Is(err, io.EOF) || !errors.Is(err, other) {
		t.Errorf("two: %v", err)
	}
}
