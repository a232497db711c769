package aggregator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/aggregator"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
)

// place is Redis for one process, as long as that lives.
type place struct {
	*redisdb.DB
	dead atomic.Bool
	hold chan struct{} // when there is one, publishing waits until it is closed
	held chan struct{} // gets a value when publishing waits
}

var errDead = errors.New("the process is dead")

func (p *place) alive() error {
	if p.dead.Load() {
		return errDead
	}
	return nil
}

func (p *place) Lease(ctx context.Context, partition int, owner string) (bool, error) {
	if err := p.alive(); err != nil {
		return false, err
	}
	return p.DB.Lease(ctx, partition, owner)
}

func (p *place) Release(ctx context.Context, partition int, owner string) error {
	if err := p.alive(); err != nil {
		return err
	}
	return p.DB.Release(ctx, partition, owner)
}

func (p *place) SaveCheckpoint(ctx context.Context, partition int, owner string, c rollup.Checkpoint) error {
	if err := p.alive(); err != nil {
		return err
	}
	return p.DB.SaveCheckpoint(ctx, partition, owner, c)
}

func (p *place) Lead(ctx context.Context, owner string) (bool, error) {
	if err := p.alive(); err != nil {
		return false, err
	}
	return p.DB.Lead(ctx, owner)
}

func (p *place) Resign(ctx context.Context, owner string) error {
	if err := p.alive(); err != nil {
		return err
	}
	return p.DB.Resign(ctx, owner)
}

func (p *place) Publish(ctx context.Context, owner, project string, s rollup.Snapshot, reports []rollup.Report) error {
	if err := p.alive(); err != nil {
		return err
	}
	if p.hold != nil {
		select {
		case p.held <- struct{}{}:
		default:
		}
		<-p.hold
		ctx = context.WithoutCancel(ctx) // as a write that is on its way
	}
	return p.DB.Publish(ctx, owner, project, s, reports)
}

// crew is one process's aggregators and publisher, over some partitions.
type crew struct {
	*place
	all    []*aggregator.Aggregator
	loops  sync.WaitGroup
	cancel context.CancelFunc
}

func (c *crew) stop() {
	c.cancel()
	c.loops.Wait()
}

// kill ends a process that cannot say goodbye.
func (c *crew) kill() {
	c.dead.Store(true)
	c.stop()
}

const partitions = 3

func employ(t *testing.T, p *place, owner string, ledger aggregator.Ledger, of ...int) *crew {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &crew{place: p, cancel: cancel}
	publisher := &aggregator.Publisher{Partitions: partitions, Owner: owner, Chair: p, Board: p, Providers: p, Log: slog.New(slog.DiscardHandler)}
	c.loops.Go(func() { _ = publisher.Run(ctx) })
	for _, partition := range of {
		a := newAggregator(owner, p, p, ledger)
		a.Partition = partition
		c.all = append(c.all, a)
		c.loops.Go(func() { _ = a.Run(ctx) })
	}
	t.Cleanup(c.stop)
	return c
}

// spread numbers facts in all partitions.
func spread(journal string, seed uint64, n int) []*event.CompletionRecorded {
	fs := facts(seed, n)
	byPartition := make([][]*event.CompletionRecorded, partitions)
	for i, f := range fs {
		byPartition[i%partitions] = append(byPartition[i%partitions], f)
	}
	for partition, lane := range byPartition {
		eventtest.Number(journal, 1, lane...)
		for _, f := range lane {
			f.Partition = partition
		}
	}
	return fs
}

// watch follows the snapshot of the default project until the test ends, and
// fails it when requests that were shown once are not shown any more.
func watch(t *testing.T, db *redisdb.DB) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var most int64
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
			s, err := db.Live(context.WithoutCancel(t.Context()), event.DefaultProject)
			if errors.Is(err, redisdb.ErrNone) {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			if s.Totals.TotalRequests < most {
				t.Errorf("the snapshot went back from %d requests to %d", most, s.Totals.TotalRequests)
			}
			most = max(most, s.Totals.TotalRequests)
		}
	}()
	t.Cleanup(func() {
		close(done)
		<-ended
	})
}

// shows waits until snapshot and reports have exactly these facts.
func shows(t *testing.T, db *redisdb.DB, what string, fs []*event.CompletionRecorded) {
	t.Helper()
	for project, want := range expected(fs) {
		within(t, fmt.Sprintf("%s, the snapshot of %s has all %d", what, project, want.TotalRequests), func() bool {
			s, err := db.Live(t.Context(), project)
			return err == nil && *s.Totals == want
		})
		for _, w := range rollup.Windows() {
			r, err := db.Report(t.Context(), project, w)
			if err != nil || r.Window != w.Name || r.Source != rollup.SourceRedis {
				t.Errorf("window %s of %s: %+v, %v", w.Name, project, r, err)
			}
			if w.Name == "24h" && r.Sums != want { // facts are 20 hours old at most
				t.Errorf("%s, window %s of %s: %+v, not %+v", what, w.Name, project, r.Sums, want)
			}
		}
	}
}

// Three partitions, spread over processes that come, are killed and are
// stopped: each fact is counted once, and none that was shown is ever hidden,
// not even while nobody has its partition.
func TestPartitionsSpreadOverProcesses(t *testing.T) {
	t.Parallel()
	db, ledger := open(t), openLedger(t)
	process := func(owner string, of ...int) *crew { return employ(t, &place{DB: db}, owner, ledger, of...) }
	watch(t, db)
	one := process("one", 0)
	two := process("two", 1, 2)
	fs := spread("j", 11, 900)
	appendFacts(t, db, fs)
	shows(t, db, "with two processes", fs)
	if one.all[0].Folded() != 300 || two.all[0].Folded() != 300 || two.all[1].Folded() != 300 {
		t.Error("the partitions are not spread")
	}

	more := spread("k", 12, 600)
	two.kill() // partitions 1 and 2 have nobody, and what comes in them waits
	appendFacts(t, db, more)
	counted := append([]*event.CompletionRecorded{}, fs...)
	for _, f := range more {
		if f.Partition == 0 {
			counted = append(counted, f)
		}
	}
	shows(t, db, "with two partitions vacant", counted)
	within(t, "the snapshot says since when it is not whole", func() bool {
		s, err := db.Live(t.Context(), event.DefaultProject)
		return err == nil && time.Since(s.AsOf) > 2*time.Second
	})

	three := process("three", 0, 1, 2)
	shows(t, db, "when another took over", append(fs, more...))
	one.kill()
	last := spread("l", 13, 300)
	appendFacts(t, db, last)
	fs = append(append(fs, more...), last...)
	shows(t, db, "with a process for everything", fs)
	three.stop()
	process("four", 2, 1, 0)
	final := spread("m", 14, 30)
	appendFacts(t, db, final)
	shows(t, db, "after it was stopped in good order", append(fs, final...))
}

// A publisher that was held up between reading and writing must not put its
// old figures over those of the one that leads now, nor when nobody leads.
func TestPublisherThatWasHeldUp(t *testing.T) {
	t.Parallel()
	db, ledger := open(t), openLedger(t)
	watch(t, db)
	slow := &place{DB: db, hold: make(chan struct{}), held: make(chan struct{}, 1)}
	fs := spread("j", 15, 90)
	appendFacts(t, db, fs)
	goOn := sync.OnceFunc(func() { close(slow.hold) })
	held := employ(t, slow, "slow", ledger, 0, 1, 2)
	t.Cleanup(goOn)
	<-slow.held
	more := spread("k", 16, 90)
	appendFacts(t, db, more)
	process := employ(t, &place{DB: db}, "other", ledger)
	shows(t, db, "when another leads", append(fs, more...))
	process.stop()
	slow.dead.Store(true) // it cannot lead again
	goOn()
	held.stop()
	shows(t, db, "after the old one wrote", append(fs, more...))
}

// What Redis lost is not shown as if it were all: there is no snapshot until
// all partitions were counted again.
func TestNoSnapshotOfSomePartitions(t *testing.T) {
	t.Parallel()
	db, ledger := open(t), openLedger(t)
	fs := spread("j", 17, 300)
	appendFacts(t, db, fs)
	employ(t, &place{DB: db}, "one", ledger, 0, 2)
	within(t, "two of three are counted", func() bool {
		subtotals, err := db.Subtotals(t.Context(), partitions)
		return err == nil && len(subtotals) == 2 && totalOf(subtotals) == 200
	})
	if s, err := db.Live(t.Context(), event.DefaultProject); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("a snapshot of two partitions: %+v, %v", s.Totals, err)
	}
	employ(t, &place{DB: db}, "two", ledger, 1)
	shows(t, db, "with all", fs)
}

func totalOf(subtotals []rollup.Subtotal) (n int64) {
	for _, windows := range rollup.Merge(subtotals) {
		n += rollup.NewSums(windows[""]).TotalRequests
	}
	return n
}
