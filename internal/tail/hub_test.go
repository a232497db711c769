package tail_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/tail"
)

func TestMain(m *testing.M) {
	redisdb.Quiet()
	storetest.Main(m)
}

// counting counts what a store is asked at once.
type counting struct {
	tail.Source
	now, most, reads, waits atomic.Int64
}

func (c *counting) After(ctx context.Context, lane event.Lane, position string, count int) ([]event.Entry, string, error) {
	c.reads.Add(1)
	for now, most := c.now.Add(1), c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	defer c.now.Add(-1)
	return c.Source.After(ctx, lane, position, count)
}

func (c *counting) Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error) {
	if c.waits.Add(1) > 1 {
		panic("more than one waits")
	}
	defer c.waits.Add(-1)
	return c.Source.Tail(ctx, lane, after, count)
}

// Hundreds of listeners, at the end and far behind, each get everything in
// order, and Redis is asked by a handful.
func TestManyListenersShareOneReader(t *testing.T) {
	t.Parallel()
	db, err := redisdb.Open(storetest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	lane := event.Lane{Stream: event.Completions}
	add := func(from, to int) {
		var entries []event.Entry
		for i := from; i < to; i++ {
			entries = append(entries, event.Entry{Lane: lane, Body: fmt.Appendf(nil, `{"type":"completion.recorded","project":"p","seq":%d}`, i)})
		}
		if err := db.Append(t.Context(), entries); err != nil {
			t.Error(err)
		}
	}
	const old, fresh = 3000, 600
	add(0, old)
	source := &counting{Source: db}
	hub := tail.NewHub(source, slog.New(slog.DiscardHandler), lane)
	ctx, stop := context.WithCancel(t.Context())
	var running, listening sync.WaitGroup
	running.Go(func() { _ = hub.Run(ctx) })
	for i := range 300 {
		var from tail.Position
		first := old
		if i%10 == 0 {
			from, first = make(tail.Position, 1), 0
		}
		l, err := hub.Listen(ctx, from, tail.Filter{Project: "p"})
		if err != nil {
			t.Fatal(err)
		}
		listening.Go(func() {
			defer l.Close()
			expect(ctx, t, l, first, old+fresh)
		})
	}
	for i := old; i < old+fresh; i += 20 {
		add(i, i+20)
	}
	listening.Wait()
	if n := source.most.Load(); n > 5 {
		t.Errorf("%d reads at once", n)
	}
	// 30 listeners read 30 pages of their own each, the others what is shared.
	if n := source.reads.Load(); n > 2500 {
		t.Errorf("%d reads", n)
	}
	stop()
	running.Wait()
	if n := hub.Listeners(); n != 0 {
		t.Errorf("%d listeners are left", n)
	}
}

func expect(ctx context.Context, t *testing.T, l *tail.Listener, from, to int) {
	t.Helper()
	for from < to && ctx.Err() == nil {
		changed := l.Changed()
		events, moved, err := l.Read(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		for _, e := range events {
			if want := fmt.Sprintf(`{"type":"completion.recorded","project":"p","seq":%d}`, from); string(e.Data) != want {
				t.Errorf("%s %s, want %s", e.Type, e.Data, want)
				return
			}
			from++
		}
		if !moved {
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}
