package worker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/verdict"
)

// Verdicts are stored, and wait to be ruled on.
type Verdicts interface {
	// Join takes up to most that are due, with what is stored of their answers,
	// and stores what rule says of them, in one transaction. All requests that
	// arrived before until are stored.
	Join(ctx context.Context, now time.Time, most int, rule func(ctx context.Context, cases []verdict.Case, until time.Time) []verdict.Ruling) (joined int, err error)
}

// Answers are kept, to be given again.
type Answers interface {
	// Evict forgets the answers that requests of a project got.
	Evict(ctx context.Context, project string, requests ...uuid.UUID) error
}

// Graveyard keeps facts that are stored and refused.
type Graveyard interface {
	BuryStored(ctx context.Context, refused []event.Refused) error
}

// Joiner brings verdicts together with the answers that they are on: they
// become lessons, are only kept, or go to the dead letters. An answer that is
// called bad is not given again. Any number of processes may do it at once.
type Joiner struct {
	Verdicts  Verdicts
	Answers   Answers // nil: none are kept
	Graveyard Graveyard
	Log       *slog.Logger

	stats JoinerStats
}

// JoinerStats count what a joiner has done. They are safe to read at any time.
type JoinerStats struct {
	Learned, Kept, Refused atomic.Int64 // verdicts
	Failures               atomic.Int64 // answers and dead letters that have to be tried again
}

// Stats gives the counters.
func (j *Joiner) Stats() *JoinerStats { return &j.stats }

const (
	joinBusy   = 250 * time.Millisecond
	joinIdle   = time.Second
	joinWithin = 30 * time.Second
	joinStops  = 3 * time.Second
	joinAtOnce = 2000

	// evictFor is how old a verdict may become before it is learned from though
	// its answer could not be evicted.
	evictFor = time.Minute
)

// Run joins until ctx ends. PostgreSQL being away only makes it wait.
func (j *Joiner) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		pause := joinBusy
		switch joined, err := j.step(ctx); {
		case err != nil && ctx.Err() == nil:
			j.Log.Debug("feedback cannot be joined now", "err", err)
			pause = joinIdle
		case joined == 0:
			pause = joinIdle
		case joined == joinAtOnce:
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// step joins what is due now. When the process is told to stop, what has begun
// has a moment to finish; a step that is cut off has changed nothing.
func (j *Joiner) step(ctx context.Context) (joined int, err error) {
	stopping := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), joinWithin)
	defer cancel()
	defer context.AfterFunc(stopping, func() { time.AfterFunc(joinStops, cancel) })()
	now := time.Now()
	var rulings []verdict.Ruling
	joined, err = j.Verdicts.Join(ctx, now, joinAtOnce, func(ctx context.Context, cases []verdict.Case, until time.Time) []verdict.Ruling {
		rulings = verdict.RuleAll(cases, until, now)
		j.evict(ctx, cases, rulings, now)
		j.bury(ctx, cases, rulings, now)
		return rulings
	})
	if err == nil {
		j.count(rulings)
	}
	return joined, err
}

func (j *Joiner) count(rulings []verdict.Ruling) {
	for _, r := range rulings {
		switch r.State {
		case verdict.Learned:
			j.stats.Learned.Add(1)
		case verdict.Kept:
			j.stats.Kept.Add(1)
		case verdict.Refused:
			j.stats.Refused.Add(1)
		}
	}
}

// evict has answers forgotten that were called bad. Where that fails, their
// verdicts wait, but not for ever. After the first failure the rest is not
// tried: they would all wait for the same store.
func (j *Joiner) evict(ctx context.Context, cases []verdict.Case, rulings []verdict.Ruling, now time.Time) {
	if j.Answers == nil {
		return
	}
	bad := map[string][]int{} // verdicts by the project of the answers
	for i, r := range rulings {
		if r.Forget != uuid.Nil {
			project := cases[i].Answer.Project
			bad[project] = append(bad[project], i)
		}
	}
	var failed error
	for project, verdicts := range bad {
		if failed == nil {
			failed = j.Answers.Evict(ctx, project, forgotten(rulings, verdicts)...)
		}
		if failed == nil {
			continue
		}
		j.stats.Failures.Add(int64(len(verdicts)))
		j.Log.Warn("answers that were called bad cannot be forgotten yet", "project", project, "verdicts", len(verdicts), "err", failed)
		for _, i := range verdicts {
			if now.Sub(cases[i].Feedback.At) < evictFor {
				rulings[i] = verdict.Postpone(cases[i], now)
			}
		}
	}
}

// forgotten lists the requests whose answers rulings forget, each once.
func forgotten(rulings []verdict.Ruling, which []int) []uuid.UUID {
	requests := make([]uuid.UUID, 0, len(which))
	for _, i := range which {
		requests = append(requests, rulings[i].Forget)
	}
	slices.SortFunc(requests, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(requests)
}

// bury puts what is refused with the dead letters. Where that fails, it waits.
func (j *Joiner) bury(ctx context.Context, cases []verdict.Case, rulings []verdict.Ruling, now time.Time) {
	var refused []event.Refused
	var at []int
	for i, r := range rulings {
		if r.State != verdict.Refused {
			continue
		}
		f := cases[i].Feedback
		body, err := event.Encode(f)
		if err != nil { // it came as JSON
			body = fmt.Appendf(nil, "%+v", f)
		}
		lane := event.Lane{Stream: f.Stream(), Partition: f.Partition}
		refused = append(refused, event.Refused{Entry: event.Entry{Lane: lane, Body: body}, Reason: r.Note})
		at = append(at, i)
	}
	if len(refused) == 0 {
		return
	}
	if err := j.Graveyard.BuryStored(ctx, refused); err != nil {
		j.stats.Failures.Add(1)
		j.Log.Warn("refused feedback cannot go to the dead letters yet", "verdicts", len(refused), "err", err)
		for _, i := range at {
			rulings[i] = verdict.Postpone(cases[i], now)
		}
	}
}
