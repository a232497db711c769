package journal

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
)

func TestShipperShipsWhatIsThereAndWhatComes(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 4 << 10
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 3*shipBatch/2)
		s := startShipping(t, j, &store{})
		settleSegments()
		checkShipped(t, j, s.store.received(), 0)
		for range 3 {
			recordSome(t, j, 5)
			settleSegments()
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
		waits := s.Waits(time.Now())
		if later := s.Waits(time.Now().Add(time.Hour)); waits <= 0 || later-waits < 58*time.Minute {
			t.Errorf("the oldest waits for %s, and %s an hour later", waits, later)
		}
		recordSome(t, j, 10)
		time.Sleep(time.Minute)
		settle()
		if s.Backlog() != 0 || s.Failing() || s.Waits(time.Now()) != 0 {
			t.Errorf("backlog %d, failing %t, the oldest waits for %s", s.Backlog(), s.Failing(), s.Waits(time.Now()))
		}
		checkShipped(t, j, withoutRepeats(t, s.store.received()), 0)
	})
}

// half is a stream of which one part is away for a while: it takes the runs of
// the other.
type half struct {
	*store
	away atomic.Bool
}

func (h *half) Ship(ctx context.Context, runs []event.Run) ([]int64, error) {
	before := make([]int64, len(runs))
	var err error
	for i, run := range runs {
		if h.away.Load() && run.Lane.Partition == 0 {
			before[i], err = -1, errAway
			continue
		}
		note, _ := h.store.Ship(ctx, runs[i:i+1])
		before[i] = note[0]
	}
	return before, err
}

// What one part of the stream has taken is not given to it again while another
// is away.
func TestShipperRepeatsOnlyWhatWasNotTaken(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 40)
		stream := &half{store: &store{}}
		stream.away.Store(true)
		ctx, cancel := context.WithCancel(context.Background())
		s := &Shipper{Journal: j, Stream: stream, Marks: stream.store, Log: slog.New(slog.DiscardHandler)}
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		taken := len(stream.received())
		if taken == 0 || taken == 40 || !s.Failing() {
			t.Errorf("%d facts are taken by half of the stream, failing %t", taken, s.Failing())
		}
		stream.away.Store(false)
		time.Sleep(2 * retryMost)
		synctest.Wait()
		checkShipped(t, j, stream.received(), 0)
		cancel()
		if err := <-ended; err != nil || s.Failing() {
			t.Errorf("failing %t, ended with %v", s.Failing(), err)
		}
	})
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
		settle()
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

func (h *hangingStream) Ship(ctx context.Context, _ []event.Run) ([]int64, error) {
	h.attempts++
	<-ctx.Done()
	return nil, ctx.Err()
}

func (h *hangingStream) Beat(ctx context.Context, _ event.Heartbeat, _ []event.Lane) (map[event.Lane]int64, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A stream that comes back older, or empty, gets all that is not stored again:
// at the next fact, or within seconds when there is none.
func TestShipperRepeatsWhatTheStreamLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kept int
		note int64
		more int
	}{
		"an older one, and a new fact": {20, 20, 1}, "an older one": {20, 20, 0},
		"an empty one, and a new fact": {0, 0, 1}, "an empty one": {0, 0, 0},
		"one that is as old as what is stored": {10, 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			o.Partitions = 1
			inBubble(t, func(t *testing.T) {
				j := mustOpen(t, o)
				db := &store{}
				startShipping(t, j, db)
				recordSome(t, j, 30)
				settle()
				db.persist(j.ID(), 10)
				db.lose(c.kept, c.note)
				recordSome(t, j, c.more)
				time.Sleep(3 * beatEvery) // the clock is the bubble's
				settle()
				there := map[int64]bool{}
				for _, e := range db.received() {
					fact, err := event.Decode(e.Body)
					if err != nil {
						t.Fatal(err)
					}
					there[fact.Head().Seq] = true
				}
				for seq := int64(11); seq <= int64(30+c.more); seq++ {
					if !there[seq] {
						t.Errorf("seq %d is neither stored nor in the stream", seq)
					}
				}
				before := len(db.received())
				time.Sleep(10 * beatEvery)
				if after := len(db.received()); after != before {
					t.Errorf("it goes on repeating: %d entries became %d", before, after)
				}
			})
		})
	}
}

// The heartbeat tells of what is numbered, of what is open, and up to when all
// is recorded.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions = 1
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		recordSome(t, j, 7)
		time.Sleep(time.Minute)
		now := time.Now()
		b := j.Heartbeat(now)
		if b.Journal != j.ID() || b.OpenIntents != 0 || b.Seqs["completions/0"] != 7 || !b.RecordedUntil.Equal(now.Add(-arriving)) {
			t.Errorf("a quiet journal says %+v at %s", b, now)
		}
		open := newIntent("ada")
		// The uuid library's clock is shared with tests outside the bubble.
		open.ID = eventtest.ID(rand.New(rand.NewPCG(1, 1)), now)
		open.At = event.TimeOf(open.ID)
		if err := j.Intend(open); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if b := j.Heartbeat(time.Now()); b.OpenIntents != 1 || !b.RecordedUntil.Equal(open.At) {
			t.Errorf("with a request of %s under way it says %+v", open.At, b)
		}
	})
}

// The last heartbeat of a process that stops says that all is recorded, unless
// a request is under way.
func TestLastHeartbeat(t *testing.T) {
	t.Parallel()
	for _, open := range []int{0, 1} {
		o := options(t.TempDir())
		o.Partitions = 1
		inBubble(t, func(t *testing.T) {
			j, db := mustOpen(t, o), new(store)
			recordSome(t, j, 7)
			if open > 0 {
				if err := j.Intend(newIntent("ada")); err != nil {
					t.Fatal(err)
				}
			}
			s := &Shipper{Journal: j, Stream: db, Marks: db, Log: o.Log}
			ctx, stop := context.WithTimeout(t.Context(), 21*beatEvery/2)
			defer stop()
			if err := s.Run(ctx); err != nil {
				t.Fatal(err)
			}
			last := db.beats[len(db.beats)-1]
			if isAll := last.RecordedUntil.Equal(last.At); isAll != (open == 0) || last.OpenIntents != open || last.Seqs["completions/0"] != 7 {
				t.Errorf("with %d requests under way the last heartbeat is %+v", open, last)
			}
		})
	}
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
		settleSegments()
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
		settleSegments()
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
				settle()
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
		settle()
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
