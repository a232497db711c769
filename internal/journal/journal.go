// Package journal keeps intents and facts on disk before anybody is told of
// them, and ships facts to the stream.
//
// It is a write-ahead log, not a spill file for bad days: an intent is written
// before a provider is paid, the fact before the caller has its answer. A
// process that dies leaves unsettled intents behind, which the next Open turns
// into facts with status interrupted. Segments go when the worker's marks say
// that everything in them is in PostgreSQL, not when it is shipped, so losing
// Redis costs a replay and nothing else.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/flock"
)

// ErrFull says that the journal has reached its limit: nothing new may be
// begun until the worker has stored what waits here.
var ErrFull = errors.New("the journal is full")

var errClosed = errors.New("the journal is closed")

// Options of a journal. The zero value of a number means its default.
type Options struct {
	Dir          string        // holds one journal; created if it is missing
	Partitions   int           // of each stream, default 1
	MaxBytes     int64         // default 2 GiB
	SegmentBytes int64         // default 64 MiB, at most a quarter of MaxBytes
	SegmentAge   time.Duration // after which Rotate begins another segment; default an hour
	Sync         time.Duration // between fdatasyncs; 0 means before every return
	Boot         string        // identifies the machine's boot; see BootID
	Log          *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Partitions == 0 {
		o.Partitions = 1
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 2 << 30
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.SegmentAge == 0 {
		o.SegmentAge = time.Hour
	}
	// Only whole segments can be let go of: a full journal needs several.
	o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/4)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

const maxPartitions = math.MaxUint16 // what a record has room for

func (o *Options) validate() error {
	if o.Dir == "" || o.Partitions < 0 || o.Partitions > maxPartitions || o.MaxBytes < 0 || o.SegmentBytes < 0 ||
		o.SegmentAge < 0 || o.Sync < 0 {
		return fmt.Errorf("dir %q, %d partitions, %d bytes, %d or %s per segment, sync every %s: out of range",
			o.Dir, o.Partitions, o.MaxBytes, o.SegmentBytes, o.SegmentAge, o.Sync)
	}
	return nil
}

// Journal is safe for concurrent use.
type Journal struct {
	opts  Options
	lock  *flock.Lock
	wrote chan struct{} // holds a token when something was appended
	done  chan struct{} // ends the background sync
	idle  chan struct{} // closed when it has ended

	former []string // ids of before that were found at Open

	mu       sync.Mutex
	id       string
	next     map[event.Lane]int64 // seq of the next fact
	segments []*segment           // oldest first; the last one is active
	open     map[uuid.UUID]intent
	bytes    int64 // in all segments
	reserved int64 // for the facts of open intents
	facts    int64 // recorded or found since Open
	corrupt  int64
	buffer   []byte   // of the record that is being written
	spare    [][]byte // bodies of settled intents, to be used again
	closed   bool
	broken   error // set when nothing more may be written

	syncing bool
	synced  sync.Cond // broadcast when a sync has ended
	named   int64     // number of the newest segment whose name is durable
}

// intent is one that no fact has settled yet.
type intent struct {
	segment  int64
	reserved int64
	body     []byte
}

// Stats are a journal's counters at one moment.
type Stats struct {
	ID          string
	Bytes       int64
	MaxBytes    int64
	Segments    int
	OpenIntents int
	Corrupt     int64 // stretches of a segment that could not be read
}

// ID identifies the journal in every fact that it numbers.
func (j *Journal) ID() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.id
}

// Stats gives the counters.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Stats{ID: j.id, Bytes: j.bytes, MaxBytes: j.opts.MaxBytes, Segments: len(j.segments),
		OpenIntents: len(j.open), Corrupt: j.corrupt}
}

// Wrote delivers a token after facts were recorded.
func (j *Journal) Wrote() <-chan struct{} { return j.wrote }

// Intend puts on disk what the fact would say if the process died now, before
// money is spent, and keeps room for the fact that will settle it. It returns
// ErrFull, or the disk's error, when that cannot be promised; and it refuses
// what Record would refuse, while refusing costs nothing yet.
func (j *Journal) Intend(c *event.CompletionRecorded) error {
	if err := validateIntended(*c); err != nil {
		return fmt.Errorf("journal intent: %w", err)
	}
	body, err := event.Append(j.spareBody(), c)
	if err != nil {
		return fmt.Errorf("journal intent: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.intend(c.ID, body); err != nil {
		return fmt.Errorf("journal intent: %w", err)
	}
	return nil
}

// mostSpare bounds what is kept for requests that may come.
const mostSpare = 256

// spareBody gives memory for an intent's body, if there is one that was
// settled: collecting garbage is what delays requests most.
func (j *Journal) spareBody() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.spare)
	if n == 0 {
		return make([]byte, 0, usualBytes)
	}
	body := j.spare[n-1]
	j.spare = j.spare[:n-1]
	return body[:0]
}

// usualBytes are enough for the body of most intents.
const usualBytes = 1 << 10

// settled forgets the intent of a fact that is recorded.
func (j *Journal) settled(id uuid.UUID) {
	open := j.open[id]
	j.reserved -= open.reserved
	delete(j.open, id)
	if open.body != nil && len(j.spare) < mostSpare {
		j.spare = append(j.spare, open.body)
	}
}

// validateIntended says whether c can become a fact.
func validateIntended(c event.CompletionRecorded) error {
	c.Journal, c.Partition, c.Seq = "any", 0, 1
	return c.Validate()
}

// factMore is what a fact may add to what its intent says.
const factMore = 4 << 10

func (j *Journal) intend(id uuid.UUID, body []byte) error {
	record := int64(frameBytes + intentPrefix + len(body))
	fact := int64(len(body)) + factMore
	if err := j.makeRoom(record + fact); err != nil {
		return err
	}
	end, err := j.append(appendIntent(j.begin(), id, body))
	if err != nil {
		return err
	}
	end.segment.holdsOf(event.TimeOf(id))
	j.reserved += fact - j.open[id].reserved
	j.open[id] = intent{segment: end.segment.number, reserved: fact, body: body}
	return j.awaitSync(end)
}

// Record numbers a fact and puts it on disk, and thereby settles its intent.
// It sets the fact's journal, partition and seq.
//
// With Options.Sync at 0 an error may come after the fact was written: it is
// in the journal then, but nobody knows whether it is on the disk, and the
// journal takes nothing more.
func (j *Journal) Record(f event.Fact) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	end, err := j.record(f)
	if err == nil {
		err = j.awaitSync(end)
	}
	if err != nil {
		return fmt.Errorf("journal fact: %w", err)
	}
	return nil
}

func (j *Journal) record(f event.Fact) (extent, error) {
	head := f.Head()
	lane := event.Lane{Stream: f.Stream(), Partition: event.Partition(f, j.opts.Partitions)}
	seq := max(j.next[lane], 1)
	head.Journal, head.Partition, head.Seq = j.id, lane.Partition, seq
	if err := f.Validate(); err != nil {
		return extent{}, err
	}
	record, err := event.Append(appendFact(j.begin(), factRecord{id: head.ID, lane: lane, seq: seq}), f)
	if err != nil {
		return extent{}, err
	}
	if _, isOpen := j.open[head.ID]; !isOpen { // else there is room already
		if err := j.makeRoom(int64(len(record))); err != nil {
			return extent{}, err
		}
	}
	end, err := j.append(record)
	if err != nil {
		return extent{}, err
	}
	j.next[lane] = seq + 1
	end.segment.keep(lane, seq)
	end.segment.holdsOf(event.TimeOf(head.ID))
	j.facts++
	j.settled(head.ID)
	select {
	case j.wrote <- struct{}{}:
	default:
	}
	return end, nil
}
