package limit

import "time"

// What tests play with a clock of their own.

// Holding is what a process holds.
type Holding = lease

// NewHolding holds nothing.
func NewHolding(b Bucket) *Holding { return newLease(b, time.Time{}) }

// Try lets a request pass, or not, without waiting.
func (l *lease) Try(now time.Time, perMinute int64, n float64) (passed, knows bool) {
	v, _ := l.take(now, perMinute, n, -1)
	return v == granted, v != unknown && v != wait
}

// Settle ends a request.
func (l *lease) Settle(now time.Time, took, used float64) { l.settle(now, took, used) }

// Due reports whether the desk should hear of it.
func (l *lease) Due(now time.Time) bool { due, _ := l.due(now); return due }

// Report says how things stand.
func (l *lease) Report(now time.Time) Report { return l.report(now, l.seq+1) }

// Hear takes a reply.
func (l *lease) Hear(now time.Time, said Report, r Reply) { l.hear(now, said, r) }

// Fail hears that there is none.
func (l *lease) Fail(now time.Time, said Report) { l.fail(now, said) }

// Holds is the share, and the level.
func (l *lease) Holds() (share, level float64) { return l.share, l.level }
