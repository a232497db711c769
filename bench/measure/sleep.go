package measure

import (
	"syscall"
	"time"
)

// SleepExactly sleeps in the kernel, which is tens of microseconds late where
// a Go timer may be a millisecond.
func SleepExactly(d time.Duration) {
	if d <= 0 {
		return
	}
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // a signal may cut it short; the caller looks at the clock
}
