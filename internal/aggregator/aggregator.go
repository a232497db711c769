// Package aggregator keeps rolling metrics of every project in Redis, for the
// live feed and the dashboard.
//
// One process at a time has a partition, by a lease. It folds the partition's
// stream in order and saves what changed together with its position, so that a
// crash continues exactly; a fact that comes twice is known by its seq.
package aggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Feed reads a lane's stream in order.
type Feed interface {
	// Tail returns up to count entries behind a position, or none after
	// waiting a moment. The empty position is the beginning.
	Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error)
}

// State keeps what one partition's aggregator has folded.
type State interface {
	Lease(ctx context.Context, partition int, owner string) (bool, error)
	Release(ctx context.Context, partition int, owner string) error
	LoadCheckpoint(ctx context.Context, partition int) (rollup.Checkpoint, error)
	SaveCheckpoint(ctx context.Context, partition int, owner string, c rollup.Checkpoint) error
}

// Aggregator folds one partition.
type Aggregator struct {
	Partition int
	Owner     string // differs between processes that run at once
	Feed      Feed
	State     State
	Log       *slog.Logger

	mu    sync.Mutex
	books map[string]*rollup.Book // by project; nil without the lease

	position string
	seqs     map[string]int64 // the highest folded, by journal
	moved    map[string]int64 // of seqs, what changed since the last save
	dirty    bool             // the position changed since the last save
}

const (
	tailCount  = 2500
	saveEvery  = 250 * time.Millisecond
	leaseEvery = time.Second
	tryFor     = 2 * time.Second
	retryAfter = time.Second
)

// Run folds until ctx ends. While another process has the partition, or Redis
// is away, it waits.
func (a *Aggregator) Run(ctx context.Context) error {
	defer a.release(ctx)
	for ctx.Err() == nil {
		if err := a.own(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("aggregator starts again from its last checkpoint", "partition", a.Partition, "err", err)
			a.pause(ctx)
		}
	}
	return nil
}

func (a *Aggregator) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(retryAfter/2 + rand.N(retryAfter)):
	}
}

// own waits for the lease, loads the checkpoint and folds on from there until
// something fails. What was folded since the last save is dropped then, and
// folded again later.
func (a *Aggregator) own(ctx context.Context) error {
	defer a.drop()
	got, err := a.State.Lease(ctx, a.Partition, a.Owner)
	if err != nil {
		return err
	}
	if !got {
		a.pause(ctx)
		return nil
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	leased, saved := time.Now(), time.Now()
	for ctx.Err() == nil {
		if err := a.fold(ctx); err != nil {
			return err
		}
		now := time.Now()
		if now.Sub(leased) >= leaseEvery {
			if got, err := a.State.Lease(ctx, a.Partition, a.Owner); err != nil || !got {
				return errors.Join(err, fmt.Errorf("lease of partition %d is lost", a.Partition))
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

func (a *Aggregator) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
	defer cancel()
	if err := a.State.Release(ctx, a.Partition, a.Owner); err != nil {
		a.Log.Debug("lease is left to run out", "partition", a.Partition, "err", err)
	}
}

func (a *Aggregator) drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.books = nil
}

func (a *Aggregator) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*tryFor)
	defer cancel()
	c, err := a.State.LoadCheckpoint(ctx, a.Partition)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.books = map[string]*rollup.Book{}
	for _, cell := range c.Cells {
		a.book(cell.Project).Restore(cell.Key, *cell.Cell)
	}
	a.position, a.seqs, a.dirty = c.Position, c.Seqs, false
	a.moved = map[string]int64{}
	return nil
}

func (a *Aggregator) book(project string) *rollup.Book {
	b := a.books[project]
	if b == nil {
		b = rollup.NewBook()
		a.books[project] = b
	}
	return b
}

// fold takes the next entries, if there are any.
func (a *Aggregator) fold(ctx context.Context) error {
	lane := event.Lane{Stream: event.Completions, Partition: a.Partition}
	entries, err := a.Feed.Tail(ctx, lane, a.position, tailCount)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range entries {
		a.position, a.dirty = e.ID, true
		fact, err := event.Decode(e.Body)
		if err != nil {
			continue // the worker buries it with the reason
		}
		if c, ok := fact.(*event.CompletionRecorded); ok && c.Seq > a.seqs[c.Journal] {
			a.seqs[c.Journal], a.moved[c.Journal] = c.Seq, c.Seq
			a.book(c.Project).Fold(c)
		}
	}
	return nil
}

// save stores what changed, and lets windows move on.
func (a *Aggregator) save(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	c := rollup.Checkpoint{Position: a.position, Seqs: a.moved}
	a.mu.Lock()
	for project, book := range a.books {
		book.Advance(now)
		for key, cell := range book.Changed() {
			c.Cells = append(c.Cells, rollup.ProjectCell{Project: project, Key: key, Cell: cell})
		}
	}
	a.mu.Unlock() // only this goroutine changes cells
	if !a.dirty && len(c.Cells) == 0 {
		return nil
	}
	a.dirty, a.moved = false, map[string]int64{}
	return a.State.SaveCheckpoint(ctx, a.Partition, a.Owner, c)
}

// AddTo adds the sums of each project's window, and its totals where the
// window is "", to cells. It reports whether this process has the partition.
func (a *Aggregator) AddTo(byProject map[string]rollup.Cells, window string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for project, book := range a.books {
		cells := byProject[project]
		if cells == nil {
			cells = rollup.Cells{}
			byProject[project] = cells
		}
		if window == "" {
			book.AddTotals(cells)
		} else {
			book.AddWindow(window, cells)
		}
	}
	return a.books != nil
}
