package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
)

// TestMain lets tests run this binary again as a process that they may kill.
func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		os.Exit(runChild())
	}
	os.Exit(m.Run())
}

const boot = "boot-1"

func options(dir string) Options {
	return Options{Dir: dir, Boot: boot, Sync: time.Hour, Partitions: 2}
}

// inBubble runs a test on a fake clock, set to a day on which facts are valid.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
		test(t)
	})
}

// reporter is what tests, benchmarks and properties have in common.
type reporter interface {
	Helper()
	Error(...any)
	Fatal(...any)
}

// mustOpen opens a journal that is closed when the test ends.
func mustOpen(tb testing.TB, o Options) *Journal {
	tb.Helper()
	j, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, j) })
	return j
}

func mustClose(tb reporter, j *Journal) {
	tb.Helper()
	if err := j.Close(); err != nil {
		tb.Error(err)
	}
}

// kill ends a journal as the end of its process would: nothing is synced.
func kill(tb reporter, j *Journal) {
	tb.Helper()
	close(j.done)
	<-j.idle
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed, j.broken = true, errClosed
	for _, s := range j.segments {
		if err := s.file.Close(); err != nil {
			tb.Error(err)
		}
	}
	if err := j.lock.Close(); err != nil {
		tb.Error(err)
	}
}

// newFact is a small fact of a request that arrived now.
func newFact(user string) *event.CompletionRecorded {
	return factOf(uuid.Must(uuid.NewV7()), user)
}

// factNow is of the test's own clock: ids of uuid.NewV7 go by the latest of all
// tests, of which not all are in a bubble.
func factNow(user string) *event.CompletionRecorded {
	return factOf(eventtest.ID(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), time.Now()), user)
}

func factOf(id uuid.UUID, user string) *event.CompletionRecorded {
	c := event.NewCompletion(id)
	c.Project, c.UserID, c.Strategy = event.DefaultProject, user, "complexity"
	c.PlannedModel, c.BaselineModel = "small", "large"
	c.Status, c.Cache = event.StatusOK, event.CacheMiss
	return c
}

func newIntent(user string) *event.CompletionRecorded {
	c := newFact(user)
	c.Status, c.Estimated, c.CostNanos = event.StatusInterrupted, true, 42
	return c
}

func record(tb reporter, j *Journal, facts ...*event.CompletionRecorded) {
	tb.Helper()
	for _, f := range facts {
		if err := j.Record(f); err != nil {
			tb.Fatal(err)
		}
	}
}

func intend(tb reporter, j *Journal, facts ...*event.CompletionRecorded) {
	tb.Helper()
	for _, f := range facts {
		if err := j.Intend(f); err != nil {
			tb.Fatal(err)
		}
	}
}

// allFacts reads the journal from its start.
func allFacts(tb reporter, j *Journal) []Shipment {
	tb.Helper()
	var all []Shipment
	for at := (Position{}); ; {
		facts, next, err := j.Read(at, 10)
		if err != nil {
			tb.Fatal(err)
		}
		if len(facts) == 0 {
			return all
		}
		all, at = append(all, facts...), next
	}
}

// checkFacts holds what was read against what Record left in the facts.
func checkFacts(tb testing.TB, got []Shipment, want []*event.CompletionRecorded) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%d facts, want %d", len(got), len(want))
	}
	for i, f := range want {
		body, err := event.Encode(f)
		if err != nil {
			tb.Fatal(err)
		}
		if !bytes.Equal(got[i].Body, body) || got[i].Journal != f.Journal || got[i].Seq != f.Seq ||
			got[i].Lane != (event.Lane{Stream: event.Completions, Partition: f.Partition}) {
			tb.Fatalf("fact %d is\n%s %v %d %s\nwant\n%s", i, got[i].Journal, got[i].Lane, got[i].Seq, got[i].Body, body)
		}
	}
	checkGapless(tb, got)
}

type numbered struct {
	journal string
	event.Lane
}

// checkGapless checks that each lane counts 1, 2, 3… and that every fact says
// the same of itself.
func checkGapless(tb testing.TB, facts []Shipment) {
	tb.Helper()
	next := map[numbered]int64{}
	for _, f := range facts {
		lane := numbered{f.Journal, f.Lane}
		next[lane]++
		if f.Seq != next[lane] {
			tb.Fatalf("seq %d of %v comes where %d should", f.Seq, lane, next[lane])
		}
		c := decode(tb, f)
		if c.Journal != f.Journal || c.Partition != f.Partition || c.Seq != f.Seq {
			tb.Fatalf("fact says %s/%d/%d, journal says %+v", c.Journal, c.Partition, c.Seq, f)
		}
	}
}

func decode(tb reporter, f Shipment) *event.CompletionRecorded {
	tb.Helper()
	fact, err := event.Decode(f.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return fact.(*event.CompletionRecorded)
}

// segmentFiles lists the segments of a journal, oldest first.
func segmentFiles(tb reporter, dir string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// image is what the segments of a journal hold, by name.
type image map[string][]byte

func imageOf(tb testing.TB, dir string) image {
	tb.Helper()
	img := image{}
	for _, path := range segmentFiles(tb, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		img[filepath.Base(path)] = b
	}
	return img
}

// restore makes dir hold img, with the file called changed replaced by b, and
// no other segment.
func (img image) restore(tb testing.TB, dir, changed string, b []byte) string {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	for name, content := range img {
		if name == changed {
			content = b
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	for _, path := range segmentFiles(tb, dir) {
		if _, ok := img[filepath.Base(path)]; ok {
			continue
		}
		if err := os.Remove(path); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func (img image) names() []string {
	var names []string
	for name := range img {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// boundaries are the offsets between the records of a segment, its start and
// end included.
func boundaries(tb testing.TB, b []byte) []int {
	tb.Helper()
	at := []int{0}
	for rest := b; len(rest) > 0; {
		_, size, ok := unframe(rest)
		if !ok {
			tb.Fatalf("no record at %d", at[len(at)-1])
		}
		at = append(at, at[len(at)-1]+size)
		rest = rest[size:]
	}
	return at
}

func user(i int) string { return fmt.Sprint("user-", i) }
