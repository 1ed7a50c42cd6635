package dnsfake_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// lines never ends.
type lines struct{ read int }

func (l *lines) Read(p []byte) (int, error) {
	n := copy(p, strings.Repeat("nonsense\n", 1+len(p)/9))
	l.read += n
	return n, nil
}

// Replay gives up soon on input that is not a transcript, even if it never ends.
func TestReplayStops(t *testing.T) {
	endless := new(lines)
	var bad *resolver.ZoneError
	if _, err := dnsfake.Replay("pipe", endless); !errors.As(err, &bad) || len(bad.Problems) != 1000 || endless.read > 64<<10 {
		t.Errorf("%d problems, %d octets read", len(bad.Problems), endless.read)
	}
}
