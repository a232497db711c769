package journal

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// Many requests at once, while a reader follows, segments go and the disk is
// synced: everybody's facts arrive, once and in order.
func TestManyWritersAndAReader(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]time.Duration{"synced every ms": time.Millisecond, "synced before return": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const writers, each = 64, 30
			o := options(t.TempDir())
			o.Sync, o.SegmentBytes = every, 2<<10 // a new segment all the time
			j := mustOpen(t, o)
			written, seen := make(chan struct{}), make(chan []Shipment)
			go func() { seen <- follow(t, j, written) }()
			var writing sync.WaitGroup
			for w := range writers {
				writing.Go(func() { write(t, j, w, each) })
			}
			var rereading sync.WaitGroup
			rereading.Go(func() { reread(t, j, written) })
			writing.Wait()
			close(written)
			rereading.Wait()
			facts := <-seen
			checkGapless(t, facts)
			ids := map[uuid.UUID]bool{}
			for _, f := range facts {
				ids[decode(t, f).ID] = true
			}
			if len(facts) != writers*each || len(ids) != writers*each {
				t.Errorf("%d facts, %d different ones, want %d", len(facts), len(ids), writers*each)
			}
		})
	}
}

func write(t *testing.T, j *Journal, writer, facts int) {
	for i := range facts {
		f := newFact(fmt.Sprint(writer, "-", i))
		if err := j.Intend(f); err != nil {
			t.Error(err)
			return
		}
		if err := j.Record(f); err != nil {
			t.Error(err)
			return
		}
	}
}

// reread begins again and again at the oldest segment, which may go any time.
func reread(t *testing.T, j *Journal, written <-chan struct{}) {
	for {
		if _, _, err := j.Read(Position{}, 1); err != nil {
			t.Error(err)
		}
		select {
		case <-written:
			return
		default:
		}
	}
}

// follow reads until all is written, and lets segments go behind.
func follow(t *testing.T, j *Journal, written <-chan struct{}) (all []Shipment) {
	seqs := map[event.Lane]int64{}
	for at, isLast := (Position{}), false; ; {
		facts, next, err := j.Read(at, 7)
		if err != nil {
			t.Error(err)
			return all
		}
		at = next
		for _, f := range facts {
			seqs[f.Lane] = f.Seq
		}
		all = append(all, facts...)
		switch {
		case len(facts) > 0:
			if err := j.Release(func(_ string, l event.Lane) event.Ranges { return whole(seqs[l]) }); err != nil {
				t.Error(err)
			}
		case isLast:
			return all
		default:
			select {
			case <-written:
				isLast = true
			case <-j.Wrote():
			}
		}
	}
}

// What is appended behind a reader's back, just before the segment is full and
// the next one begins, must not be passed over.
func TestReaderSeesTheEndOfAFullSegment(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 1 << 10
	j := mustOpen(t, o)
	record(t, j, newFact("user-1"))
	stale := j.segmentFrom(0)
	r := reader{journal: j}
	at, isEnd, err := r.readView(stale, Position{}, 10)
	if err != nil || !isEnd {
		t.Fatalf("at %+v, end %t: %v", at, isEnd, err)
	}
	for j.Stats().Segments < 3 {
		record(t, j, newFact("user-1"))
	}
	at, _, err = r.readView(stale, at, 10)
	if err != nil {
		t.Fatal(err)
	}
	facts, _, err := j.Read(at, 1)
	if err != nil || len(facts) != 1 || facts[0].Seq != 2 {
		t.Errorf("read %+v, %v", facts, err)
	}
}

// With Sync at 0 nobody returns before the disk has what he wrote, and all who
// wait share one sync.
func TestSyncBeforeReturn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		o := options(dir)
		o.Sync = 0
		j := mustOpen(t, o)
		j.mu.Lock()
		j.syncing = true // the disk is busy
		j.mu.Unlock()
		var returned sync.WaitGroup
		count := make(chan struct{}, 20)
		for i := range 10 {
			for _, put := range []func(*event.CompletionRecorded) error{j.Intend, func(f *event.CompletionRecorded) error { return j.Record(f) }} {
				returned.Go(func() {
					if err := put(newFact(user(i))); err != nil {
						t.Error(err)
					}
					count <- struct{}{}
				})
			}
		}
		synctest.Wait()
		if j.facts != 10 || len(j.open) != 10 || len(count) != 0 || j.active().synced != 0 {
			t.Errorf("%d facts and %d intents written, %d returned, %d bytes synced", j.facts, len(j.open), len(count), j.active().synced)
		}
		j.mu.Lock()
		j.syncing = false
		j.synced.Broadcast()
		j.mu.Unlock()
		returned.Wait()
		if s := j.active(); s.synced != s.size {
			t.Errorf("%d of %d bytes are durable", s.synced, s.size)
		}
	})
}

// The file of a segment stays open while the disk works on it.
func TestReleaseWaitsForSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		o := options(dir)
		o.SegmentBytes = 600
		j := mustOpen(t, o)
		recordSome(t, j, 5)
		before := j.Stats().Segments
		j.mu.Lock()
		j.syncing = true // the disk is busy
		j.mu.Unlock()
		released := make(chan error)
		go func() { released <- j.Release(allPersisted) }()
		synctest.Wait()
		if n := j.Stats().Segments; n != before {
			t.Errorf("%d of %d segments are left while the disk works", n, before)
		}
		j.mu.Lock()
		j.syncing = false
		j.synced.Broadcast()
		j.mu.Unlock()
		if err := <-released; err != nil || j.Stats().Segments != 1 {
			t.Errorf("%v, %+v", err, j.Stats())
		}
	})
}

func TestSyncInBackground(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		o := options(dir)
		o.Sync, o.SegmentBytes = 20*time.Millisecond, 600
		j := mustOpen(t, o)
		for i := range 5 {
			record(t, j, newFact(user(i)))
		}
		if n := len(j.unsynced()); n != j.Stats().Segments {
			t.Errorf("%d of %d segments are not durable before the first sync", n, j.Stats().Segments)
		}
		time.Sleep(o.Sync) // of the fake clock
		synctest.Wait()
		if n := len(j.unsynced()); n != 0 || j.named != j.active().number {
			t.Errorf("%d segments are not durable after a sync", n)
		}
	})
}

// A disk that fails a sync may have lost what it was given before: the journal
// takes nothing more, and says so to everybody who waits.
func TestFailedSyncStopsTheJournal(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]time.Duration{"in the background": 20 * time.Millisecond, "before return": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inBubble(t, func(t *testing.T) {
				o := options(dir)
				o.Sync = every
				j, err := Open(o)
				if err != nil {
					t.Fatal(err)
				}
				record(t, j, newFact("user-1"))
				time.Sleep(every)
				synctest.Wait()
				pull(t, j)
				first := j.Record(newFact("user-1"))
				time.Sleep(every)
				synctest.Wait()
				if second := j.Intend(newFact("user-1")); second == nil {
					t.Errorf("a journal whose disk fails takes more, after %v", first)
				}
				if every == 0 && first == nil {
					t.Error("Record returned as if the disk had the fact")
				}
				if err := j.Close(); err == nil {
					t.Error("closed without a word about the disk")
				}
			})
		})
	}
}

// pull makes every use of the active segment's file fail but writing to it:
// the write goes through a pipe, which cannot be synced or truncated.
func pull(t *testing.T, j *Journal) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.active().file.Close(); err != nil {
		t.Fatal(err)
	}
	j.active().file = w
}
