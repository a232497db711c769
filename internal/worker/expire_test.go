package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/worker"
)

// leftovers have so many old rows of each kind.
type leftovers struct {
	mu                      sync.Mutex
	late, feedback, lessons int64
	ended                   int64
	webhooks, alerts        int64
	minutes, forgotten      int64
	away                    int         // how often removing feedback fails
	from                    []time.Time // the first times that were asked for
	calls                   int
}

func take(left *int64, most int) (int64, error) {
	n := min(*left, int64(most))
	*left -= n
	return n, nil
}

// next takes of what is asked for in that place, for the first time with a time.
func (l *leftovers) next(place int, left *int64, most int, from ...time.Time) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.from) == place {
		l.from = append(l.from, from...)
	}
	return take(left, most)
}

func (l *leftovers) ExpireLate(_ context.Context, completions, features time.Time, most int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls++; l.calls == 1 {
		l.from = append(l.from, completions, features)
	}
	return take(&l.late, most)
}

func (l *leftovers) ExpireFeedback(_ context.Context, before time.Time, most int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == 1 {
		l.from = append(l.from, before)
	}
	if l.away--; l.away >= 0 {
		return 0, errors.New("away")
	}
	return take(&l.feedback, most)
}

func (l *leftovers) ExpireLessons(_ context.Context, verdicts, prices time.Time, most int) (int64, error) {
	return l.next(3, &l.lessons, most, verdicts, prices)
}

func (l *leftovers) ExpireExperiments(_ context.Context, before time.Time, most int) (int64, error) {
	return l.next(5, &l.ended, most, before)
}

func (l *leftovers) ExpireWebhooks(_ context.Context, before time.Time, most int) (int64, error) {
	return l.next(6, &l.webhooks, most, before)
}

func (l *leftovers) ExpireAlerts(_ context.Context, before time.Time, most int) (int64, error) {
	return l.next(7, &l.alerts, most, before)
}

func (l *leftovers) ExpireMinutes(_ context.Context, before time.Time, most int) (int64, error) {
	return l.next(8, &l.minutes, most, before)
}

func (l *leftovers) ExpireForgotten(_ context.Context, before time.Time, most int) (int64, error) {
	return l.next(9, &l.forgotten, most, before)
}

// shorter is a project with so many old requests.
type shorter struct {
	left  int64
	until []time.Time
}

func (s *shorter) ExpireProject(_ context.Context, project string, completions, answers time.Time, most int) (int64, error) {
	if project == "short" {
		s.until = []time.Time{completions, answers}
	}
	return take(&s.left, most)
}

// Projects that keep less are gone through with the rest.
func TestExpirerOfProjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l, s, began := new(leftovers), &shorter{left: 2500}, time.Now()
		e := &worker.Expirer{Leftovers: l, Ended: l, Closed: l, Projects: s, Log: slog.New(slog.DiscardHandler),
			Shorter: []worker.Retention{{Project: "other", Completions: time.Hour}, {Project: "short", Completions: 48 * time.Hour, Answers: time.Minute}}}
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if s.left != 0 || len(s.until) != 2 || s.until[0].Sub(began.Add(-48*time.Hour)) > time.Second || s.until[1].Sub(s.until[0]) != 48*time.Hour-time.Minute {
			t.Errorf("%+v", s)
		}
	})
}

// What is old goes in small steps, with pauses, and what fails is tried again.
func TestExpirer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &leftovers{late: 3, feedback: 100_000, lessons: 2500, ended: 1500, webhooks: 1200, alerts: 1300, minutes: 5000, forgotten: 1100}
		e := &worker.Expirer{Leftovers: l, Ended: l, Closed: l, Keep: 300 * 24 * time.Hour, KeepFeatures: 90 * 24 * time.Hour, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		began := time.Now()
		go func() { ended <- e.Run(ctx) }()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if l.late != 0 || l.feedback != 0 || l.lessons != 0 || l.ended != 0 || l.webhooks+l.alerts+l.minutes+l.forgotten != 0 {
			t.Errorf("left after half a minute: %+v", l)
		}
		if l.calls != 101 { // a hundred of a thousand, and one that finds nothing
			t.Errorf("it took %d steps", l.calls)
		}
		l.mu.Lock()
		l.feedback, l.away = 1, 2
		l.mu.Unlock()
		time.Sleep(3*time.Minute + 30*time.Second)
		synctest.Wait()
		if l.feedback != 0 || l.calls != 105 { // two that fail, one that removes, one that finds nothing
			t.Errorf("after failures %d are left, in %d steps", l.feedback, l.calls)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		for i, days := range []int{300, 90, 300, 91, 7, 300, 300, 400, 35, 300} {
			if want := began.AddDate(0, 0, -days); !l.from[i].Equal(want) {
				t.Errorf("time %d is %s, not %s", i, l.from[i], want)
			}
		}
	})
}
