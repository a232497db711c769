package journal

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/event"
)

var errAway = errors.New("the store is away")

// store is Redis and PostgreSQL in one: it keeps what it is given, unless it
// is told to fail.
type store struct {
	mu       sync.Mutex
	entries  []event.Entry
	appends  int
	fail     func(append int, entries []event.Entry) (kept int, err error)
	takes    time.Duration // for an append
	marks    map[string]map[event.Lane]int64
	marksErr error
	asked    int
}

func (s *store) Append(ctx context.Context, entries []event.Entry) error {
	s.mu.Lock()
	fail := s.fail
	s.appends++
	attempt := s.appends
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(s.takes):
	}
	kept, err := len(entries), ctx.Err()
	if fail != nil && err == nil {
		kept, err = fail(attempt, entries)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, entries[:kept]...)
	return err
}

func (s *store) Persisted(_ context.Context, journal string) (map[event.Lane]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.marks[journal], s.marksErr
}

// persist marks everything of a journal as stored, up to seq.
func (s *store) persist(journal string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lanes := map[event.Lane]int64{}
	for p := range 2 {
		lanes[event.Lane{Stream: event.Completions, Partition: p}] = seq
	}
	s.marks = map[string]map[event.Lane]int64{journal: lanes}
}

func (s *store) received() []event.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event.Entry(nil), s.entries...)
}

// shipping is a journal with a shipper that runs in a bubble.
type shipping struct {
	*Shipper
	store  *store
	cancel context.CancelFunc
	ended  chan error
}

// startShipping must be called in a bubble.
func startShipping(t *testing.T, j *Journal, s *store) *shipping {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sh := &shipping{store: s, cancel: cancel, ended: make(chan error, 1),
		Shipper: &Shipper{Journal: j, Stream: s, Marks: s, Log: slog.New(slog.DiscardHandler)}}
	go func() { sh.ended <- sh.Run(ctx) }()
	t.Cleanup(func() { sh.stop(t) })
	synctest.Wait()
	return sh
}

// stop ends the shipper, which must not need any time for it.
func (s *shipping) stop(t *testing.T) {
	t.Helper()
	before := time.Now()
	s.cancel()
	if err := <-s.ended; err != nil {
		t.Errorf("shipper ended with %v", err)
	}
	if took := time.Since(before); took > 0 {
		t.Errorf("stopping took %s", took)
	}
	s.ended <- nil
}

func recordSome(t *testing.T, j *Journal, n int) {
	t.Helper()
	for i := range n {
		f := newFact(user(i))
		intend(t, j, f)
		record(t, j, f)
	}
}

// checkShipped checks that the store has exactly the journal's facts, from the
// one numbered first on.
func checkShipped(t *testing.T, j *Journal, got []event.Entry, first int) {
	t.Helper()
	want := allFacts(t, j)[first:]
	if len(got) != len(want) {
		t.Fatalf("%d facts shipped, want %d", len(got), len(want))
	}
	for i, f := range want {
		if got[i].Lane != f.Lane || string(got[i].Body) != string(f.Body) {
			t.Fatalf("shipped %d\n%s, want\n%s", i, got[i].Body, f.Body)
		}
	}
}

func TestShipperShipsWhatIsThereAndWhatComes(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 4 << 10
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 3*shipBatch/2)
		s := startShipping(t, j, &store{})
		checkShipped(t, j, s.store.received(), 0)
		for range 3 {
			recordSome(t, j, 5)
			synctest.Wait()
			checkShipped(t, j, s.store.received(), 0)
		}
		if s.Backlog() != 0 || s.Failing() {
			t.Errorf("backlog %d, failing %t", s.Backlog(), s.Failing())
		}
	})
}

// A stream that is away delays facts and changes nothing else. What it took
// before it failed comes again, so readers see no seq before its predecessor.
func TestShipperTriesAgain(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 10)
		away := &store{fail: func(attempt int, entries []event.Entry) (int, error) {
			if attempt <= 8 {
				return min(attempt, len(entries)), errAway
			}
			return len(entries), nil
		}}
		s := startShipping(t, j, away)
		if !s.Failing() || s.Backlog() != 10 {
			t.Errorf("backlog %d, failing %t", s.Backlog(), s.Failing())
		}
		recordSome(t, j, 10)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.Backlog() != 0 || s.Failing() {
			t.Errorf("backlog %d, failing %t", s.Backlog(), s.Failing())
		}
		checkShipped(t, j, withoutRepeats(t, s.store.received()), 0)
	})
}

// withoutRepeats drops what a reader of the stream would drop.
func withoutRepeats(t *testing.T, entries []event.Entry) (once []event.Entry) {
	t.Helper()
	last := map[event.Lane]int64{}
	for _, e := range entries {
		seq := decode(t, Shipment{Entry: e}).Seq
		if seq > last[e.Lane]+1 {
			t.Fatalf("seq %d follows %d", seq, last[e.Lane])
		}
		if seq > last[e.Lane] {
			last[e.Lane] = seq
			once = append(once, e)
		}
	}
	return once
}

// A stream that hangs is given up after a while and tried again.
func TestShipperDoesNotHang(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		hanging := &hangingStream{}
		recordSome(t, j, 3)
		ctx, cancel := context.WithCancel(context.Background())
		s := &Shipper{Journal: j, Stream: hanging, Marks: &store{}, Log: slog.New(slog.DiscardHandler)}
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		time.Sleep(5 * shipTimeout)
		synctest.Wait()
		if !s.Failing() || hanging.attempts < 3 {
			t.Errorf("failing %t after %d attempts", s.Failing(), hanging.attempts)
		}
		before := time.Now()
		cancel()
		if err := <-ended; err != nil || time.Since(before) > 0 {
			t.Errorf("ended with %v after %s", err, time.Since(before))
		}
	})
}

type hangingStream struct{ attempts int }

func (h *hangingStream) Append(ctx context.Context, _ []event.Entry) error {
	h.attempts++
	<-ctx.Done()
	return ctx.Err()
}

func TestShipperBeginsBehindWhatIsPersisted(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions = 1
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 20)
		db := &store{}
		db.persist(j.ID(), 12)
		s := startShipping(t, j, db)
		checkShipped(t, j, s.store.received(), 12)
		if s.Backlog() != 0 {
			t.Errorf("backlog %d", s.Backlog())
		}
	})
}

// Marks of another journal say nothing about this one, though both are here.
func TestShipperKeepsJournalsApart(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions = 1
	inBubble(t, func(t *testing.T) {
		old, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		recordSome(t, old, 5)
		db := &store{}
		db.persist(old.ID(), 3)
		mustClose(t, old)
		o.Boot = "boot-2"
		j := mustOpen(t, o)
		recordSome(t, j, 5)
		s := startShipping(t, j, db)
		checkShipped(t, j, s.store.received(), 3)
	})
}

func TestShipperWorksWithoutMarks(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 1 << 10
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 20)
		segments := j.Stats().Segments
		s := startShipping(t, j, &store{marksErr: errAway})
		checkShipped(t, j, s.store.received(), 0)
		time.Sleep(3 * releaseEvery)
		if n := j.Stats().Segments; n != segments {
			t.Errorf("%d of %d segments are left", n, segments)
		}
	})
}

// Segments go while the stream is away and while there is always more to ship.
func TestShipperReleasesAllTheTime(t *testing.T) {
	t.Parallel()
	for name, db := range map[string]*store{
		"away": {fail: func(int, []event.Entry) (int, error) { return 0, errAway }},
		"slow": {takes: shipTimeout - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			o.SegmentBytes = 1 << 10
			inBubble(t, func(t *testing.T) {
				j := mustOpen(t, o)
				recordSome(t, j, 20)
				s := startShipping(t, j, db)
				s.store.persist(j.ID(), 100)
				for range 2 * releaseEvery / time.Second {
					recordSome(t, j, 1)
					time.Sleep(time.Second)
				}
				synctest.Wait()
				if n := j.Stats().Segments; n > 4 {
					t.Errorf("%d segments are left", n)
				}
			})
		})
	}
}

// A segment that goes before it was shipped was persisted: the shipper passes
// on to the next.
func TestShipperPassesReleasedSegments(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes, o.Partitions = 1<<10, 1
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 1)
		var isBack atomic.Bool
		s := startShipping(t, j, &store{fail: func(_ int, e []event.Entry) (int, error) {
			if isBack.Load() {
				return len(e), nil
			}
			return 0, errAway
		}})
		recordSome(t, j, 19)
		if err := j.Release(upTo(j.ID(), 10)); err != nil {
			t.Fatal(err)
		}
		left := len(allFacts(t, j))
		isBack.Store(true)
		time.Sleep(2 * retryMost)
		synctest.Wait()
		got := s.store.received()
		checkShipped(t, j, got[len(got)-left:], 0)
	})
}

func TestShipperEndsWithTheJournal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	inBubble(t, func(t *testing.T) {
		j, err := Open(options(dir))
		if err != nil {
			t.Fatal(err)
		}
		recordSome(t, j, 1)
		mustClose(t, j)
		s := &Shipper{Journal: j, Stream: &store{}, Marks: &store{}, Log: slog.New(slog.DiscardHandler)}
		if err := s.Run(context.Background()); err == nil {
			t.Error("shipped a closed journal")
		}
	})
}
