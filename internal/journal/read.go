package journal

import (
	"errors"
	"fmt"
	"os"

	"github.com/busuhq/busu/internal/event"
)

// Position is a place between two records. The zero value is the beginning.
type Position struct {
	segment int64
	offset  int64
}

// Shipment is a fact as it stands in the journal.
type Shipment struct {
	event.Entry
	Journal string
	Seq     int64
}

// readChunk holds a batch of facts of the usual size, and their intents.
const readChunk = 512 << 10

// Read returns up to limit facts from p on, and the position behind them.
// Without any it has reached the end; Wrote tells when there is more.
func (j *Journal) Read(p Position, limit int) ([]Shipment, Position, error) {
	for {
		s := j.segmentFrom(p.segment)
		if s.extent.segment == nil {
			return nil, p, nil
		}
		if p.segment != s.number {
			p = Position{segment: s.number}
		}
		facts, read, err := s.read(p.offset, max(limit, 1))
		if errors.Is(err, os.ErrClosed) && j.segmentFrom(p.segment).number != s.number {
			continue // released meanwhile: all of it is persisted
		}
		if err != nil {
			return nil, p, fmt.Errorf("read journal segment %d: %w", s.number, err)
		}
		p.offset += read
		if len(facts) > 0 || p.offset >= s.end && s.isActive {
			return facts, p, nil
		}
		if p.offset >= s.end {
			p = Position{segment: s.number + 1}
		}
	}
}

// view is a segment as it was at one moment.
type view struct {
	number   int64
	isActive bool // more may have been appended since
	extent
}

// segmentFrom is the first segment from number on.
func (j *Journal) segmentFrom(number int64) view {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if s.number >= number {
			return view{number: s.number, isActive: s == j.active(), extent: extent{s, s.size}}
		}
	}
	return view{}
}

// read returns up to limit facts from offset on, and how many bytes it has
// passed: at least one, unless it is at the end.
func (v view) read(offset int64, limit int) (facts []Shipment, passed int64, err error) {
	for want := int64(readChunk); passed == 0 && offset < v.end; want *= 4 {
		b := make([]byte, min(want, v.end-offset))
		if _, err := v.segment.file.ReadAt(b, offset); err != nil {
			return nil, 0, err
		}
		facts, passed = v.segment.parse(b, int64(len(b)) == v.end-offset, limit)
	}
	return facts, passed, nil
}

// parse takes facts from the records in b. whole says that the segment ends
// with b; otherwise the last record may go on behind it.
func (s *segment) parse(b []byte, whole bool, limit int) (facts []Shipment, passed int64) {
	for len(facts) < limit && len(b) > 0 {
		payload, skipped, size := nextRecord(b)
		if size == 0 && !whole {
			break
		}
		if f, ok := parseFact(payload); ok {
			facts = append(facts, Shipment{Entry: event.Entry{Lane: f.lane, Body: f.body}, Journal: s.journal, Seq: f.seq})
		}
		passed += int64(skipped + size)
		b = b[skipped+size:]
	}
	return facts, passed
}

// Journals lists the ids whose facts are here.
func (j *Journal) Journals() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []string
	for _, s := range j.segments {
		if s.journal != "" && (len(ids) == 0 || ids[len(ids)-1] != s.journal) {
			ids = append(ids, s.journal)
		}
	}
	return ids
}
