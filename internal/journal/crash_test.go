package journal

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// The environment of a child: the folder of its journal, what it does, and how
// often it syncs.
const (
	childDir  = "BUSU_TEST_JOURNAL"
	childDoes = "BUSU_TEST_DOES"
	childSync = "BUSU_TEST_SYNC"

	doesFlood   = "flood"
	doesOverrun = "overrun"
)

// runChild is the main of a process that a test has started.
func runChild() int {
	every, err := time.ParseDuration(os.Getenv(childSync))
	if err != nil {
		panic(err)
	}
	j, err := Open(Options{Dir: os.Getenv(childDir), Sync: every, Boot: boot, SegmentBytes: 64 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv(childDoes) == doesFlood {
		flood(j)
	}
	if err := overrun(j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// flood records facts until somebody kills it, and names each once Record has
// returned. Every third request never ends.
func flood(j *Journal) {
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for i := 0; ; i++ {
				f := newIntent(user(w))
				if err := j.Intend(f); err != nil {
					panic(err)
				}
				if i%3 == 0 {
					continue
				}
				f.Status = event.StatusOK
				if err := j.Record(f); err != nil {
					panic(err)
				}
				fmt.Println(f.ID)
			}
		})
	}
	writing.Wait()
}

// Whenever a process is killed, the journal has every fact that it was told
// was recorded, and all that was begun is settled.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]string{"synced in the background": "20ms", "synced before return": "0s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			acknowledged := map[string]bool{}
			for kill := range 4 {
				for _, id := range killAfter(t, child(dir, doesFlood, every), 50+150*kill) {
					acknowledged[id] = true
				}
			}
			j := mustOpen(t, Options{Dir: dir, Boot: boot})
			facts := allFacts(t, j)
			checkGapless(t, facts)
			if len(j.Journals()) > 5 || j.Stats().Corrupt != 0 {
				t.Errorf("journals %v, %+v", j.Journals(), j.Stats())
			}
			checkAcknowledged(t, facts, acknowledged)
		})
	}
}

func checkAcknowledged(t *testing.T, facts []Shipment, acknowledged map[string]bool) {
	t.Helper()
	recorded := map[uuid.UUID]bool{}
	interrupted := 0
	for _, f := range facts {
		c := decode(t, f)
		if recorded[c.ID] {
			t.Fatalf("%s is recorded twice", c.ID)
		}
		recorded[c.ID] = true
		if c.Status == event.StatusInterrupted {
			interrupted++
		}
		if acknowledged[c.ID.String()] && c.Status != event.StatusOK {
			t.Fatalf("%s was acknowledged and is %s", c.ID, c.Status)
		}
		delete(acknowledged, c.ID.String())
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged facts are lost", len(acknowledged))
	}
	if interrupted < len(facts)/4 {
		t.Errorf("%d of %d facts are interrupted, a third of the requests never ended", interrupted, len(facts))
	}
}

func child(dir, does, every string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childDir+"="+dir, childDoes+"="+does, childSync+"="+every, "GORACE=atexit_sleep_ms=0")
	c.Stderr = os.Stderr
	return c
}

// killAfter kills a child when it has written so many lines, and returns all
// that it wrote.
func killAfter(t *testing.T, c *exec.Cmd, lines int) (all []string) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := bufio.NewReader(out)
	for {
		line, err := read.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(line))
		if len(all) == lines {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err == nil || len(all) < lines {
		t.Fatalf("the child ended by itself after %d lines: %v", len(all), err)
	}
	return all
}

// overrun records until the process may not write any further, goes on trying,
// and records again when it may. It names what was recorded.
func overrun(j *Journal) error {
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	refuse := func(limit uint64, times int) error {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: before.Max}); err != nil {
			return err
		}
		for refused := 0; refused < times; {
			f := newFact("user-1")
			f.Reason = strings.Repeat("x", 37*refused)
			if j.Record(f) != nil {
				refused++
			} else {
				fmt.Println(f.ID)
			}
		}
		return nil
	}
	if err := refuse(10_000, 20); err != nil {
		return err
	}
	j.opts.SegmentBytes = 1 // now every fact wants a new segment, and its header does not fit
	if err := refuse(50, 3); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	for range 5 {
		f := newFact("user-1")
		if err := j.Record(f); err != nil {
			return err
		}
		fmt.Println(f.ID)
	}
	return checkBytes(j)
}

// checkBytes holds what the journal counts against what is there.
func checkBytes(j *Journal) error {
	files, err := os.ReadDir(j.opts.Dir)
	if err != nil {
		return err
	}
	var sum int64
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return err
		}
		sum += info.Size()
	}
	if s := j.Stats(); s.Bytes != sum || s.Segments != len(files) {
		return fmt.Errorf("%d bytes in %d files, but %+v", sum, len(files), s)
	}
	return nil
}

// A write that fails, in the middle of a record, costs that record alone.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := child(dir, doesOverrun, "20ms").Output()
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.Fields(string(out))
	j := mustOpen(t, Options{Dir: dir, Boot: boot})
	facts := allFacts(t, j)
	checkGapless(t, facts)
	if len(facts) != len(ids) || len(ids) < 10 {
		t.Fatalf("%d facts, %d acknowledged", len(facts), len(ids))
	}
	for i, f := range facts {
		if id := decode(t, f).ID.String(); id != ids[i] {
			t.Errorf("fact %d is %s, want %s", i, id, ids[i])
		}
	}
	if s := j.Stats(); s.Corrupt != 0 || len(j.Journals()) != 1 {
		t.Errorf("%+v", s)
	}
}

// When not even the failed part can be cut off, nothing more is taken.
func TestFailedCutStopsTheJournal(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	first := newFact("user-1")
	record(t, j, first)
	file := j.active().file
	readOnly, err := os.Open(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	j.active().file = readOnly
	if err := j.Record(newFact("user-1")); err == nil {
		t.Error("recorded in a file that cannot be written")
	}
	j.active().file = file
	if err := j.Record(newFact("user-1")); err == nil || !strings.Contains(err.Error(), "any more") {
		t.Errorf("went on: %v", err)
	}
	checkFacts(t, allFacts(t, j), []*event.CompletionRecorded{first})
	mustClose(t, j)
	if err := readOnly.Close(); err != nil {
		t.Error(err)
	}
	j = mustOpen(t, o)
	second := newFact("user-1")
	record(t, j, second)
	checkFacts(t, allFacts(t, j), []*event.CompletionRecorded{first, second})
}

// A new segment that cannot be completed is refused, and tried again.
func TestFailedRotation(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.SegmentBytes = 600
	j := mustOpen(t, o)
	var want []*event.CompletionRecorded
	for j.active().size < o.SegmentBytes {
		f := newFact("user-1")
		record(t, j, f)
		want = append(want, f)
	}
	next := segmentPath(o.Dir, j.active().number+1)
	if err := os.Mkdir(next, 0o700); err != nil {
		t.Fatal(err)
	}
	bytes := j.Stats().Bytes
	if err := j.Intend(newFact("user-1")); err == nil {
		t.Error("intended without a segment")
	}
	if s := j.Stats(); s.Bytes != bytes || s.OpenIntents != 0 {
		t.Errorf("%+v", s)
	}
	if err := os.Remove(next); err != nil {
		t.Fatal(err)
	}
	f := newFact("user-1")
	record(t, j, f)
	checkFacts(t, allFacts(t, j), append(want, f))
}
