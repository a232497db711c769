package limit

import (
	"sync"
	"time"
)

const (
	reportEvery = 250 * time.Millisecond // of what is asked for
	holdEvery   = time.Second            // of what is only held
	idleAfter   = 10 * time.Second
	soon        = time.Second // when to ask again where it may be better in a moment
)

// talk is what a process and the desk have said to each other of a bucket.
type talk struct {
	mu     sync.Mutex // of what is talked about, too
	bucket Bucket
	used   time.Time // when it was asked last
	gone   bool      // its keeper has forgotten it

	seq, heard int64 // the last report, and the last that was answered or failed
	reported   time.Time
	failed     time.Time // zero: the last was answered
	hurried    bool
	news       chan struct{} // closed at the next answer
}

func newTalk(b Bucket, now time.Time) talk {
	return talk{bucket: b, used: now, news: make(chan struct{})}
}

// isHurried reports whether there is something that others wait for.
func (t *talk) isHurried() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hurried
}

// next is closed at the next answer.
func (t *talk) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.news
}

// idleAfter is when what is held goes back. Users are many, and hold little.
func (t *talk) idleAfter() time.Duration {
	if t.bucket.User != "" {
		return idleAfter / 5
	}
	return idleAfter
}

// isIdle reports whether nobody has asked for long.
func (t *talk) isIdle(now time.Time) bool { return now.Sub(t.used) >= t.idleAfter() }

// failedJustNow reports whether asking the desk again would not help yet.
func (t *talk) failedJustNow(now time.Time) bool {
	return !t.failed.IsZero() && now.Sub(t.failed) < reportEvery
}

// isDue tells whether the desk should hear of it, by whether somebody waits and
// whether it was asked for since the last report.
func (t *talk) isDue(now time.Time, isWaited, isAsked bool) bool {
	every := holdEvery
	switch {
	case t.failedJustNow(now):
		return false
	case isWaited || t.hurried:
		return true
	case isAsked:
		every = reportEvery
	}
	return now.Sub(t.reported) >= every
}

// said begins a report.
func (t *talk) said(now time.Time, seq int64) Report {
	t.seq, t.reported, t.hurried = seq, now, false
	return Report{Bucket: t.bucket, Seq: t.seq}
}

// answered notes that a report was answered, or when it failed.
func (t *talk) answered(said Report, failed time.Time) {
	t.heard, t.failed = said.Seq, failed
	close(t.news)
	t.news = make(chan struct{})
}
