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

// questions go as far as two minutes ago, and remember the stretches.
type questions struct {
	mu        sync.Mutex
	away      int // how often they fail
	stretches [][2]time.Time
}

func (q *questions) NoteRegenerated(_ context.Context, from, now time.Time, most time.Duration) (time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.away--; q.away >= 0 {
		return from, errors.New("away")
	}
	until := now.Add(-2 * time.Minute)
	if latest := from.Add(most); latest.Before(until) {
		until = latest
	}
	if until.After(from) {
		q.stretches = append(q.stretches, [2]time.Time{from, until})
	}
	return until, nil
}

// Every moment is looked at once, from an hour before the start to the last
// that can be; failures leave nothing out.
func TestNoticerLeavesNothingOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := new(questions)
		n := &worker.Noticer{Questions: q, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		began := time.Now()
		go func() { ended <- n.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := len(q.stretches); got < 29 || q.stretches[28][1].Before(began.Add(-2*time.Minute)) {
			t.Errorf("%d stretches; the hour before was not caught up with at once", got)
		}
		q.mu.Lock()
		q.away = 5
		q.mu.Unlock()
		time.Sleep(20*time.Minute + time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		at := began.Add(-time.Hour)
		for _, s := range q.stretches {
			if !s[0].Equal(at) || s[1].Sub(s[0]) > 2*time.Minute {
				t.Fatalf("a stretch of %s begins at %s, not %s", s[1].Sub(s[0]), s[0], at)
			}
			at = s[1]
		}
		if late := began.Add(28 * time.Minute).Sub(at); late > time.Minute {
			t.Errorf("it is %s behind", late)
		}
	})
}
