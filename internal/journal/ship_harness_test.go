package journal

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
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
	marks    map[string]map[event.Lane]event.Ranges
	marksErr error
	asked    int
	notes    map[origin]int64
	beats    []event.Heartbeat
}

func (s *store) Ship(ctx context.Context, runs []event.Run) ([]int64, error) {
	var entries []event.Entry
	for _, run := range runs {
		for _, body := range run.Bodies {
			entries = append(entries, event.Entry{Lane: run.Lane, Body: slices.Clone(body)})
		}
	}
	if err := s.add(ctx, entries); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes == nil {
		s.notes = map[origin]int64{}
	}
	var before []int64
	for _, run := range runs {
		o := origin{run.Journal, run.Lane}
		before = append(before, s.notes[o])
		s.notes[o] = run.Last
	}
	return before, nil
}

func (s *store) Beat(_ context.Context, b event.Heartbeat, lanes []event.Lane) (map[event.Lane]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beats = append(s.beats, b)
	noted := map[event.Lane]int64{}
	for _, lane := range lanes {
		noted[lane] = s.notes[origin{b.Journal, lane}]
	}
	return noted, nil
}

// lose forgets all but the first entries, as a Redis does that comes back older.
func (s *store) lose(kept int, note int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = s.entries[:kept]
	for o := range s.notes {
		s.notes[o] = note
	}
}

func (s *store) add(ctx context.Context, entries []event.Entry) error {
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

func (s *store) Persisted(_ context.Context, journal string) (map[event.Lane]event.Ranges, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.marks[journal], s.marksErr
}

// persist marks everything of a journal as stored, up to seq.
func (s *store) persist(journal string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lanes := map[event.Lane]event.Ranges{}
	for p := range 2 {
		lanes[event.Lane{Stream: event.Completions, Partition: p}] = whole(seq)
	}
	s.marks = map[string]map[event.Lane]event.Ranges{journal: lanes}
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

// settle lets the shipper ship what was recorded.
func settle() {
	time.Sleep(gatherFor)
	synctest.Wait()
}

// settleSegments lets it ship few facts out of many segments, each of which is
// read by itself.
func settleSegments() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// stop ends the shipper, which must not need more time for it than for a stream
// that does not answer.
func (s *shipping) stop(t *testing.T) {
	t.Helper()
	before := time.Now()
	s.cancel()
	if err := <-s.ended; err != nil {
		t.Errorf("shipper ended with %v", err)
	}
	if took := time.Since(before); took > farewellWithin {
		t.Errorf("stopping took %s", took)
	}
	s.ended <- nil
}

func recordSome(t *testing.T, j *Journal, n int) {
	t.Helper()
	for i := range n {
		f := factNow(user(i))
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
	left := map[event.Lane][]string{} // order matters within a lane
	for _, e := range got {
		left[e.Lane] = append(left[e.Lane], string(e.Body))
	}
	for _, f := range want {
		lane := left[f.Lane]
		if len(lane) == 0 || lane[0] != string(f.Body) {
			t.Fatalf("on %s next is\n%s, want\n%s", f.Lane, lane, f.Body)
		}
		left[f.Lane] = lane[1:]
	}
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
