package chaos

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// countTerms counts what is sent with keys that do not let everything pass.
func (l *load) countTerms(marker string) {
	switch l.callers.of(marker) {
	case &l.callers.budgeted:
		l.withBudget.Add(1)
	case &l.callers.limited:
		l.withLimits.Add(1)
	}
}

// takeRefusal notes why a request was one too many, and holds that against what
// its key may have.
func (l *load) takeRefusal(marker, retryAfter string, text []byte) {
	seconds, err := strconv.Atoi(retryAfter)
	by := l.callers.of(marker)
	switch {
	case err != nil || seconds < 1:
		l.note("%s: refused without saying for how long: %.200q", marker, text)
	case by == &l.callers.budgeted && bytes.Contains(text, []byte("too little is left of the budget of this key")):
		l.tooLittleLeft.Add(1)
	case by == &l.callers.limited && bytes.Contains(text, []byte("requests under way at once")):
		l.tooManyAtOnce.Add(1)
	case by == &l.callers.limited && bytes.Contains(text, []byte("requests a minute")):
		l.tooManyInAll.Add(1)
	default:
		l.note("%s: refused for no reason: %.200q", marker, text)
	}
}

// crowd is how many calls are under way, and were at most.
type crowd struct{ now, most int64 }

// enter counts a call as under way, until the function that it gives is called.
// The counts go down before an answer has ended: who sends the next one then
// does not make two of it.
func (u *upstream) enter(marker string) (leave func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	by := u.callers.of(marker)
	names := []string{by.name}
	if by == &u.callers.limited {
		names = append(names, by.name+" "+u.callers.userOf(marker))
	}
	for _, name := range names {
		if u.crowds[name] == nil {
			u.crowds[name] = &crowd{}
		}
		c := u.crowds[name]
		c.now++
		c.most = max(c.most, c.now)
	}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, name := range names {
			u.crowds[name].now--
		}
	}
}

// most is how many calls of a caller were under way at most, and of one of its
// users.
func (u *upstream) most(by *caller) (all, ofUser int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, c := range u.crowds {
		if name == by.name {
			all = c.most
		} else if strings.HasPrefix(name, by.name+" ") {
			ofUser = max(ofUser, c.most)
		}
	}
	return all, ofUser
}

// underWay is how many calls of a caller are.
func (u *upstream) underWay(by *caller) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.crowds[by.name]; c != nil {
		return int(c.now)
	}
	return 0
}

// budgetsAreKept adds up what was booked on each key in each month.
func (e *engine) budgetsAreKept(_ context.Context, rows []row) (Check, error) {
	c := Check{What: "no key has cost more than its budget, and the budget ran out"}
	by, spent, stored := &e.callers.budgeted, map[string]pricing.Nanos{}, 0
	for _, r := range rows {
		if r.key == by.key {
			spent[r.at.UTC().Format("2006-01")] += pricing.Nanos(r.cost)
			stored++
		}
	}
	most := pricing.Nanos(0)
	for _, sum := range spent {
		most = max(most, sum)
	}
	refused := e.load.tooLittleLeft.Load()
	c.Result = fmt.Sprintf("%s of %s USD, in %d rows, and %d requests refused", most, by.terms.Budget, stored, refused)
	c.Holds = most > 0 && most <= by.terms.Budget && refused > 0
	return c, nil
}

// limitsAreKept holds what the provider saw at once, and what was let pass in
// any time, against what is promised when processes and Redis fail; see
// docs/limits.md.
func (e *engine) limitsAreKept(_ context.Context, rows []row) (Check, error) {
	c := Check{What: "no key with limits has had more than them"}
	by := &e.callers.limited
	var times []time.Time
	for _, r := range rows {
		if r.key == by.key {
			times = append(times, r.at)
		}
	}
	atOnce, ofUser := e.upstream.most(by)
	ahead := aheadOf(times, by.terms.PerMinute)
	mayAtOnce, mayUser, mayAhead := by.terms.Concurrency, 2*by.terms.PerUser.Concurrency, e.mayBeAhead(by.terms.PerMinute)
	if e.o.Clock { // a Redis whose clock jumps takes everybody for gone, once
		mayAtOnce *= 2
	}
	refused := e.load.tooManyAtOnce.Load() + e.load.tooManyInAll.Load()
	c.Result = fmt.Sprintf("%d requests let pass, %d refused; at once %d calls of %d, of one user %d of %d; in any time %d more than its rate, of %d a minute and %d for what failed",
		len(times), refused, atOnce, by.terms.Concurrency, ofUser, by.terms.PerUser.Concurrency, ahead, by.terms.PerMinute, mayAhead-by.terms.PerMinute)
	c.Holds = len(times) > 0 && refused > 0 && atOnce > 0 && atOnce <= mayAtOnce && ofUser > 0 && ofUser <= mayUser && (ahead <= mayAhead || e.o.Clock)
	return c, nil
}

// aheadOf is by how many requests their number was ahead of a rate, over the
// span of time in which that is most.
func aheadOf(times []time.Time, perMinute int64) int64 {
	slices.SortFunc(times, time.Time.Compare)
	most, least := 0.0, 0.0
	for i, at := range times {
		due := at.Sub(times[0]).Minutes() * float64(perMinute)
		least = min(least, float64(i)-due)
		most = max(most, float64(i+1)-due-least)
	}
	return int64(most)
}

// mayBeAhead is how much that may be: a minute's worth, and once more for each
// time that Redis lost everything; a sixteenth and one of each process; the last
// second of a Redis or a process that died; and what came while its process was
// held up and was let pass behind that.
func (e *engine) mayBeAhead(perMinute int64) int64 {
	minutes, lives, seconds := int64(1), int64(2), int64(4)
	for _, f := range e.faults {
		for _, target := range f.Targets {
			switch {
			case f.Kind == FaultFlush:
				minutes++
			case target == "redis" && e.o.Replicated(): // what the next has not heard of, and what this one takes until it hears of the next
				seconds += takeoverSeconds
			case f.Kind == FaultStop || f.Kind == FaultClock:
			case target == "redis":
				seconds++
			case strings.HasPrefix(target, "api-"):
				lives++
				seconds++
			}
		}
	}
	return minutes*perMinute + perMinute/16 + lives + seconds*perMinute/60 + 1
}

const takeoverSeconds = 6

const (
	againWithin = 30 * time.Second
	againEvery  = 2 * time.Second
)

// fillLimits has as many requests under way at once as the key with limits may
// have, which are those of its first two users, and then those of the last, and
// then one more. When another one is refused, it tries again, once time can have
// brought back what a try has used.
func (e *engine) fillLimits(ctx context.Context) {
	began, tries := time.Now(), 0
	e.again = Check{What: "all that limits allow at once is let pass again once it is quiet, and no more"}
	ctx, cancel := context.WithTimeout(ctx, againWithin)
	defer cancel()
	ofUser := e.callers.limited.terms.PerUser
	every := max(againEvery, time.Minute*time.Duration(ofUser.Concurrency+1)/time.Duration(ofUser.PerMinute))
	for _, users := range [][]string{{userName(0), userName(1)}, {userName(2)}} {
		err := until(ctx, func() bool {
			tries++
			ok := e.fillFor(ctx, users, tries)
			if !ok {
				pause(ctx, every)
			}
			return ok
		})
		if err != nil {
			e.again.Result = fmt.Sprintf("those of %v were not let pass within %s, in %d tries", users, againWithin, tries)
			break
		}
		e.again.Holds = len(users) == 1 // the last
	}
	if e.again.Holds {
		e.again.Result = fmt.Sprintf("%d of two users at once, then %d of another, %s after everything was healthy, in %d tries",
			e.callers.limited.terms.Concurrency, e.callers.limited.terms.PerUser.Concurrency, time.Since(began).Round(10*time.Millisecond), tries)
	}
}

// fillFor reports whether users could have as many requests under way as they
// may, and not one more.
func (e *engine) fillFor(ctx context.Context, users []string, try int) bool {
	all := len(users) * int(e.callers.limited.terms.PerUser.Concurrency)
	markers := e.slowOnes(users, try)
	full, stop := context.WithCancel(ctx)
	var more int
	var oneMore sync.WaitGroup
	oneMore.Go(func() {
		if until(full, func() bool { return e.upstream.underWay(&e.callers.limited) == all }) == nil {
			more = e.load.ask(context.WithoutCancel(ctx), e.load.apis[try%len(e.load.apis)], markers[all], all)
		}
	})
	statuses := e.askAtOnce(ctx, markers[:all])
	stop()
	oneMore.Wait()
	e.o.Log.Info("limits are filled", "statuses", statuses, "one_more", more,
		"too_many_at_once", e.load.tooManyAtOnce.Load(), "too_many_in_all", e.load.tooManyInAll.Load())
	return statuses[http.StatusOK] == all && more == http.StatusTooManyRequests
}

func (e *engine) limitsAnswerAgain(context.Context, []row) (Check, error) { return e.again, nil }

// spenders are how many spend what is left of a budget.
const spenders = 32

// spendBudget has what faults have left of the budget spent, until all who ask
// at once are refused. While processes say what they hold, nobody may be let
// pass.
func (e *engine) spendBudget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, againWithin)
	defer cancel()
	n := 0
	_ = until(ctx, func() bool { // budgetsAreKept tells whether it ran out
		markers := make([]string, 0, spenders)
		for ; len(markers) < spenders; n++ {
			marker := fmt.Sprintf("%s-q%d", e.callers.budgeted.name, n)
			if wait, _ := temper(marker, 1); wait < slow {
				markers = append(markers, marker)
			}
		}
		return e.askAtOnce(ctx, markers)[http.StatusTooManyRequests] == spenders
	})
}

// slowOnes are requests that are answered well, and slowly, so that all are
// under way at once: user by user, for each as many as it may have, and then one
// more of the first.
func (e *engine) slowOnes(users []string, try int) (markers []string) {
	const longest = 200 * time.Millisecond // above slow
	per := int(e.callers.limited.terms.PerUser.Concurrency)
	of, more := map[string][]string{}, ""
	for i, missing := 0, len(users)*per; more == ""; i++ {
		marker := fmt.Sprintf("%s-q%d-%d", e.callers.limited.name, try, i)
		wait, fails := temper(marker, slowOnFirst)
		if wait < slow || wait >= slow+longest || fails || breaksOff(marker) {
			continue
		}
		user := e.callers.userOf(marker)
		switch {
		case slices.Contains(users, user) && len(of[user]) < per:
			of[user] = append(of[user], marker)
			missing--
		case user == users[0] && missing == 0:
			more = marker
		}
	}
	for _, user := range users {
		markers = append(markers, of[user]...)
	}
	return append(markers, more)
}

// apis are all that run, that of the full disk among them: each has a part of
// what a user may have.
func (e *engine) apis() (all []*process) {
	for _, p := range e.procs {
		if strings.HasPrefix(p.name, "api-") {
			all = append(all, p)
		}
	}
	return all
}

// askAtOnce asks of all APIs in turn, and counts the statuses of what they
// answer.
func (e *engine) askAtOnce(ctx context.Context, markers []string) map[int]int {
	apis := e.apis()
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i, marker := range markers {
		all.Go(func() {
			status := e.load.ask(context.WithoutCancel(ctx), apis[i%len(apis)], marker, i)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	all.Wait()
	return statuses
}
