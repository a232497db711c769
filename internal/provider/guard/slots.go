package guard

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// slots are the places at a vendor, as many as the limit allows, and the queue
// for them. Somebody waits only while all places are taken.
type slots struct {
	mu       sync.Mutex
	limit    limit
	inFlight int
	waiting  *fair
	holding  time.Duration // of a place, on average; 0 before the first
	shed     int64
}

// Weight of the newest call in the average: as of a round trip in TCP, RFC 6298.
const newest = 8

// result is what a call tells of the vendor's load.
type result int

const (
	neutral result = iota
	borne
	overborne
)

func newSlots(most, queue int) *slots {
	return &slots{limit: newLimit(most), waiting: newFair(queue)}
}

// noRoom is why a call was not let in, and when there may be room.
type noRoom struct {
	reason string
	after  time.Duration
}

func (e *noRoom) Error() string { return e.reason }

// take waits for a place and returns when it got it. It gives up with a *noRoom:
// at once when the queue is full, or so long that the deadline of ctx would come
// before an answer, else at the deadline. Other errors are that of sendAway, and
// ctx's own.
func (s *slots) take(ctx context.Context, caller string) (time.Time, error) {
	now := time.Now()
	s.mu.Lock()
	if s.inFlight < s.limit.calls() {
		s.inFlight++
		s.mu.Unlock()
		return now, nil
	}
	w, err := s.join(ctx, caller, now)
	s.mu.Unlock()
	if err != nil {
		return now, err
	}
	var late <-chan time.Time
	if deadline, limited := ctx.Deadline(); limited {
		timer := time.NewTimer(deadline.Sub(now))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case err := <-w.told:
		return time.Now(), err
	case <-late:
		s.leave(w, true)
		return now, &noRoom{reason: "no place came free in time"}
	case <-ctx.Done():
		s.leave(w, false)
		return now, ctx.Err()
	}
}

func (s *slots) join(ctx context.Context, caller string, now time.Time) (*waiter, error) {
	expected := s.expected(s.waiting.ahead(caller))
	if deadline, limited := ctx.Deadline(); limited && expected+s.holding > deadline.Sub(now) {
		s.shed++
		return nil, &noRoom{fmt.Sprintf("a place would come free in about %s, too late for an answer in time", round(expected)), expected}
	}
	w, out := s.waiting.push(caller, now)
	if w == nil {
		s.shed++
		return nil, &noRoom{fmt.Sprintf("its queue is full, with %d waiting", s.waiting.len()), expected}
	}
	if out != nil {
		s.shed++
		out.told <- &noRoom{"its queue is full, and others wait whose turn comes first", expected}
	}
	return w, nil
}

// expected is about how long it takes until a place comes free for one with so
// many before him.
func (s *slots) expected(ahead int) time.Duration {
	return s.holding * time.Duration(ahead+1) / time.Duration(s.limit.calls())
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// leave ends a wait in vain. A place that was given at the same moment goes to
// the next.
func (s *slots) leave(w *waiter, shed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.place != nil {
		s.waiting.remove(w)
	} else if <-w.told == nil {
		s.inFlight--
		s.admit()
	}
	if shed {
		s.shed++
	}
}

// give gives back a place that was taken at a time, with what the call has
// shown.
func (s *slots) give(taken time.Time, r result) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch held := now.Sub(taken); {
	case s.holding == 0:
		s.holding = held
	default:
		s.holding += (held - s.holding) / newest
	}
	switch {
	case r == overborne:
		s.limit.shrink(taken, now)
	case r == borne && s.inFlight >= s.limit.calls():
		s.limit.grow()
	}
	s.inFlight--
	s.admit()
}

// admit gives the free places to those whose turn it is.
func (s *slots) admit() {
	for s.inFlight < s.limit.calls() {
		w := s.waiting.pop()
		if w == nil {
			return
		}
		s.inFlight++
		w.told <- nil
	}
}

// sendAway ends the wait of all.
func (s *slots) sendAway(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.waiting.pop(); w != nil; w = s.waiting.pop() {
		w.told <- why
	}
}
