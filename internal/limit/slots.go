package limit

import "time"

const (
	peakOver   = 5 * time.Second       // that the most requests at once are remembered for, at least
	knownFor   = 25 * time.Millisecond // that nothing is left, once the desk has said so
	trustedFor = Hold - time.Second    // that what is held is ours, since the last report that was answered
)

// lackWithin bounds what a request waits for others to say whether they have a
// slot that they do not use.
const lackWithin = Quiet + waitWithin

// slots are what a process holds of how many requests may be under way at once.
// It is safe for concurrent use.
type slots struct {
	hurry chan<- struct{}

	talk
	most    int64
	held    int64
	open    int64     // requests under way
	keep    int64     // that may be held without being used
	told    time.Time // when the report was made that was answered last
	replied time.Time // when that was
	young   bool

	asked        bool  // since the last report
	want, called int64 // of those who wait: that no report has told of, and that one has
	peak, before int64 // at once, lately, and before that
	since        time.Time

	pool, others int64         // that nobody holds, and that others hold without using it
	silence      time.Duration // that others is old, at most
	lacking      time.Time     // since when there has been none for a request; zero: there may be
	granted      time.Time     // when the desk gave some last
}

func newSlots(b Bucket, now time.Time, hurry chan<- struct{}) *slots {
	return &slots{talk: newTalk(b, now), hurry: hurry}
}

// take lets a request pass, or tells why not; see lease.take. Without the desk
// what is held stays held; but who was held up himself, for so long that it may
// be another's by now, asks first.
func (s *slots) take(now time.Time, most int64, _ float64, after int64) (v verdict, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return forgotten, s.seq
	}
	s.most, s.used, s.asked = most, now, true
	s.comes(after)
	s.remember(now, s.open+s.queue()+1)
	isAnswered := after >= 0 && s.heard > after
	isOurs := !s.failed.IsZero() || now.Sub(s.told) < trustedFor
	switch {
	case isOurs && s.open < min(s.held, most):
		s.open++
		return granted, s.seq
	case s.failedJustNow(now):
		return s.without(), s.seq
	}
	s.lack(now)
	if s.open > 0 && s.isNone() && (isAnswered || now.Sub(s.replied) < knownFor) {
		return exceeded, s.seq
	}
	if after < 0 || isAnswered {
		after = s.seq
	}
	s.waits(after)
	return wait, after
}

// waits counts one who waits for the answer to a report behind after. What that
// brings is theirs until they come: reports that are made meanwhile must not
// give it back.
func (s *slots) waits(after int64) {
	if after == s.seq {
		s.want++
	} else {
		s.called++
	}
}

// queue is how many wait.
func (s *slots) queue() int64 { return s.want + s.called }

// comes counts one who has waited no more.
func (s *slots) comes(after int64) {
	switch {
	case after < 0: // has not waited
	case after == s.seq:
		s.want = max(s.want-1, 0)
	default:
		s.called = max(s.called-1, 0)
	}
}

// without is the verdict for those who cannot get more.
func (s *slots) without() verdict {
	if s.held == 0 && (s.young || !s.failed.IsZero() || s.heard == 0) {
		return unknown
	}
	return exceeded
}

// remember keeps the most requests at once that there were lately.
func (s *slots) remember(now time.Time, n int64) {
	if gone := now.Sub(s.since); gone >= peakOver || gone < 0 {
		s.before, s.peak, s.since = s.peak, 0, now
	}
	s.peak = max(s.peak, n)
}

// lack notes that there is none for a request, as far as this process knows.
func (s *slots) lack(now time.Time) {
	if !s.lacking.IsZero() {
		return
	}
	if s.lacking = now; now.Before(s.replied) { // who asks has waited for something else
		s.lacking = s.replied
	}
}

// isNone reports whether no slot is left anywhere: none at the desk, and none
// with any other, as all of them have said, or would have, since this process has
// lacked one, and no request of it has ended.
func (s *slots) isNone() bool {
	return s.pool < 1 && s.others < 1 && s.silence <= s.told.Sub(s.lacking)
}

func (s *slots) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.young:
		return youngWithin
	case s.pool < 1:
		return lackWithin
	}
	return waitWithin
}

// last is for who has waited as long as it may. Where nothing is held and the
// desk has not answered, it is not known who holds what.
func (s *slots) last(since, after int64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comes(after)
	if s.held == 0 && s.heard <= since {
		return unknown
	}
	return s.without()
}

// settle ends a request. What is not used and not to be kept goes back at once:
// others may wait for it.
func (s *slots) settle(_ time.Time, _, _ float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.lacking = time.Time{}
	if s.fit(); s.hurried {
		token(s.hurry)
	}
}

func (s *slots) fit() {
	if most := max(s.keep, s.open); s.held > most {
		s.held, s.hurried = most, true
	}
}

func (s *slots) due(now time.Time) (due, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDone(now) {
		return false, true
	}
	isIdle := s.held > s.open          // others may lack what nobody uses here
	isScarce := s.pool < spare(s.most) // and want to know whether there is any
	isBusy := now.Sub(s.granted) < reportEvery
	return s.isDue(now, s.queue() > 0 || isIdle && (isScarce || isBusy), s.asked || isIdle), false
}

// spare is how many are kept for processes that have none.
func spare(most int64) int64 { return max(1, int64(Spare*float64(most))) }

func (s *slots) forget(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = s.isDone(now)
	return s.gone
}

func (s *slots) isDone(now time.Time) bool {
	return s.held == 0 && s.open == 0 && s.queue() == 0 && !s.hurried && !s.failedJustNow(now) && s.isIdle(now)
}

// report says how things stand. What is under way is held until it ends.
func (s *slots) report(now time.Time, seq int64) Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == 0 && s.queue() == 0 && s.isIdle(now) {
		s.leave()
	}
	s.remember(now, s.open+s.queue())
	r := s.said(now, seq)
	idle := max(s.held-s.open, 0) - s.queue()
	r.Most, r.Share, r.Level, r.Needs = s.most, float64(s.held), float64(max(idle, 0)), float64(max(-idle, 0))
	if most := max(s.peak, s.before); most > 0 {
		r.Demand = float64(most + most/4 + 1)
	}
	s.called, s.want, s.asked = s.called+s.want, 0, false
	return r
}

// quit holds nothing any more but for requests under way.
func (s *slots) quit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
}

func (s *slots) leave() {
	s.held, s.keep, s.want, s.called, s.peak, s.before = s.open, 0, 0, 0, 0, 0
}

// hear takes a reply.
func (s *slots) hear(now time.Time, said Report, r Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered(said, time.Time{})
	if r.Late {
		return
	}
	s.told, s.replied = s.reported, now
	s.held += int64(r.Share)
	s.keep, s.pool, s.others, s.silence, s.young = int64(r.Keep), int64(r.Pool), int64(r.Others), r.Silence, r.Young
	if r.Share > 0 {
		s.granted = now
	}
	if s.pool >= spare(s.most) {
		s.lacking = time.Time{}
	}
	if most := max(s.keep, s.open+s.called); s.held > most { // those who wait have not come for theirs yet
		s.pool += s.held - most
		s.held, s.hurried = most, true
	}
}

func (s *slots) fail(now time.Time, said Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered(said, now)
}

// standing is for others: nobody is told how many more may be under way.
func (s *slots) standing(float64) (Standing, time.Duration) { return Standing{}, soon }
