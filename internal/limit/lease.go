package limit

import "time"

const (
	leastMeant = 200 * time.Millisecond // that demand is measured over
	rounding   = 1e-6                   // units
	mostBehind = time.Second            // that a request may come behind the time it read
)

// lease is what a process holds of a rate. It is safe for concurrent use.
type lease struct {
	talk
	perMinute float64
	share     float64
	level     float64
	at        time.Time // of level
	gives     float64   // goes back with the next report
	open      int       // requests under way

	asked    float64 // units, since demand was measured
	demand   float64 // units a second
	measured time.Time
	want     float64 // of those who wait

	pool, others float64
}

func newLease(b Bucket, now time.Time) *lease { return &lease{talk: newTalk(b, now)} }

type verdict int

const (
	granted verdict = iota
	exceeded
	unknown
	wait
	forgotten
)

func (l *lease) room() float64 { return l.share * l.perMinute }

// refill raises the level by the time that has gone by. Who read the clock before
// others and comes behind them brings no time back, which would be counted again;
// a clock that was set back is followed.
func (l *lease) refill(now time.Time) {
	gone := now.Sub(l.at)
	if gone <= 0 && gone > -mostBehind {
		return
	}
	if gone > 0 && l.level < l.room() {
		l.level = min(l.room(), l.level+gone.Seconds()*l.room()/60)
	}
	l.at = now
}

// take lets a request of n units pass, or tells why not. A request that is larger
// than the room passes when the room is full. The answer to a report behind seq
// knows of one that has to wait; after is that of one that has waited, below 0:
// it has not.
func (l *lease) take(now time.Time, perMinute int64, n float64, after int64) (v verdict, seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return forgotten, l.seq
	}
	l.perMinute, l.used = float64(perMinute), now
	l.refill(now)
	if after < 0 {
		l.asked += n
	}
	short := min(n, l.room()) - l.level
	switch {
	case l.share > 0 && short <= rounding:
		l.level -= n
		l.open++
		if after == l.seq {
			l.want -= n // which no report has said
		}
		return granted, l.seq
	case after >= 0 && l.heard > after, l.failedJustNow(now):
		return l.without(), l.seq
	case l.share > 0 && l.pool < short:
		return exceeded, l.seq
	}
	if after < 0 {
		l.want += n
		after = l.seq
	}
	return wait, after
}

// without is the verdict for those who cannot get more.
func (l *lease) without() verdict {
	if l.share == 0 && (!l.failed.IsZero() || l.heard == 0) {
		return unknown
	}
	return exceeded
}

func (*lease) patience() time.Duration { return waitWithin }

// last is for who has waited as long as it may.
func (l *lease) last(int64, int64) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.share == 0 {
		return unknown
	}
	return exceeded
}

// settle ends a request: of what it took, it used some, or more.
func (l *lease) settle(now time.Time, took, used float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	l.refill(now)
	had := l.level
	l.level += took - used
	l.fit(max(had, l.room()))
}

// fit gives back what is above a level.
func (l *lease) fit(most float64) {
	if above := l.level - most; above > 0 {
		l.level -= above
		l.gives += above
	}
}

// due tells whether the desk should hear of it, and whether it can be forgotten.
func (l *lease) due(now time.Time) (due, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDone(now) {
		return false, true
	}
	return l.isDue(now, l.want > 0, l.asked > 0), false
}

// forget reports whether it can be forgotten, and is from now on.
func (l *lease) forget(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = l.isDone(now)
	return l.gone
}

func (l *lease) isDone(now time.Time) bool {
	return l.share == 0 && l.open == 0 && l.gives == 0 && l.want == 0 && !l.hurried && !l.failedJustNow(now) && l.isIdle(now)
}

// report says how things stand. Who has not been asked for long gives all back.
func (l *lease) report(now time.Time, seq int64) Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	l.measure(now)
	if l.open == 0 && l.isIdle(now) {
		l.leave()
	}
	r := l.said(now, seq)
	r.Most, r.Share, r.Level, r.Gives = int64(l.perMinute), l.share, l.level, l.gives
	r.Demand, r.Needs = l.demand, max(l.want-max(l.level, 0), 0)
	l.gives, l.want = 0, 0
	return r
}

// measure brings demand up to date: half of it is what was asked for since.
func (l *lease) measure(now time.Time) {
	gone := now.Sub(l.measured)
	switch {
	case l.measured.IsZero() || gone < 0 || gone > idleAfter:
		l.demand = l.asked
	case gone < leastMeant:
		l.demand = max(l.demand, l.asked)
		return
	default:
		l.demand = (l.demand + l.asked/gone.Seconds()) / 2
	}
	l.asked, l.measured = 0, now
}

// quit leaves all to others, and asks for nothing.
func (l *lease) quit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = 0
	l.leave()
}

func (l *lease) leave() {
	l.gives += l.level
	l.share, l.level, l.demand, l.want = 0, 0, 0, 0
}

// hear takes a reply.
func (l *lease) hear(now time.Time, said Report, r Reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered(said, time.Time{})
	if r.Late {
		return
	}
	l.refill(now)
	l.share += r.Share
	l.level += r.Level
	l.pool, l.others = r.Pool, r.Others
	if r.Keep < l.share {
		l.share, l.hurried = max(r.Keep, 0), true
		l.fit(l.room())
	}
}

// fail hears that there is no reply.
func (l *lease) fail(now time.Time, said Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered(said, now)
}

// standing is how the limit stands: what this process has, and what others had
// a moment ago. retry is when n units may be there.
func (l *lease) standing(n float64) (s Standing, retry time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.level + l.pool + l.others
	if lacks := min(n, l.perMinute) - left; lacks > 0 {
		retry = seconds(lacks / l.perMinute * 60)
	}
	return standing(int64(l.perMinute), left), max(retry, soon)
}
