// Package aggregator keeps rolling metrics of every project in Redis, for the
// live feed and the dashboard.
//
// One process at a time has a partition, by a lease. It folds the partition's
// stream in order and saves what changed together with its position, so that a
// crash continues exactly; a fact that comes twice is known by its seq. What
// Redis has lost is rebuilt from the ledger.
//
// With its checkpoint it saves a subtotal, the sums of all that it has counted.
// One process at a time, by another lease, adds the subtotals of all partitions up
// and publishes them. It takes none from its own memory: what was published
// once is saved, and whoever goes on from there cannot fall behind it.
package aggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Feed reads a lane's stream in order.
type Feed interface {
	// Tail returns up to count entries behind a position, or none after
	// waiting a moment; fewer than count are all that there are. The empty
	// position is the beginning.
	Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error)
	// Gap gives the position behind entries that were removed before they
	// could be read from a position on, or "" when none were.
	Gap(ctx context.Context, lane event.Lane, position string) (behind string, err error)
}

// State keeps what one partition's aggregator has folded.
type State interface {
	Lease(ctx context.Context, partition int, owner string) (bool, error)
	Release(ctx context.Context, partition int, owner string) error
	// LoadCheckpoint returns what was saved; None is true of the error when
	// there is nothing.
	LoadCheckpoint(ctx context.Context, partition int) (rollup.Checkpoint, error)
	SaveCheckpoint(ctx context.Context, partition int, owner string, changes rollup.Checkpoint) error
	ResetCheckpoint(ctx context.Context, partition int, owner string, whole rollup.Checkpoint) error
}

// Ledger knows all facts that are stored for good.
type Ledger interface {
	Rebuild(ctx context.Context, partition int, now time.Time) (rollup.Checkpoint, error)
	// Stored gives the seqs of a partition that are stored, by journal.
	Stored(ctx context.Context, partition int) (map[string]event.Ranges, error)
}

// Aggregator folds one partition.
type Aggregator struct {
	Partition int
	Owner     string // differs between processes that run at once
	Feed      Feed
	State     State
	None      func(error) bool // of LoadCheckpoint: nothing was saved
	Ledger    Ledger
	Log       *slog.Logger

	books    rollup.Books
	position string
	saved    string                  // position of the last checkpoint
	seqs     map[string]event.Ranges // what was folded, by journal
	moved    map[string]event.Ranges // of seqs, what changed since the last save
	told     time.Time               // when the subtotal was saved last
	current  bool                    // the end was reached since the checkpoint was loaded

	owed   map[string]event.Ranges // is stored, and must be folded once the end is reached; nil: nothing to compare
	missed bool                    // the stream has not brought what is stored: begin with the ledger

	folded atomic.Int64
}

const (
	tailCount  = 2500
	saveEvery  = 250 * time.Millisecond
	tellEvery  = time.Second // the subtotal, even when nothing changes, to say that it is current
	leaseEvery = time.Second
	tryFor     = 2 * time.Second
	retryAfter = time.Second
	loadWithin = time.Minute
)

// Run folds until ctx ends. While another process has the partition, or Redis
// is away, it waits.
func (a *Aggregator) Run(ctx context.Context) error {
	defer a.release(ctx)
	for ctx.Err() == nil {
		if err := a.own(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("aggregator starts again from its last checkpoint", "partition", a.Partition, "err", err)
			pause(ctx, retryPause())
		}
	}
	return nil
}

// retryPause is not the same for all, who would come at once again.
func retryPause() time.Duration { return retryAfter/2 + rand.N(retryAfter) }

func pause(ctx context.Context, wait time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// own waits for the lease, loads the checkpoint and folds on from there until
// something fails. What was folded since the last save is dropped then, and
// folded again later.
func (a *Aggregator) own(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	got, err := a.State.Lease(ctx, a.Partition, a.Owner)
	if err != nil {
		return err
	}
	if !got {
		pause(ctx, retryPause())
		return nil
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	leased, saved, stored := time.Now(), time.Now(), a.askLedger(ctx)
	for ctx.Err() == nil {
		if err := a.follow(ctx, stored); err != nil {
			return err
		}
		now := time.Now()
		if now.Sub(leased) >= leaseEvery {
			if err := a.check(ctx); err != nil {
				return err
			}
			leased = now
		}
		if now.Sub(saved) >= saveEvery {
			if err := a.save(ctx, now); err != nil {
				return err
			}
			saved = now
		}
	}
	return a.save(context.WithoutCancel(ctx), time.Now())
}

// check keeps the lease, and looks whether the stream was trimmed before us.
func (a *Aggregator) check(ctx context.Context) error {
	if got, err := a.State.Lease(ctx, a.Partition, a.Owner); err != nil || !got {
		return errors.Join(err, fmt.Errorf("lease of partition %d is lost", a.Partition))
	}
	behind, err := a.Feed.Gap(ctx, a.lane(), a.position)
	if err != nil {
		return err
	}
	if behind != "" {
		return fmt.Errorf("stream of partition %d was trimmed up to %s before it was read", a.Partition, behind)
	}
	return nil
}

func (a *Aggregator) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
	defer cancel()
	if err := a.State.Release(ctx, a.Partition, a.Owner); err != nil {
		a.Log.Debug("lease is left to run out", "partition", a.Partition, "err", err)
	}
}

// load goes on from the checkpoint, or, where there is none or entries were
// removed behind it, from what is stored for good.
func (a *Aggregator) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadWithin)
	defer cancel()
	c, err := a.State.LoadCheckpoint(ctx, a.Partition)
	if err != nil && !a.None(err) {
		return err
	}
	if a.missed {
		c.Position = "" // as if nothing had been saved
	}
	behind, gapErr := a.Feed.Gap(ctx, a.lane(), c.Position)
	if gapErr != nil {
		return gapErr
	}
	if err != nil || behind != "" || a.missed {
		if c, err = a.rebuild(ctx, behind); err != nil {
			return err
		}
	}
	a.missed = false
	a.adopt(c)
	return nil
}

// rebuild makes a checkpoint from the ledger and saves it. Reading goes on
// behind what was removed; what comes again is known by its seq.
func (a *Aggregator) rebuild(ctx context.Context, behind string) (rollup.Checkpoint, error) {
	c, err := a.Ledger.Rebuild(ctx, a.Partition, time.Now())
	if err != nil {
		return c, err
	}
	c.Position = behind
	level := slog.LevelInfo
	if len(c.Seqs) == 0 { // there was nothing yet
		level = slog.LevelDebug
	}
	a.Log.Log(ctx, level, "aggregates were rebuilt from the ledger", "partition", a.Partition, "journals", len(c.Seqs), "cells", len(c.Cells))
	return c, a.State.ResetCheckpoint(ctx, a.Partition, a.Owner, c)
}

// adopt begins with a checkpoint.
func (a *Aggregator) adopt(c rollup.Checkpoint) {
	a.books = rollup.Books{}
	for _, cell := range c.Cells {
		a.books.Of(cell.Project).Restore(cell.Key, *cell.Cell)
	}
	a.position, a.saved, a.seqs, a.owed = c.Position, c.Position, c.Seqs, nil
	a.current, a.told = false, time.Time{}
	if a.seqs == nil {
		a.seqs = map[string]event.Ranges{}
	}
	a.moved = map[string]event.Ranges{}
}

func (a *Aggregator) lane() event.Lane {
	return event.Lane{Stream: event.Completions, Partition: a.Partition}
}

// fold takes the next entries, and says how many there were: fewer than
// tailCount are all that there are.
func (a *Aggregator) fold(ctx context.Context) (came int, err error) {
	entries, err := a.Feed.Tail(ctx, a.lane(), a.position, tailCount)
	if err != nil {
		return 0, err
	}
	var fresh []*event.CompletionRecorded
	for _, e := range entries {
		a.position = e.ID
		c, err := e.Completion()
		if err != nil {
			continue // the worker buries it with the reason
		}
		if a.isNew(c) {
			fresh = append(fresh, c)
		}
	}
	a.books.Fold(fresh)
	a.folded.Add(int64(len(fresh)))
	a.current = a.current || len(entries) < tailCount
	return len(entries), nil
}

// isNew marks a fact's seq as folded, and reports whether it was not before.
func (a *Aggregator) isNew(c *event.CompletionRecorded) bool {
	ranges := a.seqs[c.Journal]
	if !ranges.Add(c.Seq) {
		return false
	}
	a.seqs[c.Journal], a.moved[c.Journal] = ranges, ranges
	return true
}

// save stores what changed, and lets windows move on.
func (a *Aggregator) save(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	c := rollup.Checkpoint{After: a.saved, Position: a.position, Seqs: a.moved}
	for project, book := range a.books {
		book.Advance(now)
		for key, cell := range book.Changed() {
			c.Cells = append(c.Cells, rollup.ProjectCell{Project: project, Key: key, Cell: cell})
		}
	}
	changed := a.position != a.saved || len(c.Cells) > 0
	if a.current && (changed || now.Sub(a.told) >= tellEvery) {
		subtotal := a.books.Subtotal(now)
		c.Subtotal, a.told = &subtotal, now
	} else if !changed {
		return nil
	}
	a.saved, a.moved = a.position, map[string]event.Ranges{}
	return a.State.SaveCheckpoint(ctx, a.Partition, a.Owner, c)
}

// Folded counts facts, since this process began.
func (a *Aggregator) Folded() int64 { return a.folded.Load() }
