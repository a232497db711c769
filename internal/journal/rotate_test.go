package journal

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// rotate rotates as if so much time had gone since now, and says whether
// another segment was begun.
func rotate(t reporter, j *Journal, later time.Duration) bool {
	t.Helper()
	before := j.Stats().Segments
	if err := j.Rotate(time.Now().Add(later)); err != nil {
		t.Fatal(err)
	}
	return j.Stats().Segments > before
}

// onDisk says whether the files of a journal have a text in them.
func onDisk(t *testing.T, dir, text string) bool {
	t.Helper()
	for _, content := range imageOf(t, dir) {
		if strings.Contains(string(content), text) {
			return true
		}
	}
	return false
}

// On a system where nobody asks any more, a user's name is on disk for no
// longer than a segment becomes old: across restarts, too.
func TestNamesLeaveTheDiskByAge(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		o := options(t.TempDir())
		o.SegmentAge = time.Hour
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		f := factNow("olga") // no id, which is hexadecimal, has this in it
		intend(t, j, f)
		record(t, j, f)
		if restart {
			mustClose(t, j)
			if j, err = Open(o); err != nil {
				t.Fatal(err)
			}
		}
		if rotate(t, j, 59*time.Minute) {
			t.Error("rotated before the hour")
		}
		if err := j.Release(allPersisted); err != nil || !onDisk(t, o.Dir, "olga") {
			t.Fatalf("the active segment went (%v)", err)
		}
		if !rotate(t, j, time.Hour) {
			t.Error("not rotated after an hour")
		}
		if err := j.Release(allPersisted); err != nil || onDisk(t, o.Dir, "olga") {
			t.Errorf("restart %t: the name is still on disk (%v)", restart, err)
		}
		mustClose(t, j)
	}
}

// What is not stored stays, however old it is, and the numbers go on.
func TestRotationLosesNothing(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions = 1
	j := mustOpen(t, o)
	var want []*event.CompletionRecorded
	for i := range 5 {
		f := factNow(user(i))
		intend(t, j, f)
		if !rotate(t, j, time.Hour) {
			t.Fatal("not rotated")
		}
		record(t, j, f) // in the segment behind its intent's
		want = append(want, f)
		if err := j.Release(func(string, event.Lane) event.Ranges { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	checkFacts(t, allFacts(t, j), want)
}

// A segment that holds nothing is not followed by another, nor is one that
// only holds what Release carried there: a request that never ends.
func TestEmptySegmentsStay(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	j := mustOpen(t, o)
	if rotate(t, j, 1000*time.Hour) {
		t.Error("an empty segment was rotated")
	}
	endless := factNow("ada")
	endless.Status, endless.Estimated = event.StatusInterrupted, true
	intend(t, j, endless)
	if !rotate(t, j, time.Hour) {
		t.Error("an intent does not age its segment")
	}
	if err := j.Release(allPersisted); err != nil {
		t.Fatal(err)
	}
	if rotate(t, j, 2*time.Hour) || j.Stats().Segments != 1 || j.Stats().OpenIntents != 1 {
		t.Errorf("%+v", j.Stats())
	}
	endless.Status = event.StatusOK
	record(t, j, endless)
	if !rotate(t, j, 2*time.Hour) {
		t.Error("the fact of a long request does not age its segment")
	}
}

// While no other segment can be begun, all goes on in the one that there is.
func TestRotationFails(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions = 1
	j := mustOpen(t, o)
	f := factNow("ada")
	record(t, j, f)
	next := segmentPath(o.Dir, 2)
	if err := os.Mkdir(next, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.Rotate(time.Now().Add(time.Hour)); err == nil {
		t.Error("a folder was taken for a segment")
	}
	g := factNow("bob")
	record(t, j, g)
	if err := os.Remove(next); err != nil {
		t.Fatal(err)
	}
	if !rotate(t, j, time.Hour) {
		t.Error("it is not tried again")
	}
	checkFacts(t, allFacts(t, j), []*event.CompletionRecorded{f, g})
}

// The shipper does it, by the clock.
func TestShipperRotates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, options(dir))
		s := startShipping(t, j, &store{})
		recordSome(t, j, 3)
		time.Sleep(10 * time.Second)
		s.store.persist(j.ID(), 3)
		if !onDisk(t, dir, user(0)) {
			t.Fatal("the names are not on disk: the test says nothing")
		}
		time.Sleep(time.Hour + releaseEvery)
		if onDisk(t, dir, user(0)) {
			t.Error("the names are on disk after an hour")
		}
	})
}
