package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/busuhq/busu/internal/event"
)

// extent is a segment up to an offset.
type extent struct {
	segment *segment
	end     int64
}

func (j *Journal) active() *segment { return j.segments[len(j.segments)-1] }

// allocateStep is how much of the disk is claimed at a time.
const allocateStep = 4 << 20

// makeRoom sees to it that n more bytes, and the facts of all open intents,
// fit into the limit and onto the disk, or says that they do not. Besides
// Rotate it is the only place that begins a new segment, so that a fact that
// was promised its room never has to.
func (j *Journal) makeRoom(n int64) error {
	if j.broken != nil {
		return j.broken
	}
	if used := j.bytes + j.reserved; used+n > j.opts.MaxBytes {
		return fmt.Errorf("%w (%d of %d bytes)", ErrFull, used, j.opts.MaxBytes)
	}
	if j.active().size >= j.opts.SegmentBytes {
		return j.create(j.reserved + n)
	}
	return j.active().allocate(j.reserved + n)
}

// allocate claims disk space for n more bytes, in whole steps and each step
// once: a file system that cannot give all of a range may let go of the part
// of it that it had promised before.
func (s *segment) allocate(n int64) error {
	if s.size+n <= s.allocated {
		return nil
	}
	end := (s.size + n + allocateStep) / allocateStep * allocateStep
	if err := allocate(s.file, s.allocated, end-s.allocated); err != nil {
		return err
	}
	s.allocated = end
	return nil
}

// begin gives an empty record to append a payload to.
func (j *Journal) begin() []byte { return beginRecord(j.buffer[:0]) }

// append writes the record that begin began, with one write(2).
func (j *Journal) append(record []byte) (extent, error) {
	if j.broken != nil {
		return extent{}, j.broken
	}
	if err := j.write(j.active(), record); err != nil {
		return extent{}, err
	}
	return extent{j.active(), j.active().size}, nil
}

// write cuts off what a failed write left behind. When even that fails,
// nothing more is accepted: what would follow could not be told from rubbish.
func (j *Journal) write(s *segment, record []byte) error {
	j.buffer = record
	if err := endRecord(record); err != nil {
		return err
	}
	if _, err := s.file.Write(record); err != nil {
		s.allocated = 0 // cutting lets go of it
		if cut := s.file.Truncate(s.size); cut != nil {
			j.broken = fmt.Errorf("the journal cannot be written any more: %w", errors.Join(err, cut))
		}
		return err
	}
	s.size += int64(len(record))
	j.bytes += int64(len(record))
	return nil
}

// create begins a new segment that has room for n bytes.
func (j *Journal) create(n int64) error {
	number := int64(1)
	if len(j.segments) > 0 {
		number = j.active().number + 1
	}
	// One that could not be completed may be in the way; nothing was promised by it.
	f, err := os.OpenFile(segmentPath(j.opts.Dir, number), os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	s := &segment{number: number, file: f, journal: j.id, seqs: map[event.Lane]event.Ranges{}}
	err = j.writeHeader(s)
	if err == nil {
		err = s.allocate(n)
	}
	if err != nil {
		j.bytes -= s.size
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if len(j.segments) > 0 && j.active().allocated > 0 {
		_ = j.active().file.Truncate(j.active().size) // gives back what was claimed and not used
	}
	j.segments = append(j.segments, s)
	return nil
}

func (j *Journal) writeHeader(s *segment) error {
	h := header{Format: segmentFormat, Journal: j.id, Boot: j.opts.Boot, Next: map[string]int64{}}
	for lane, seq := range j.next {
		h.Next[laneKey(lane)] = seq
	}
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	// In memory of its own: a record that waits for this segment may be in the buffer.
	return j.write(s, append(append(beginRecord(nil), kindHeader), body...))
}
