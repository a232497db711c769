package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/flock"
)

// OpenFree opens the first journal under dir that no other process has, so
// that several processes can share a state directory and each finds its own
// again.
func OpenFree(dir string, opts Options) (*Journal, error) {
	slot, lock, err := flock.TakeSlot(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	opts.Dir = filepath.Join(dir, fmt.Sprintf("%02d", slot))
	return open(opts, lock)
}

// Open opens or begins the journal in opts.Dir. Intents that a dead process
// left unsettled become facts with status interrupted.
//
// The journal keeps its id, and with it the numbering, unless facts may have
// been shipped that are no longer on disk: when the machine was booted since
// (or that cannot be told), or its end is torn or damaged. The end of a
// process alone loses nothing that was written.
func Open(opts Options) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(opts.Dir), 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	lock, err := flock.Take(opts.Dir + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return open(opts, lock)
}

func open(opts Options, lock *flock.Lock) (*Journal, error) {
	opts.setDefaults()
	j := &Journal{
		opts: opts, lock: lock,
		wrote: make(chan struct{}, 1), done: make(chan struct{}), idle: make(chan struct{}),
		next: map[event.Lane]int64{}, open: map[uuid.UUID]intent{},
	}
	j.synced.L = &j.mu
	if err := j.load(); err != nil {
		for _, s := range j.segments {
			err = errors.Join(err, s.file.Close())
		}
		return nil, fmt.Errorf("open journal %s: %w", opts.Dir, errors.Join(err, lock.Close()))
	}
	go j.syncLoop()
	return j, nil
}

// load reads every segment, goes on with the last one or begins another, and
// settles what was left open. What is on disk is not changed but added to, so
// a process that dies here leaves nothing that the next one would read
// differently.
func (j *Journal) load() error {
	if err := j.opts.validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(j.opts.Dir, 0o700); err != nil {
		return err
	}
	numbers, err := segmentNumbers(j.opts.Dir)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var last loaded
	unsettled := map[uuid.UUID][]byte{}
	for _, number := range numbers {
		if last, err = j.loadSegment(number, unsettled); err != nil {
			return err
		}
	}
	if err := j.continueAfter(last); err != nil {
		return err
	}
	for _, id := range j.journals() {
		if id != j.id {
			j.former = append(j.former, id)
		}
	}
	return j.settle(unsettled)
}

// loaded is what a segment says of itself.
type loaded struct {
	header
	extentOf
}

// loadSegment adds a segment, and brings the unsettled intents up to date.
func (j *Journal) loadSegment(number int64, unsettled map[uuid.UUID][]byte) (loaded, error) {
	f, b, err := openSegment(j.opts.Dir, number)
	if err != nil {
		return loaded{}, err
	}
	s := &segment{number: number, file: f, seqs: map[event.Lane]event.Ranges{}}
	j.segments = append(j.segments, s)
	l := loaded{}
	strange := 0
	l.extentOf, err = scan(b, func(at int64, payload []byte) error {
		if at == 0 && payload[0] == kindHeader {
			h, err := parseHeader(payload)
			l.header, s.journal = h, h.Journal
			return err
		}
		isKnown, err := j.loadRecord(s, payload, unsettled)
		if !isKnown {
			strange++
		}
		return err
	})
	if err != nil {
		return loaded{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	l.corrupt += strange
	s.size = l.size
	j.bytes += s.size
	j.corrupt += int64(l.corrupt)
	if l.torn || l.corrupt > 0 {
		j.opts.Log.Warn("journal segment is not whole", "segment", f.Name(), "torn", l.torn,
			"corrupt", l.corrupt, "readable_bytes", l.size, "bytes", len(b))
	}
	return l, nil
}

// loadRecord takes note of a fact or an intent; anything else is not known.
func (j *Journal) loadRecord(s *segment, payload []byte, unsettled map[uuid.UUID][]byte) (isKnown bool, err error) {
	if id, body, ok := parseIntent(payload); ok {
		unsettled[id] = slices.Clone(body)
		s.holdsOf(event.TimeOf(id))
		return true, nil
	}
	f, ok := parseFact(payload)
	if !ok {
		return false, nil
	}
	if f.lane.Stream.String() == "" {
		return false, fmt.Errorf("holds facts of stream %d, which this build does not know", f.lane.Stream)
	}
	if s.journal == "" {
		s.journal = factsJournal(f.body)
	}
	s.keep(f.lane, f.seq)
	s.holdsOf(event.TimeOf(f.id))
	j.facts++
	delete(unsettled, f.id)
	return true, nil
}

// continueAfter goes on with the last segment and its numbering where that is
// safe, and otherwise begins a segment under a new id.
func (j *Journal) continueAfter(last loaded) error {
	isWhole := last.Journal != "" && !last.torn && last.corrupt == 0
	if isWhole && last.Boot != "" && last.Boot == j.opts.Boot {
		next, err := last.lanes()
		if err != nil {
			return err
		}
		for lane, seqs := range j.active().seqs {
			next[lane] = seqs.Last() + 1
		}
		j.id, j.next = last.Journal, next
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	j.id = id.String()
	return j.create(0)
}

// settle records the facts of intents that a dead process left behind, oldest
// first: an intent is written as the fact would read in that case. One that
// cannot be recorded must not keep the process from starting.
func (j *Journal) settle(unsettled map[uuid.UUID][]byte) error {
	ids := slices.SortedFunc(maps.Keys(unsettled), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		c, err := parseIntended(id, unsettled[id])
		if err != nil {
			j.corrupt++
			j.opts.Log.Error("journal holds an intent that cannot be settled", "request_id", id, "err", err)
			continue
		}
		j.open[id] = intent{segment: j.active().number} // so that a full journal takes it
		if _, err := j.record(c); err != nil {
			return fmt.Errorf("settle intent %s: %w", id, err)
		}
		j.opts.Log.Warn("request was interrupted by the end of its process", "request_id", id)
	}
	if j.opts.Sync > 0 || len(ids) == 0 {
		return nil
	}
	return j.sync()
}

func parseIntended(id uuid.UUID, body []byte) (*event.CompletionRecorded, error) {
	c := new(event.CompletionRecorded)
	if err := json.Unmarshal(body, c); err != nil {
		return nil, err
	}
	if c.ID != id {
		return nil, fmt.Errorf("it is of %s", c.ID)
	}
	return c, validateIntended(*c)
}

// BootID identifies this boot of the machine, or is empty where that cannot
// be told.
func BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
