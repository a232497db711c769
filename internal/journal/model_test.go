package journal

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/event"
)

// model is what a journal should hold, whatever is done to it in any order.
type model struct {
	o     Options
	j     *Journal
	facts []*event.CompletionRecorded // recorded and not known to be released
	open  map[uuid.UUID]*event.CompletionRecorded
	high  map[numbered]int64 // highest seq ever given out
}

func TestAnyHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{open: map[uuid.UUID]*event.CompletionRecorded{}, high: map[numbered]int64{},
			o: Options{Dir: filepath.Join(dir, uuid.NewString()), Boot: boot, Partitions: 2, SegmentBytes: 2 << 10, MaxBytes: 1 << 20,
				SegmentAge: time.Hour, Sync: 1 << 40}}
		m.reopen(t)
		t.Repeat(map[string]func(*rapid.T){
			"intend":  m.intend,
			"settle":  m.settle,
			"record":  func(t *rapid.T) { m.record(t, newFact(user(rapid.IntRange(0, 9).Draw(t, "user")))) },
			"kill":    func(t *rapid.T) { kill(t, m.j); m.reopen(t) },
			"close":   func(t *rapid.T) { mustClose(t, m.j); m.reopen(t) },
			"boot":    func(t *rapid.T) { kill(t, m.j); m.o.Boot += "'"; m.reopen(t) },
			"tear":    m.tear,
			"release": m.release,
			"rotate":  func(t *rapid.T) { rotate(t, m.j, m.o.SegmentAge) },
			"":        m.check,
		})
		kill(t, m.j)
	})
}

func (m *model) intend(t *rapid.T) {
	f := newIntent(user(rapid.IntRange(0, 9).Draw(t, "user")))
	intend(t, m.j, f)
	m.open[f.ID] = f
}

func (m *model) settle(t *rapid.T) {
	for id, f := range m.open {
		f.Status = event.StatusOK
		delete(m.open, id)
		m.record(t, f)
		return
	}
}

func (m *model) record(t *rapid.T, f *event.CompletionRecorded) {
	record(t, m.j, f)
	m.took(t, f)
}

// took notes a fact, whose number must be the next of its lane.
func (m *model) took(t *rapid.T, f *event.CompletionRecorded) {
	lane := numbered{f.Journal, event.Lane{Stream: event.Completions, Partition: f.Partition}}
	if f.Seq != m.high[lane]+1 {
		t.Fatalf("seq %d of %v follows %d", f.Seq, lane, m.high[lane])
	}
	m.high[lane] = f.Seq
	m.facts = append(m.facts, f)
}

// reopen expects every open intent to be settled behind all other facts.
func (m *model) reopen(t *rapid.T) {
	j, err := Open(m.o)
	if err != nil {
		t.Fatal(err)
	}
	m.j = j
	all := allFacts(t, j)
	for _, f := range all[len(all)-len(m.open):] {
		c := decode(t, f)
		if m.open[c.ID] == nil || c.Status != event.StatusInterrupted {
			t.Fatalf("settled %s", f.Body)
		}
		delete(m.open, c.ID)
		m.took(t, c)
	}
}

// tear leaves a record behind that was not written to its end.
func (m *model) tear(t *rapid.T) {
	id := m.j.ID()
	kill(t, m.j)
	torn := append(beginRecord(nil), `I and so on`...)
	if err := endRecord(torn); err != nil {
		t.Fatal(err)
	}
	last := segmentFiles(t, m.o.Dir)
	f, err := os.OpenFile(last[len(last)-1], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(torn[:rapid.IntRange(1, len(torn)-1).Draw(t, "written")]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m.reopen(t)
	if m.j.ID() == id {
		t.Fatal("the id was kept behind a torn end")
	}
}

// release persists some facts from the oldest on, in the order of the journal.
func (m *model) release(t *rapid.T) {
	persisted := map[numbered]int64{}
	for _, f := range m.facts[:rapid.IntRange(0, len(m.facts)).Draw(t, "persisted")] {
		persisted[numbered{f.Journal, event.Lane{Stream: event.Completions, Partition: f.Partition}}] = f.Seq
	}
	err := m.j.Release(func(journal string, l event.Lane) event.Ranges { return whole(persisted[numbered{journal, l}]) })
	if err != nil {
		t.Fatal(err)
	}
	left := len(allFacts(t, m.j))
	for _, f := range m.facts[:len(m.facts)-left] {
		if f.Seq > persisted[numbered{f.Journal, event.Lane{Stream: event.Completions, Partition: f.Partition}}] {
			t.Fatalf("seq %d is released and not persisted", f.Seq)
		}
	}
	m.facts = m.facts[len(m.facts)-left:]
}

func (m *model) check(t *rapid.T) {
	got := allFacts(t, m.j)
	if len(got) != len(m.facts) {
		t.Fatalf("%d facts, want %d", len(got), len(m.facts))
	}
	for i, f := range got {
		if c := decode(t, f); c.ID != m.facts[i].ID || f.Journal != m.facts[i].Journal || f.Seq != m.facts[i].Seq {
			t.Fatalf("fact %d is %+v, want %+v", i, c, m.facts[i])
		}
	}
	if s := m.j.Stats(); s.OpenIntents != len(m.open) || s.Corrupt != 0 {
		t.Fatalf("%+v with %d open", s, len(m.open))
	}
}
