package aggregator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/aggregator"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) {
	redisdb.Quiet()
	storetest.Main(m)
}

func open(t *testing.T) *redisdb.DB {
	t.Helper()
	return openURL(t, storetest.Redis(t))
}

func openURL(t *testing.T, url string) *redisdb.DB {
	t.Helper()
	db, err := redisdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// shaky fails at random, before or after the real thing was done.
type shaky struct {
	*redisdb.DB
	mu     sync.Mutex
	random *rand.Rand
}

func (s *shaky) fails() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.Float64() < .02
}

func (s *shaky) Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error) {
	if s.fails() {
		return nil, errors.New("away")
	}
	return s.DB.Tail(ctx, lane, after, min(count, 60))
}

func (s *shaky) SaveCheckpoint(ctx context.Context, partition int, owner string, c rollup.Checkpoint) error {
	if s.fails() {
		return errors.New("away")
	}
	if err := s.DB.SaveCheckpoint(ctx, partition, owner, c); err != nil || !s.fails() {
		return err
	}
	return errors.New("saved, and the connection broke")
}

// newAggregator makes one on a ledger of its own.
func newAggregator(owner string, feed aggregator.Feed, state aggregator.State, ledger aggregator.Ledger) *aggregator.Aggregator {
	return &aggregator.Aggregator{Owner: owner, Feed: feed, State: state, Ledger: ledger, Log: slog.New(slog.DiscardHandler),
		None: func(err error) bool { return errors.Is(err, redisdb.ErrNone) }}
}

func openLedger(t *testing.T) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: storetest.Postgres(t), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func facts(seed uint64, n int) []*event.CompletionRecorded { return factsOf(seed, n, 20*time.Hour) }

// factsOf are of requests that arrived within some time before now.
func factsOf(seed uint64, n int, last time.Duration) []*event.CompletionRecorded {
	r := rand.New(rand.NewPCG(seed, 0))
	var fs []*event.CompletionRecorded
	for range n {
		f := eventtest.Completion(r, time.Now().Add(-rand.N(last)))
		if r.IntN(4) == 0 {
			f.Project = "another"
		}
		fs = append(fs, f)
	}
	eventtest.Number("j", 1, fs...)
	return fs
}

func appendFacts(t *testing.T, db *redisdb.DB, fs []*event.CompletionRecorded) {
	t.Helper()
	var entries []event.Entry
	for _, f := range fs {
		body, err := event.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, event.Entry{Lane: event.Lane{Stream: event.Completions, Partition: f.Partition}, Body: body})
	}
	if err := db.Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// totals are what a number of partitions have saved, by project.
func totals(t *testing.T, db *redisdb.DB, partitions int) map[string]rollup.Sums {
	t.Helper()
	subtotals, err := db.Subtotals(t.Context(), partitions)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]rollup.Sums{}
	for project, windows := range rollup.Merge(subtotals) {
		sums[project] = rollup.NewSums(windows[""])
	}
	return sums
}

func expected(fs []*event.CompletionRecorded) map[string]rollup.Sums {
	books := rollup.Books{}
	books.Fold(fs)
	sums := map[string]rollup.Sums{}
	for project, b := range books {
		cells := rollup.Cells{}
		b.AddTotals(cells)
		sums[project] = rollup.NewSums(cells)
	}
	return sums
}

// within polls until a condition holds, or fails the test after a while.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in 30 s it did not come to pass that %s", what)
		}
	}
}

// Aggregators come and go, Redis fails, facts come twice and malformed ones
// among them: each fact is counted once.
func TestEveryFactIsCountedOnce(t *testing.T) {
	t.Parallel()
	db, ledger := open(t), openLedger(t)
	fs := facts(1, 2000)
	unstable := &shaky{DB: db, random: rand.New(rand.NewPCG(7, 7))}
	last := &aggregator.Aggregator{}
	for generation := range 8 {
		chunk := fs[generation*250 : (generation+1)*250]
		appendFacts(t, db, chunk)
		appendFacts(t, db, chunk[:100]) // a shipper that began again
		if err := db.Append(t.Context(), []event.Entry{{Lane: event.Lane{Stream: event.Completions}, Body: []byte("{")}}); err != nil {
			t.Fatal(err)
		}
		last = newAggregator(fmt.Sprint(generation), unstable, unstable, ledger)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- last.Run(ctx) }()
		want := expected(fs[:(generation+1)*250])
		if generation%2 == 1 { // every other one is stopped in the middle of its work
			within(t, "all facts are counted once", func() bool { return reflect.DeepEqual(totals(t, db, 1), want) })
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// Two aggregators: one counts, the other waits, and takes over.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	db, ledger := open(t), openLedger(t)
	fs := facts(2, 200)
	appendFacts(t, db, fs)
	run := func(owner string) (*aggregator.Aggregator, func()) {
		a := newAggregator(owner, db, db, ledger)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		return a, func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	one, stopOne := run("one")
	within(t, "the first counts", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(fs)) })
	other, stopOther := run("other")
	defer stopOther()
	more := facts(3, 100)
	eventtest.Number("another journal", 1, more...)
	appendFacts(t, db, more)
	within(t, "the first goes on", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(append(fs, more...))) })
	if n := one.Folded() + other.Folded(); n != 300 || other.Folded() > 0 {
		t.Errorf("both have the partition: %d and %d of 300 facts were counted", one.Folded(), other.Folded())
	}
	stopOne()
	within(t, "the second took over", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(append(fs, more...))) })
}

// Redis loses everything, more than once, and the stream is trimmed before it
// was read: what is stored for good comes back from the ledger, the rest from
// the stream, each once.
func TestWhatRedisLosesIsRebuilt(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	db, err := redisdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(o)
	defer plain.Close()
	ledger := openLedger(t)
	fs := facts(5, 900)
	if _, err := ledger.Persist(t.Context(), fs[:300]); err != nil {
		t.Fatal(err)
	}
	a := newAggregator("one", db, db, ledger)
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() { _ = a.Run(ctx) })
	defer loop.Wait()
	defer cancel()
	within(t, "it begins with the ledger", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(fs[:300])) })

	appendFacts(t, db, fs[200:500]) // a third of them is stored already
	within(t, "the stream adds the rest", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(fs[:500])) })

	if err := plain.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Persist(t.Context(), fs[400:700]); err != nil { // leaves a hole for the stream to fill
		t.Fatal(err)
	}
	appendFacts(t, db, fs[300:900]) // as the shipper does: all that is not stored for good, in order
	within(t, "all are counted after Redis was emptied", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(fs)) })
}
