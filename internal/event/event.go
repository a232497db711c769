// Package event holds the facts that busu records: versioned structs and their
// codec. A fact gets its id once, where it arises, and its place in the ledger
// (journal, stream, partition, seq) when the journal records it. The seq is
// gapless per journal, stream and partition: a duplicate is a seq seen before,
// a loss is a hole, and both are found by counting.
//
// The JSON is public and described in schema/events.
package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Version is the version of every event that this build writes.
const Version = 1

// Stream is a kind of ledger stream. Its value is stored in journals on disk.
type Stream uint8

// The numbered streams. Decisions has one partition; its facts come from the
// worker.
const (
	Completions Stream = 1
	Feedback    Stream = 2
	Decisions   Stream = 3
)

var streamNames = map[Stream]string{Completions: "completions", Feedback: "feedback", Decisions: "decisions"}

func (s Stream) String() string { return streamNames[s] }

// ParseStream is the inverse of String.
func ParseStream(name string) (Stream, error) {
	for s, n := range streamNames {
		if n == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("stream %q is not known", name)
}

// Lane is one partition of one stream: within a journal, the unit of numbering.
type Lane struct {
	Stream    Stream
	Partition int
}

// String is the stream and the partition, such as completions/0.
func (l Lane) String() string { return fmt.Sprintf("%s/%d", l.Stream, l.Partition) }

// Entry is an encoded fact on its way to, or from, a stream.
type Entry struct {
	Lane
	ID         string // the stream's own id of the entry; empty on the way there
	Body       []byte
	Deliveries int64 // how often it was handed out before; 0 for a new one
}

// Refused is an entry that cannot be processed.
type Refused struct {
	Entry
	Reason string
}

// Types of facts.
const (
	TypeCompletionRecorded = "completion.recorded"
	TypeFeedbackRecorded   = "feedback.recorded"
	TypeModelPublished     = "model.published"
	TypeGuardTripped       = "guard.tripped"
	TypeExperimentStarted  = "experiment.started"
	TypeExperimentDecided  = "experiment.decided"
	TypeExperimentInvalid  = "experiment.invalid"
)

// Header is what every fact begins with.
type Header struct {
	V         int       `json:"v"`
	Type      string    `json:"type"`
	ID        uuid.UUID `json:"id"` // UUIDv7
	At        time.Time `json:"at"` // when the request arrived: the time in ID
	Journal   string    `json:"journal"`
	Partition int       `json:"partition"`
	Seq       int64     `json:"seq"` // from 1, gapless per journal, stream and partition
}

// Head gives access to the header of any fact.
func (h *Header) Head() *Header { return h }

// Fact is one of the facts of this package.
type Fact interface {
	Head() *Header
	Stream() Stream
	Key() string // what partitions the stream; "" for the id
	Validate() error
}

// Partition is the partition of a fact: by its key, the user, so that one
// reader sees all that a user does in order; without a key by id. The hash
// (FNV-1a, 32 bit) only spreads load and is part of the stream's contract.
func Partition(f Fact, partitions int) int {
	if partitions <= 1 {
		return 0
	}
	h := fnv.New32a()
	if key := f.Key(); key != "" {
		h.Write([]byte(key))
	} else {
		id := f.Head().ID
		h.Write(id[:])
	}
	return int(h.Sum32() % uint32(partitions))
}

// TimeOf is the time in a UUIDv7, to the millisecond, UTC.
func TimeOf(id uuid.UUID) time.Time {
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	return time.UnixMilli(ms).UTC()
}

// Times must lie where a day's partition can be made for them, and a place in
// the ledger where the journal and PostgreSQL can note it.
var (
	earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

const (
	maxPartition = math.MaxUint16
	maxSeq       = 1 << 53 // what JavaScript can count to
)

func (h *Header) validate(wantType string) error {
	switch {
	case h.V != Version:
		return fmt.Errorf("version %d is not known, this build reads %d", h.V, Version)
	case h.Type != wantType:
		return fmt.Errorf("type is %q, not %q", h.Type, wantType)
	case h.ID.Version() != 7 || h.ID.Variant() != uuid.RFC4122:
		return fmt.Errorf("id %s is not a UUIDv7", h.ID)
	case !h.At.Equal(TimeOf(h.ID)):
		return fmt.Errorf("at %s is not the time in the id, %s", h.At, TimeOf(h.ID))
	case h.At.Before(earliest) || !h.At.Before(latest):
		return fmt.Errorf("at %s is out of range", h.At)
	case h.Journal == "":
		return errors.New("journal is missing")
	case h.Partition < 0 || h.Partition > maxPartition || h.Seq < 1 || h.Seq > maxSeq:
		return fmt.Errorf("partition %d, seq %d: out of range", h.Partition, h.Seq)
	}
	return nil
}

// Decode reads a fact and refuses what is not whole: an unknown type or
// version, an id that is no UUIDv7, a value out of range. Fields it does not
// know are skipped, so that a newer writer of the same version can add some.
//
// The error is short whatever the body is, since it is logged and kept with
// the dead letter.
func Decode(body []byte) (Fact, error) {
	kind, err := typeOf(body)
	if err != nil {
		return nil, refusal("event", err)
	}
	var f Fact
	switch kind {
	case TypeCompletionRecorded:
		f = new(CompletionRecorded)
	case TypeFeedbackRecorded:
		f = new(FeedbackRecorded)
	case TypeGuardTripped:
		f = new(GuardTripped)
	case TypeModelPublished:
		f = new(ModelPublished)
	case TypeExperimentStarted:
		f = new(ExperimentStarted)
	case TypeExperimentDecided, TypeExperimentInvalid:
		f = new(ExperimentDecided)
	default:
		return nil, refusal("event", fmt.Errorf("type %q is not known", kind))
	}
	if c, ok := scanCompletion(body); ok && kind == TypeCompletionRecorded {
		f = c
	} else if err := json.Unmarshal(body, f); err != nil {
		return nil, refusal(kind, err)
	}
	if err := f.Validate(); err != nil {
		return nil, refusal(kind, err)
	}
	f.Head().At = TimeOf(f.Head().ID) // the same instant, in whatever zone it was written
	return f, nil
}

// typeOf reads the type of an event; from the first bytes where they are what
// Encode writes, because parsing everything twice is what costs.
func typeOf(body []byte) (string, error) {
	if bytes.HasPrefix(body, []byte(`{"v":1,"type":"`+TypeCompletionRecorded+`",`)) {
		return TypeCompletionRecorded, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(body, &head)
	return head.Type, err
}

const maxRefusal = 300

// refusal says why a body was refused, without repeating megabytes of it.
func refusal(what string, err error) error {
	reason := err.Error()
	if len(reason) > maxRefusal {
		reason = strings.ToValidUTF8(reason[:maxRefusal], "") + "…"
	}
	return fmt.Errorf("decode %s: %s", what, reason)
}
