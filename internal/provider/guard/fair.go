package guard

import (
	"container/list"
	"time"
)

// fair is a bounded queue in which callers take turns: within one caller the
// first come is served first, between callers they go round. One who floods
// waits for himself. When it is full, the longest line gives up its last place
// to a caller whose line is shorter (J. Nagle, RFC 970; P. McKenney, Stochastic
// Fairness Queueing, 1990). Everything takes the same time however many wait.
type fair struct {
	most     int
	lines    map[string]*line
	turns    list.List    // of *line: who is next
	arrivals list.List    // of *waiter, the first come first
	bySize   []*list.List // of *line: those with that many waiters
	longest  int          // size of a line
}

// line is one caller's.
type line struct {
	caller     string
	waiters    list.List // of *waiter
	turn, size *list.Element
}

// waiter is one call that waits.
type waiter struct {
	line           *line
	place, arrival *list.Element // nil: it waits no more
	since          time.Time
	told           chan error // once: nil for a place, or why there is none
}

func newFair(most int) *fair {
	return &fair{most: most, lines: map[string]*line{}, bySize: []*list.List{list.New()}}
}

func (f *fair) len() int { return f.arrivals.Len() }

// ahead is at most how many are served before a new call of a caller.
func (f *fair) ahead(caller string) int {
	own, others := 0, len(f.lines)
	if l := f.lines[caller]; l != nil {
		own, others = l.waiters.Len(), others-1
	}
	return min(f.len(), own+others*(own+1))
}

// push makes a call wait. It returns nil when there is no place for it, and
// beside it the waiter who gave up his place, if one did.
func (f *fair) push(caller string, now time.Time) (w, out *waiter) {
	own := 0
	if l := f.lines[caller]; l != nil {
		own = l.waiters.Len()
	}
	if f.len() >= f.most {
		if own+1 >= f.longest {
			return nil, nil
		}
		longest := f.bySize[f.longest].Front().Value.(*line)
		out = longest.waiters.Back().Value.(*waiter)
		f.remove(out)
	}
	l := f.line(caller)
	w = &waiter{line: l, since: now, told: make(chan error, 1)}
	w.place, w.arrival = l.waiters.PushBack(w), f.arrivals.PushBack(w)
	f.sized(l, own)
	return w, out
}

func (f *fair) line(caller string) *line {
	l := f.lines[caller]
	if l == nil {
		l = &line{caller: caller}
		l.turn = f.turns.PushBack(l)
		f.lines[caller] = l
	}
	return l
}

// pop ends the wait of the one whose turn it is; nil when nobody waits.
func (f *fair) pop() *waiter {
	next := f.turns.Front()
	if next == nil {
		return nil
	}
	f.turns.MoveToBack(next)
	w := next.Value.(*line).waiters.Front().Value.(*waiter)
	f.remove(w)
	return w
}

// remove ends a wait.
func (f *fair) remove(w *waiter) {
	l := w.line
	before := l.waiters.Len()
	l.waiters.Remove(w.place)
	f.arrivals.Remove(w.arrival)
	w.place, w.arrival = nil, nil
	f.sized(l, before)
	if l.waiters.Len() == 0 {
		f.turns.Remove(l.turn)
		delete(f.lines, l.caller)
	}
}

// sized files a line under its size, which has changed by one.
func (f *fair) sized(l *line, before int) {
	if before > 0 {
		f.bySize[before].Remove(l.size)
	}
	if n := l.waiters.Len(); n > 0 {
		if n == len(f.bySize) {
			f.bySize = append(f.bySize, list.New())
		}
		l.size = f.bySize[n].PushBack(l)
		f.longest = max(f.longest, n)
	}
	if f.longest == before && f.bySize[before].Len() == 0 {
		f.longest = l.waiters.Len()
	}
}

// oldest is since when the one who waits longest does.
func (f *fair) oldest() (since time.Time, ok bool) {
	first := f.arrivals.Front()
	if first == nil {
		return time.Time{}, false
	}
	return first.Value.(*waiter).since, true
}
