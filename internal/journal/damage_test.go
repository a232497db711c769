package journal

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// sample is the journal of a dead process: some segments with facts, settled
// intents, and one open intent at the beginning.
type sample struct {
	image
	journal string
	ends    map[string][]int // boundaries of the records, by segment
}

func newSample(tb testing.TB) sample {
	tb.Helper()
	o := options(tb.TempDir())
	o.SegmentBytes = 1 << 10
	j := mustOpen(tb, o)
	intend(tb, j, newIntent("user-0"))
	for i := range 6 {
		f := newFact(user(i))
		if i%2 == 0 {
			intend(tb, j, f)
		}
		record(tb, j, f)
	}
	s := sample{image: imageOf(tb, o.Dir), journal: j.ID(), ends: map[string][]int{}}
	for name, b := range s.image {
		s.ends[name] = boundaries(tb, b)
	}
	if len(s.ends) < 3 {
		tb.Fatalf("the sample has %d segments", len(s.ends))
	}
	return s
}

func (s sample) last() string { return s.names()[len(s.image)-1] }

// remains is what a journal without some of the sample's records holds.
type remains struct {
	facts []Shipment
	open  []uuid.UUID // to be settled, in order
}

// without leaves out the records of one segment that lost names by number.
func (s sample) without(changed string, lost func(record int) bool) remains {
	var r remains
	for _, name := range s.names() {
		ends := s.ends[name]
		for i := range len(ends) - 1 {
			if name == changed && lost(i) {
				continue
			}
			r.take(s.journal, s.image[name][ends[i]+frameBytes:ends[i+1]])
		}
	}
	return r
}

func (r *remains) take(journal string, payload []byte) {
	if id, _, ok := parseIntent(payload); ok {
		r.open = append(r.open, id)
	}
	if f, ok := parseFact(payload); ok {
		r.facts = append(r.facts, Shipment{Entry: event.Entry{Lane: f.lane, Body: f.body}, Journal: journal, Seq: f.seq})
		r.open = slices.DeleteFunc(r.open, func(id uuid.UUID) bool { return id == f.id })
	}
}

// check opens the sample in dir with one segment changed and holds what it reads
// against what should have remained: those facts byte for byte, then the
// settled intents, and no seq twice.
func (s sample) check(t *testing.T, dir string, want remains, changed string, b []byte) Stats {
	t.Helper()
	j, err := Open(options(s.restore(t, dir, changed, b)))
	if err != nil {
		t.Fatal(err)
	}
	defer kill(t, j)
	got := allFacts(t, j)
	if len(got) != len(want.facts)+len(want.open) {
		t.Fatalf("%d facts, want %d and %d settled", len(got), len(want.facts), len(want.open))
	}
	seen := map[any]bool{}
	for i, f := range got {
		place := [3]any{f.Journal, f.Lane, f.Seq}
		if seen[place] {
			t.Fatalf("%v twice", place)
		}
		seen[place] = true
		if i >= len(want.facts) {
			c := decode(t, f)
			if c.ID != want.open[i-len(want.facts)] || f.Journal != j.ID() {
				t.Fatalf("settled %s/%s, want %s/%s", f.Journal, c.ID, j.ID(), want.open[i-len(want.facts)])
			}
		} else if w := want.facts[i]; !bytes.Equal(f.Body, w.Body) || f.Journal != w.Journal || f.Lane != w.Lane || f.Seq != w.Seq {
			t.Fatalf("fact %d is\n%+v, want\n%+v", i, f, w)
		}
	}
	return j.Stats()
}

// Whatever a segment is cut to, the facts before the cut remain, and the
// numbering goes on only where nothing was cut in the middle. A cut between
// two records is a shorter journal: that cannot be told, and does not happen
// as long as the machine runs, since what was written stays written.
func TestEveryPrefixOpens(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for _, name := range []string{s.names()[1], s.last()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, b, ends := t.TempDir(), s.image[name], s.ends[name]
			step := 1
			if name != s.last() {
				step = 5
			}
			for cut := 0; cut < len(b); cut += step {
				want := s.without(name, func(i int) bool { return ends[i+1] > cut })
				stats := s.check(t, dir, want, name, b[:cut])
				isWhole := slices.Contains(ends[1:], cut) || name != s.last()
				if isWhole != (stats.ID == s.journal) {
					t.Fatalf("cut at %d of %v: journal is %s after %s", cut, ends, stats.ID, s.journal)
				}
				if stats.Corrupt != 0 {
					t.Fatalf("cut at %d: %d stretches count as corrupt", cut, stats.Corrupt)
				}
			}
		})
	}
}

// A flipped bit costs the record that it hits and no other, and is noticed.
func TestEveryFlippedBitOpens(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for _, name := range []string{s.names()[0], s.names()[1], s.last()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, ends := t.TempDir(), s.ends[name]
			for at := range s.image[name] {
				if isText(s.image[name], ends, at) && at%7 != 0 {
					continue // one byte of JSON is like another: see the next test
				}
				b := bytes.Clone(s.image[name])
				b[at] ^= 1 << (at % 8)
				want := s.without(name, func(i int) bool { return ends[i] <= at && at < ends[i+1] })
				stats := s.check(t, dir, want, name, b)
				if (name == s.last()) == (stats.ID == s.journal) {
					t.Fatalf("bit in byte %d: journal is %s after %s", at, stats.ID, s.journal)
				}
				isLast := at >= ends[len(ends)-2] // may look torn: then only the log tells
				if stats.Corrupt != 1 && !isLast {
					t.Fatalf("bit in byte %d: %d stretches count as corrupt", at, stats.Corrupt)
				}
			}
		})
	}
}

func isText(b []byte, ends []int, at int) bool {
	for i := range len(ends) - 1 {
		if text := bytes.IndexByte(b[ends[i]:ends[i+1]], '{'); text >= 0 && at > ends[i]+text && at < ends[i+1] {
			return true
		}
	}
	return false
}

// All eight bits of every byte, without the files around them.
func TestScanSurvivesEveryFlippedBit(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	whole, ends := s.image[s.last()], s.ends[s.last()]
	for bit := range 8 * len(whole) {
		at := bit / 8
		b := bytes.Clone(whole)
		b[at] ^= 1 << (bit % 8)
		var got [][]byte
		if _, err := scan(b, func(_ int64, payload []byte) error { got = append(got, payload); return nil }); err != nil {
			t.Fatal(err)
		}
		for i := range len(ends) - 1 {
			if ends[i] <= at && at < ends[i+1] {
				continue
			}
			if len(got) == 0 || !bytes.Equal(got[0], whole[ends[i]+frameBytes:ends[i+1]]) {
				t.Fatalf("bit %d: record %d is missing", bit, i)
			}
			got = got[1:]
		}
		if len(got) > 0 {
			t.Fatalf("bit %d: %d records out of nothing", bit, len(got))
		}
	}
}

// What a power cut does to a file: its end is there, but as zeros.
func TestZeroedTailIsTorn(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	b, ends := s.image[s.last()], s.ends[s.last()]
	lastRecord := ends[len(ends)-2]
	zeroed := append(bytes.Clone(b[:lastRecord]), make([]byte, len(b)-lastRecord)...)
	want := s.without(s.last(), func(i int) bool { return ends[i] == lastRecord })
	if stats := s.check(t, t.TempDir(), want, s.last(), zeroed); stats.Corrupt != 0 || stats.ID == s.journal {
		t.Errorf("%+v", stats)
	}
}

func TestUnreadableSegmentIsSkipped(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for name, b := range map[string][]byte{"rubbish": bytes.Repeat([]byte{0xff, 0x01}, 4096), "another file": []byte("PK\x03\x04, and so on")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := s.names()[1]
			want := s.without(changed, func(int) bool { return true })
			if stats := s.check(t, t.TempDir(), want, changed, b); stats.ID != s.journal {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// Damage that is found again at every start is neither added to nor settled
// again.
func TestDamageIsStable(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	b := bytes.Clone(s.image[s.last()])
	b[s.ends[s.last()][1]+20] ^= 4
	o := options(s.restore(t, filepath.Join(t.TempDir(), "journal"), s.last(), b))
	var before []Shipment
	for run := range 3 {
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		after := allFacts(t, j)
		if stats := j.Stats(); run > 0 && (len(after) != len(before) || stats.Corrupt != 1 || stats.OpenIntents != 0) {
			t.Errorf("start %d: %d facts after %d, %+v", run, len(after), len(before), stats)
		}
		before = after
		mustClose(t, j)
	}
}
