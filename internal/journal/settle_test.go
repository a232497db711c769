package journal

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

func TestUnsettledIntentsBecomeInterrupted(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 1 << 10
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	var left []*event.CompletionRecorded
	for i := range 10 {
		settled, open := newFact(user(i)), newIntent(user(i))
		intend(t, j, settled, open)
		record(t, j, settled)
		left = append(left, open)
	}
	kill(t, j)
	j = mustOpen(t, o)
	facts := allFacts(t, j)
	checkGapless(t, facts)
	if len(facts) != 20 || j.Stats().OpenIntents != 0 {
		t.Fatalf("%d facts, %d open intents", len(facts), j.Stats().OpenIntents)
	}
	for i, f := range facts[10:] {
		c := decode(t, f)
		if c.ID != left[i].ID || c.Status != event.StatusInterrupted || !c.Estimated || c.CostNanos != 42 {
			t.Errorf("settled as %s, want %s", f.Body, left[i].ID)
		}
	}
}

// A process may die while it settles, at any byte, and again and again: every
// intent is settled once.
func TestSettlingSurvivesItsOwnCrash(t *testing.T) {
	t.Parallel()
	before := newUnsettled(t)
	for name, bootNow := range map[string]string{"same boot": boot, "booted": "boot-2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := options(dir)
			o.Boot = bootNow
			after := before.openOnce(t, o)
			changed := after.names()[len(after)-1]
			ends := boundaries(t, after[changed])
			for cut := len(before.image[changed]); cut <= len(after[changed]); cut++ {
				if cut%13 != 0 && !isNear(ends, cut) {
					continue // the middle of a record is like any other
				}
				after.restore(t, dir, changed, after[changed][:cut])
				before.checkSettled(t, o, fmt.Sprintf("cut at %d of %d", cut, len(after[changed])))
			}
		})
	}
}

func isNear(ends []int, cut int) bool {
	return slices.ContainsFunc(ends, func(end int) bool { return cut >= end-2 && cut <= end+frameBytes+2 })
}

// unsettled is the journal of a process that died with requests under way.
type unsettled struct {
	image
	ids []uuid.UUID
}

func newUnsettled(t *testing.T) unsettled {
	t.Helper()
	o := options(t.TempDir())
	j := mustOpen(t, o)
	u := unsettled{}
	for i := range 3 {
		f := newIntent(user(i))
		intend(t, j, f)
		record(t, j, newFact(user(i)))
		u.ids = append(u.ids, f.ID)
	}
	u.image = imageOf(t, o.Dir)
	return u
}

// openOnce gives what one undisturbed Open makes of it.
func (u unsettled) openOnce(t *testing.T, o Options) image {
	t.Helper()
	u.restore(t, o.Dir, "", nil)
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer kill(t, j)
	return imageOf(t, o.Dir)
}

// checkSettled opens twice: the first time settles, the second must not.
func (u unsettled) checkSettled(t *testing.T, o Options, at string) {
	t.Helper()
	for run := range 2 {
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		facts := allFacts(t, j)
		kill(t, j)
		checkGapless(t, facts)
		times := map[uuid.UUID]int{}
		for _, f := range facts {
			times[decode(t, f).ID]++
		}
		for _, id := range u.ids {
			if times[id] != 1 {
				t.Fatalf("%s, start %d: intent settled %d times", at, run, times[id])
			}
		}
		if len(facts) != 2*len(u.ids) {
			t.Fatalf("%s, start %d: %d facts", at, run, len(facts))
		}
	}
}

// An intent of another version, or one that lies about its id, is counted and
// left: it must not keep the process from starting.
func TestUnusableIntentDoesNotStopOpen(t *testing.T) {
	t.Parallel()
	id := uuid.Must(uuid.NewV7())
	intent := func(body string) string { return string(appendIntent(nil, id, []byte(body))) }
	for i, body := range []string{`{"v":2}`, `{`, ``, `{"id":"` + uuid.NewString() + `"}`} {
		o := options(t.TempDir())
		writeSegment(t, o.Dir, `H{"format":1,"journal":"j"}`, intent(body))
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if s := j.Stats(); s.Corrupt != 1 || s.OpenIntents != 0 || len(allFacts(t, j)) != 0 {
			t.Errorf("intent %d: %+v", i, s)
		}
		record(t, j, newFact("user-1"))
		mustClose(t, j)
	}
}

// A journal that was full when its process died settles all the same.
func TestFullJournalSettles(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.MaxBytes, o.SegmentBytes = 32<<10, 4<<10
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	intend(t, j, newIntent("user-1"))
	fillUp(t, j)
	kill(t, j)
	o.MaxBytes /= 2
	j = mustOpen(t, o)
	facts := allFacts(t, j)
	if c := decode(t, facts[len(facts)-1]); c.Status != event.StatusInterrupted {
		t.Errorf("last fact is %+v", c)
	}
}

func TestSettledIsDurable(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Sync = 0
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	intend(t, j, newIntent("user-1"))
	kill(t, j)
	j = mustOpen(t, o)
	if s := j.active(); s.synced != s.size || j.named != s.number {
		t.Errorf("%d of %d bytes are durable", s.synced, s.size)
	}
}
