package lastday_test

import (
	"testing"
	"time"

	"github.com/bonafide-mta/bonafide/internal/lastday"
)

func TestOver(t *testing.T) {
	west := time.FixedZone("west", -10*3600)
	for _, tt := range []struct {
		day  string
		at   time.Time
		want bool
	}{
		{"2027-01-31", time.Date(2027, 1, 31, 23, 59, 59, 999_999_999, time.UTC), false},
		{"2027-01-31", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), true},
		{"2027-01-31", time.Date(2027, 1, 31, 13, 59, 0, 0, west), false},
		{"2027-01-31", time.Date(2027, 1, 31, 14, 0, 0, 0, west), true}, // the day is that of UTC
		{"2028-02-29", time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC), false},
		{"2028-02-29", time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC), true},
		{"2027-01-31", time.Time{}, false},
		{"", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{"tomorrow", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), false},
	} {
		if got := lastday.Over(tt.day, tt.at); got != tt.want {
			t.Errorf("%q at %s: %v", tt.day, tt.at, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, day := range []string{"", "2027-01-31", "2028-02-29"} {
		if err := lastday.Check(day); err != nil {
			t.Errorf("%q: %v", day, err)
		}
	}
	for _, day := range []string{"2027-02-29", "2027-1-31", "20270131", "tomorrow", "2027-01-31T00:00:00Z", " 2027-01-31"} {
		if err := lastday.Check(day); err == nil {
			t.Errorf("%q: no error", day)
		}
	}
}
