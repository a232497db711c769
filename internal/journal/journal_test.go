package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

func TestRecordIsReadBack(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(t.TempDir(), "state", "00")) // parents are created
	o.SegmentBytes = 2 << 10
	var want []*event.CompletionRecorded
	for run := range 3 {
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			f := newFact(user(i))
			intend(t, j, f)
			record(t, j, f)
			want = append(want, f)
		}
		checkFacts(t, allFacts(t, j), want)
		if n := j.Stats().Segments; n < 3*(run+1) {
			t.Errorf("%d segments", n)
		}
		if f := want[0]; f.Journal != j.ID() {
			t.Errorf("journal %s calls itself %s after opening again", f.Journal, j.ID())
		}
		mustClose(t, j)
	}
}

func TestRecordNumbersEveryLane(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions = 7
	j := mustOpen(t, o)
	var want []*event.CompletionRecorded
	for i := range 100 {
		f := newFact(user(i))
		record(t, j, f)
		if f.Partition != event.Partition(f, 7) {
			t.Errorf("%s is in partition %d", f.UserID, f.Partition)
		}
		want = append(want, f)
	}
	checkFacts(t, allFacts(t, j), want)
}

func TestRefusedFactTakesNoNumber(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, options(t.TempDir()))
	bad := newFact("user-1")
	bad.Status = "fine"
	if err := j.Record(bad); err == nil {
		t.Error("recorded an unknown status")
	}
	if err := j.Intend(bad); err == nil {
		t.Error("intended an unknown status: Record would refuse it when the money is spent")
	}
	good := newFact("user-1")
	record(t, j, good)
	checkFacts(t, allFacts(t, j), []*event.CompletionRecorded{good})
}

func TestLargeRecords(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	j := mustOpen(t, o)
	var want []*event.CompletionRecorded
	for i, size := range []int{0, readChunk - 1000, 10, readChunk, 4*readChunk + 1, 0} {
		f := newFact(user(i))
		f.Reason = strings.Repeat("x", size)
		intend(t, j, f)
		record(t, j, f)
		want = append(want, f)
	}
	checkFacts(t, allFacts(t, j), want)
	if _, err := j.append(append(j.begin(), make([]byte, maxPayloadBytes+1)...)); err == nil {
		t.Error("wrote what cannot be read back")
	}
	last := newFact("user-1")
	record(t, j, last)
	checkFacts(t, allFacts(t, j), append(want, last))
}

func TestSegmentLargerThanReadChunk(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, options(t.TempDir()))
	var want []*event.CompletionRecorded
	for i := 0; j.Stats().Bytes < 2*readChunk; i++ {
		f := newFact(user(i))
		f.Reason = strings.Repeat("x", 5000)
		record(t, j, f)
		want = append(want, f)
	}
	checkFacts(t, allFacts(t, j), want)
}

func TestNewIDAfterBoot(t *testing.T) {
	t.Parallel()
	for name, boots := range map[string][2]string{"booted": {"a", "b"}, "unknown": {"", ""}, "unknown before": {"", "a"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			o.Boot = boots[0]
			j, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			first, second := newFact("user-1"), newFact("user-1")
			record(t, j, first)
			mustClose(t, j)
			o.Boot = boots[1]
			j = mustOpen(t, o)
			record(t, j, second)
			if second.Journal == first.Journal || second.Seq != 1 {
				t.Errorf("second fact is %s/%d after %s/%d", second.Journal, second.Seq, first.Journal, first.Seq)
			}
			checkFacts(t, allFacts(t, j), []*event.CompletionRecorded{first, second})
			if ids := j.Journals(); len(ids) != 2 || ids[0] != first.Journal || ids[1] != second.Journal {
				t.Errorf("journals are %v", ids)
			}
		})
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.MaxBytes, o.SegmentBytes = 64<<10, 8<<10
	j := mustOpen(t, o)
	var open []*event.CompletionRecorded
	for i := 0; ; i++ {
		f := newFact(user(i))
		if err := j.Intend(f); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		open = append(open, f)
	}
	if len(open) < 5 {
		t.Fatalf("full after %d intents", len(open))
	}
	for _, f := range open { // every one still fits, whatever it grew to within reason
		f.Reason = strings.Repeat("x", factMore-200)
		record(t, j, f)
	}
	if s := j.Stats(); s.Bytes > s.MaxBytes || s.OpenIntents != 0 {
		t.Errorf("%+v", s)
	}
	fillUp(t, j)
	if err := j.Intend(newFact("user-1")); !errors.Is(err, ErrFull) {
		t.Errorf("an intent in a full journal: %v", err)
	}
	if err := j.Release(allPersisted); err != nil {
		t.Fatal(err)
	}
	f := newFact("user-1")
	intend(t, j, f)
	record(t, j, f)
	if ids := allFacts(t, j); decode(t, ids[len(ids)-1]).ID != f.ID {
		t.Error("the fact after the release is not the last one")
	}
}

// A limit below the default size of a segment must not be the end: only whole
// segments are released.
func TestSmallJournalIsReleased(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.MaxBytes = 256 << 10
	j := mustOpen(t, o)
	fillUp(t, j)
	if err := j.Release(allPersisted); err != nil {
		t.Fatal(err)
	}
	record(t, j, newFact("user-1"))
}

// fillUp records facts without intents until there is no room.
func fillUp(t *testing.T, j *Journal) {
	t.Helper()
	for i := 0; ; i++ {
		err := j.Record(newFact(user(i)))
		if errors.Is(err, ErrFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func allPersisted(string, event.Lane) event.Ranges { return event.Ranges{{First: 1, Last: 1 << 60}} }

func TestReservedSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	j := mustOpen(t, options(t.TempDir()))
	for i := range 10 {
		f := newFact(user(i))
		intend(t, j, f, f) // a plan may change before it is paid for
		record(t, j, f)
	}
	if j.reserved != 0 || j.Stats().OpenIntents != 0 {
		t.Errorf("%d bytes reserved for %d intents", j.reserved, j.Stats().OpenIntents)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 1 << 10
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		record(t, j, newFact(user(i)))
	}
	mustClose(t, j)
	mustClose(t, j)
	if j.Intend(newFact("user-1")) == nil || j.Record(newFact("user-1")) == nil {
		t.Error("a closed journal takes records")
	}
	if _, _, err := j.Read(Position{}, 1); err == nil {
		t.Error("a closed journal is read")
	}
	before := len(segmentFiles(t, o.Dir))
	if err := j.Release(allPersisted); err == nil || len(segmentFiles(t, o.Dir)) != before {
		t.Errorf("a closed journal removes segments that another process may have: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Options){
		"no folder":            func(o *Options) { o.Dir = "" },
		"too many partitions":  func(o *Options) { o.Partitions = 1 << 16 },
		"negative partitions":  func(o *Options) { o.Partitions = -1 },
		"negative size":        func(o *Options) { o.MaxBytes = -1 },
		"negative interval":    func(o *Options) { o.Sync = -1 },
		"a file as the folder": func(o *Options) { writeFile(t, o.Dir, "x") },
		"another format":       func(o *Options) { writeSegment(t, o.Dir, `H{"format":2,"journal":"j"}`) },
		"no journal":           func(o *Options) { writeSegment(t, o.Dir, `H{"format":1}`) },
		"an unknown stream": func(o *Options) {
			writeSegment(t, o.Dir, `H{"format":1,"journal":"j","boot":"boot-1","next":{"x/0":2}}`)
		},
		"facts of an unknown stream": func(o *Options) {
			unknown := factRecord{id: uuid.Must(uuid.NewV7()), lane: event.Lane{Stream: 99}, seq: 1}
			writeSegment(t, o.Dir, `H{"format":1,"journal":"j"}`, string(appendFact(nil, unknown)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(filepath.Join(t.TempDir(), "journal"))
			spoil(&o)
			j, err := Open(o)
			if err == nil {
				mustClose(t, j)
				t.Fatal("opened")
			}
			if o.Dir == "" {
				return
			}
			if _, err := Open(o); err == nil || strings.Contains(err.Error(), "held") {
				t.Errorf("the lock was kept: %v", err)
			}
		})
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeSegment(t *testing.T, dir string, payloads ...string) {
	t.Helper()
	var b []byte
	for _, p := range payloads {
		record := append(beginRecord(nil), p...)
		if err := endRecord(record); err != nil {
			t.Fatal(err)
		}
		b = append(b, record...)
	}
	writeFile(t, segmentPath(dir, 1), string(b))
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	mustOpen(t, o)
	if _, err := Open(o); err == nil {
		t.Error("two journals on one folder")
	}
}

func TestOpenFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := OpenFree(dir, options(""))
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenFree(dir, options(""))
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, second)
	id := first.ID()
	if second.ID() == id {
		t.Error("two processes have one journal")
	}
	mustClose(t, first)
	again, err := OpenFree(dir, options(""))
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, again)
	if again.ID() != id {
		t.Errorf("the free journal is %s, but %s was opened", id, again.ID())
	}
}

func TestBootID(t *testing.T) {
	t.Parallel()
	if a, b := BootID(), BootID(); a != b || strings.ContainsAny(a, " \n") {
		t.Errorf("boot is %q, then %q", a, b)
	}
}
