package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"

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
	return (&reader{journal: j}).read(p, limit)
}

// reader reads on and on into the same memory: what it gave before is void when
// it reads again. Without that the shipper would allocate 2.7 KB for each fact,
// more than anything else behind a request.
type reader struct {
	journal *Journal
	buffer  []byte
	facts   []Shipment
}

func (r *reader) read(p Position, limit int) ([]Shipment, Position, error) {
	j := r.journal
	for {
		v := j.segmentFrom(p.segment)
		next, isEnd, err := r.readView(v, p, max(limit, 1))
		if errors.Is(err, os.ErrClosed) && j.segmentFrom(p.segment).number != v.number {
			continue // released meanwhile: all of it is persisted
		}
		if err != nil {
			return nil, p, fmt.Errorf("read journal segment %d: %w", v.number, err)
		}
		if len(r.facts) > 0 || isEnd {
			return r.facts, next, nil
		}
		p = next
	}
}

// bytes gives memory for n. More than the usual is not kept.
func (r *reader) bytes(n int64) []byte {
	if n > readChunk {
		return make([]byte, n)
	}
	r.buffer = slices.Grow(r.buffer[:0], int(n))
	return r.buffer[:n]
}

// view is a segment as it was at one moment. Only one that was not active
// then is at its end for good.
type view struct {
	extent
	number   int64
	isActive bool
}

// segmentFrom is the first segment from number on.
func (j *Journal) segmentFrom(number int64) view {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if s.number >= number {
			return view{extent{s, s.size}, s.number, s == j.active()}
		}
	}
	return view{number: number, isActive: true}
}

// readView reads facts of a segment from p on, and returns the position behind
// what it has passed, which may be in the next segment. isEnd says that there
// was no more.
func (r *reader) readView(v view, p Position, limit int) (next Position, isEnd bool, err error) {
	r.facts = r.facts[:0]
	if p.segment != v.number {
		p = Position{segment: v.number}
	}
	var passed int64
	for want := int64(readChunk); passed == 0 && p.offset < v.end; want *= 4 {
		b := r.bytes(min(want, v.end-p.offset))
		if _, err := v.segment.file.ReadAt(b, p.offset); err != nil {
			return p, false, err
		}
		passed = r.parse(v.segment, b, p.offset+int64(len(b)) == v.end, limit)
	}
	p.offset += passed
	if p.offset < v.end || v.isActive {
		return p, p.offset >= v.end, nil
	}
	return Position{segment: v.number + 1}, false, nil
}

// parse takes facts from the records in b. whole says that the segment ends
// with b; otherwise the last record may go on behind it.
func (r *reader) parse(s *segment, b []byte, whole bool, limit int) (passed int64) {
	for len(r.facts) < limit && len(b) > 0 {
		payload, skipped, size := nextRecord(b)
		if size == 0 && !whole {
			break
		}
		if f, ok := parseFact(payload); ok {
			r.facts = append(r.facts, Shipment{Entry: event.Entry{Lane: f.lane, Body: f.body}, Journal: s.journal, Seq: f.seq})
		}
		passed += int64(skipped + size)
		b = b[skipped+size:]
	}
	return passed
}

// Journals lists the ids whose facts are here.
func (j *Journal) Journals() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.journals()
}

func (j *Journal) journals() []string {
	var ids []string
	for _, s := range j.segments {
		if s.journal != "" && (len(ids) == 0 || ids[len(ids)-1] != s.journal) {
			ids = append(ids, s.journal)
		}
	}
	return ids
}
