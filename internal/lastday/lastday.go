// Package lastday reads the last day of an exception, such as 2027-01-31: the exception is in
// force through the whole of that day in UTC. An empty text means that it never ends.
package lastday

import (
	"fmt"
	"time"
)

// Check returns an error for a text that is neither empty nor a day.
func Check(day string) error {
	if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
		return fmt.Errorf("%q: expected the last day of the exception, as 2027-01-31", day)
	}
	return nil
}

// Over reports whether a day is over at a time; never for a text that Check refuses.
func Over(day string, at time.Time) bool {
	last, err := time.Parse(time.DateOnly, day)
	return err == nil && !at.Before(last.AddDate(0, 0, 1))
}
