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

// Slots are what a process holds of how many may be under way at once.
type Slots = slots

// NewSlots holds none.
func NewSlots(b Bucket, now time.Time) *Slots { return newSlots(b, now, make(chan struct{}, 1)) }

// Try lets a request pass, or not, or has it wait for the answer to a report
// behind seq; after is what it has waited for, or below 0.
func (s *slots) Try(now time.Time, most, after int64) (passed, waits bool, seq int64) {
	v, seq := s.take(now, most, 1, after)
	return v == granted, v == wait, seq
}

// Settle ends a request.
func (s *slots) Settle(now time.Time) { s.settle(now, 1, 1) }

// Report says how things stand.
func (s *slots) Report(now time.Time) Report { return s.report(now, s.seq+1) }

// Hear takes a reply.
func (s *slots) Hear(now time.Time, said Report, r Reply) { s.hear(now, said, r) }

// Counts are the requests under way, and those that wait.
func (s *slots) Counts() (open, waiting int64) { return s.open, s.queue() }
