//go:build !unix

package cost

import "time"

var began = time.Now()

// cpu returns the time since the program began, where the system tells no better.
func cpu() time.Duration { return time.Since(began) }
