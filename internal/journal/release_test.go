package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// upTo persists the facts of a journal up to seq, in every lane.
func upTo(journal string, seq int64) func(string, event.Lane) event.Ranges {
	return func(id string, _ event.Lane) event.Ranges {
		if id == journal {
			return whole(seq)
		}
		return nil
	}
}

// whole is all seqs up to one.
func whole(upTo int64) event.Ranges {
	if upTo < 1 {
		return nil
	}
	return event.Ranges{{First: 1, Last: upTo}}
}

// A hole in what is stored keeps only the segments that hold its facts: one
// that a disk has lost, and nobody can store, is in none.
func TestReleaseLooksAtWhatIsHere(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions, o.SegmentBytes = 1, 1<<10
	j := mustOpen(t, o)
	recordSome(t, j, 20)
	if err := j.Release(upTo(j.ID(), 10)); err != nil {
		t.Fatal(err)
	}
	first := allFacts(t, j)[0].Seq
	if first < 2 {
		t.Fatal("nothing was released: the test says nothing")
	}
	here := func(string, event.Lane) event.Ranges { return event.Ranges{{First: first, Last: 20}} }
	if err := j.Release(here); err != nil || j.Stats().Segments != 1 {
		t.Errorf("%d segments are left: %v", j.Stats().Segments, err)
	}
}

func TestReleaseRemovesWhatIsPersisted(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions, o.SegmentBytes = 1, 1<<10
	j := mustOpen(t, o)
	var want []*event.CompletionRecorded
	for i := range 20 {
		f := newFact(user(i))
		record(t, j, f)
		want = append(want, f)
	}
	before := j.Stats()
	release := func(persisted func(string, event.Lane) event.Ranges) {
		t.Helper()
		if err := j.Release(persisted); err != nil {
			t.Fatal(err)
		}
	}
	release(upTo(j.ID(), 0))
	release(upTo("another", 100))
	if s := j.Stats(); s != before {
		t.Fatalf("released what is not persisted: %+v after %+v", s, before)
	}
	for seq := range int64(21) {
		release(upTo(j.ID(), seq))
		left := allFacts(t, j)
		first := want[len(want)-len(left)]
		if first.Seq > seq+1 {
			t.Fatalf("seq %d is gone, %d are persisted", first.Seq-1, seq)
		}
		if first.Seq+3 < seq && len(segmentFiles(t, o.Dir)) > 1 {
			t.Fatalf("seq %d is here, %d are persisted", first.Seq, seq)
		}
	}
	s := j.Stats()
	info, err := os.Stat(segmentFiles(t, o.Dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	if s.Segments != 1 || len(segmentFiles(t, o.Dir)) != 1 || s.Bytes != info.Size() {
		t.Errorf("%+v, last segment has %d bytes", s, info.Size())
	}
}

func TestNumberingSurvivesReleaseAndRestart(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 600
	var last [2]int64
	id := ""
	for range 5 {
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if id != "" && j.ID() != id {
			t.Fatalf("journal is %s after %s", j.ID(), id)
		}
		id = j.ID()
		for i := range 10 {
			f := newFact(user(i))
			intend(t, j, f)
			record(t, j, f)
			last[f.Partition]++
			if f.Seq != last[f.Partition] {
				t.Fatalf("seq is %d, want %d", f.Seq, last[f.Partition])
			}
		}
		// The next segment begins without any fact in it.
		intend(t, j, newIntent("user-0"), newIntent("user-1"))
		if err := j.Release(allPersisted); err != nil {
			t.Fatal(err)
		}
		for id := range j.open {
			f := newFact("user-0")
			f.ID, f.At = id, event.TimeOf(id)
			record(t, j, f)
			last[f.Partition]++
		}
		if err := j.Release(allPersisted); err != nil {
			t.Fatal(err)
		}
		kill(t, j)
	}
}

// A request that takes very long, or never ends, keeps its intent and nothing
// else.
func TestReleaseCarriesOpenIntents(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.MaxBytes, o.SegmentBytes = 64<<10, 1<<10
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	endless, long := newIntent("user-1"), newIntent("user-2")
	intend(t, j, endless, long)
	for range 200 { // several times what the journal holds
		f := newFact("user-3")
		intend(t, j, f)
		record(t, j, f)
		if err := j.Release(allPersisted); err != nil {
			t.Fatal(err)
		}
	}
	if n := j.Stats().Segments; n > 3 {
		t.Errorf("%d segments are kept", n)
	}
	long.Status = event.StatusOK
	record(t, j, long)
	kill(t, j)
	j = mustOpen(t, o)
	status := map[uuid.UUID][]string{}
	for _, f := range allFacts(t, j) {
		c := decode(t, f)
		status[c.ID] = append(status[c.ID], c.Status)
	}
	if s := status[endless.ID]; len(s) != 1 || s[0] != event.StatusInterrupted {
		t.Errorf("the endless request is %v", s)
	}
	if s := status[long.ID]; len(s) != 1 || s[0] != event.StatusOK {
		t.Errorf("the long request is %v", s)
	}
}

// What cannot be removed stays readable and is tried again.
func TestReleaseFails(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 600
	j := mustOpen(t, o)
	var want []*event.CompletionRecorded
	for i := range 6 {
		f := newFact(user(i))
		record(t, j, f)
		want = append(want, f)
	}
	first := segmentFiles(t, o.Dir)[0]
	if err := os.Rename(first, first+".away"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(first, "in the way"), "")
	if err := j.Release(allPersisted); err == nil {
		t.Error("removed a folder with something in it")
	}
	checkFacts(t, allFacts(t, j), want)
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	if err := j.Release(allPersisted); err != nil || j.Stats().Segments != 1 {
		t.Errorf("%v, %+v", err, j.Stats())
	}
}
