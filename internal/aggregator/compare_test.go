package aggregator_test

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/aggregator"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// A worker has facts in hand when Redis is emptied, and stores them after the
// aggregator has begun again from the ledger: no journal sends them again. The
// rest of the stream goes on. Chaos found live metrics that lacked them.
func TestWhatNeverComesByTheStreamIsFoundInTheLedger(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	db, ledger := openURL(t, url), openLedger(t)
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(o)
	defer plain.Close()
	fs := facts(8, 600)
	a := newAggregator("one", db, db, ledger)
	defer running(t, a)()
	appendFacts(t, db, fs[:200])
	within(t, "the stream is counted", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(fs[:200])) })
	if _, err := ledger.Persist(t.Context(), fs[:200]); err != nil {
		t.Fatal(err)
	}
	if err := plain.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	appendFacts(t, db, fs[400:])
	within(t, "it began again", func() bool {
		position, err := plain.Get(t.Context(), "busu:aggregate:{0}:position").Result()
		return err == nil && position != "" && len(totals(t, db, 1)) > 0
	})
	if _, err := ledger.Persist(t.Context(), fs[200:400]); err != nil {
		t.Fatal(err)
	}
	within(t, "what only the ledger has is counted", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(fs)) })
	more := facts(9, 50)
	eventtest.Number("another journal", 1, more...)
	appendFacts(t, db, more)
	within(t, "the stream goes on", func() bool { return reflect.DeepEqual(totals(t, db, 1), expected(append(fs, more...))) })
}

// running runs an aggregator until the function is called.
func running(t *testing.T, a *aggregator.Aggregator) func() {
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return func() {
		cancel()
		loop.Wait()
	}
}

// unhurried takes its time for every page, so that checkpoints are saved in
// between.
type unhurried struct{ *redisdb.DB }

func (u unhurried) Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error) {
	time.Sleep(150 * time.Millisecond)
	return u.DB.Tail(ctx, lane, after, count)
}

// While everything is counted again, what is shown stays what it was.
func TestNothingIsHiddenWhileItIsCountedAgain(t *testing.T) {
	t.Parallel()
	db, ledger := open(t), openLedger(t)
	fs := factsOf(10, 10_000, time.Minute)
	appendFacts(t, db, fs)
	a := newAggregator("one", unhurried{db}, db, ledger)
	p := &aggregator.Publisher{Partitions: 1, Owner: "one", Chair: db, Board: db, Providers: db, Log: slog.New(slog.DiscardHandler)}
	defer running(t, a)()
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() { _ = p.Run(ctx) })
	defer loop.Wait()
	defer cancel()
	watch(t, db)
	shows(t, db, "at first", fs)
	stored := facts(11, 5)
	eventtest.Number("another journal", 1, stored...)
	if _, err := ledger.Persist(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	shows(t, db, "when it began again with the ledger", append(fs, stored...))
}
