//go:build unix

package cost

import (
	"syscall"
	"time"
)

// cpu returns how much CPU time the process has had, or zero if the system does not tell.
func cpu() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
