package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/verdict"
	"github.com/busuhq/busu/internal/worker"
)

// docket holds verdicts and what was ruled, and is cache and graveyard, too.
type docket struct {
	mu      sync.Mutex
	cases   []verdict.Case
	next    []time.Time
	ruled   []verdict.Ruling
	away    bool // the stores outside
	evicted []uuid.UUID
	buried  []string
}

func (d *docket) Join(ctx context.Context, now time.Time, most int, rule func(context.Context, []verdict.Case, time.Time) []verdict.Ruling) (int, error) {
	due, at := d.due(now, most)
	if len(due) == 0 {
		return 0, nil
	}
	rulings := rule(ctx, due, now)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, r := range rulings {
		d.ruled[at[i]], d.next[at[i]] = r, r.Next
	}
	return len(due), nil
}

func (d *docket) due(now time.Time, most int) (due []verdict.Case, at []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, c := range d.cases {
		if d.ruled[i].State == verdict.Waiting && !d.next[i].After(now) && len(due) < most {
			due, at = append(due, c), append(at, i)
		}
	}
	return due, at
}

func (d *docket) Evict(_ context.Context, project string, requests ...uuid.UUID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away || project != event.DefaultProject {
		return errors.New("away")
	}
	d.evicted = append(d.evicted, requests...)
	return nil
}

func (d *docket) BuryStored(_ context.Context, refused []event.Refused) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return errors.New("away")
	}
	for _, r := range refused {
		if !strings.HasPrefix(string(r.Body), `{"v":1,"type":"feedback.recorded",`) || r.Lane != (event.Lane{Stream: event.Feedback}) {
			return fmt.Errorf("%s of %s is no verdict", r.Body, r.Lane)
		}
		d.buried = append(d.buried, r.Reason)
	}
	return nil
}

func (d *docket) add(f *event.FeedbackRecorded, a *event.CompletionRecorded) {
	d.cases = append(d.cases, verdict.Case{Feedback: f, Answer: a})
	d.next, d.ruled = append(d.next, time.Time{}), append(d.ruled, verdict.Ruling{State: verdict.Waiting})
}

// fillDocket gives a bad verdict on an answer, twice, and one on a foreign one.
func fillDocket() *docket {
	r := rand.New(rand.NewPCG(1, 1))
	d := new(docket)
	answer := eventtest.Completion(r, time.Now())
	answer.Status, answer.OriginID = event.StatusOK, uuid.Nil
	foreign := eventtest.Completion(r, time.Now())
	foreign.Project = "other"
	for i, a := range []*event.CompletionRecorded{answer, answer, foreign} {
		f := eventtest.Feedback(r, time.Now(), a.ID)
		f.Rating = 1
		eventtest.Number("j", int64(i+1), f)
		d.add(f, a)
	}
	return d
}

func runJoiner(t *testing.T, d *docket, do func()) *worker.JoinerStats {
	t.Helper()
	j := &worker.Joiner{Verdicts: d, Answers: d, Graveyard: d, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- j.Run(ctx) }()
	do()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return j.Stats()
}

func (d *docket) states() (states []verdict.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.ruled {
		states = append(states, r.State)
	}
	return states
}

func TestJoinerEvictsAndBuriesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := fillDocket()
		stats := runJoiner(t, d, func() { time.Sleep(10 * time.Second) })
		if want := []verdict.State{verdict.Kept, verdict.Kept, verdict.Refused}; !slices.Equal(d.states(), want) {
			t.Errorf("they are %v", d.states())
		}
		if len(d.evicted) != 1 || d.evicted[0] != d.cases[0].Answer.ID || len(d.buried) != 1 {
			t.Errorf("evicted are %v, buried %v", d.evicted, d.buried)
		}
		if stats.Kept.Load() != 2 || stats.Refused.Load() != 1 || stats.Failures.Load() != 0 {
			t.Errorf("counted are %d, %d, %d", stats.Kept.Load(), stats.Refused.Load(), stats.Failures.Load())
		}
	})
}

// While the stores outside are away, what needs them waits: an eviction for a
// minute, a dead letter for ever.
func TestJoinerWaitsForTheStoresOutside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := fillDocket()
		d.away = true
		runJoiner(t, d, func() {
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if want := []verdict.State{verdict.Waiting, verdict.Waiting, verdict.Waiting}; !slices.Equal(d.states(), want) {
				t.Errorf("after half a minute they are %v", d.states())
			}
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			if want := []verdict.State{verdict.Kept, verdict.Kept, verdict.Waiting}; !slices.Equal(d.states(), want) {
				t.Errorf("after minutes they are %v", d.states())
			}
			d.mu.Lock()
			d.away = false
			d.mu.Unlock()
			time.Sleep(2 * time.Minute)
		})
		if d.states()[2] != verdict.Refused || len(d.buried) != 1 {
			t.Errorf("when they are back: %v, buried %v", d.states(), d.buried)
		}
	})
}

// stuck never gets an answer from its store.
type stuck struct{ docket }

func (s *stuck) Join(ctx context.Context, _ time.Time, _ int, _ func(context.Context, []verdict.Case, time.Time) []verdict.Ruling) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// A process that is told to stop does not wait for stores that hang.
func TestJoinerStopsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &worker.Joiner{Verdicts: new(stuck), Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- j.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		told := time.Now()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(told); took > 5*time.Second {
			t.Errorf("it stopped after %s", took)
		}
	})
}
