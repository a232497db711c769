package journal

import (
	"errors"
	"fmt"
	"os"

	"github.com/busuhq/busu/internal/event"
)

// Release removes the oldest segments of which persisted says that every fact
// is stored. persisted gives the seqs of a journal's lane that are. Only facts
// that are here count: one that a disk has lost does not keep its segment.
//
// Intents that are still open move to the active segment first, so that a
// request which never ends cannot fill the journal.
func (j *Journal) Release(persisted func(journal string, lane event.Lane) event.Ranges) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.segments) > 1 && j.segments[0].isStored(persisted) {
		if err := j.release(j.segments[0]); err != nil {
			return fmt.Errorf("release journal segment %d: %w", j.segments[0].number, err)
		}
	}
	return nil
}

func (s *segment) isStored(persisted func(string, event.Lane) event.Ranges) bool {
	for lane, seqs := range s.seqs {
		if !persisted(s.journal, lane).Covers(seqs) {
			return false
		}
	}
	return true
}

// isStored reports whether every fact that is here is stored, and no request is
// under way.
func (j *Journal) isStored(persisted func(string, event.Lane) event.Ranges) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if !s.isStored(persisted) {
			return false
		}
	}
	return len(j.open) == 0
}

// retire closes a journal of which everything is stored, and removes its files.
func (j *Journal) retire() error {
	return j.close(func() error { return os.RemoveAll(j.opts.Dir) })
}

// release gets one step nearer to the end of s, the oldest segment: the lock
// is not held while the disk works.
func (j *Journal) release(s *segment) error {
	if j.closed {
		return errClosed // the folder may be another's by now
	}
	if s.synced < s.size { // its file is in use
		return j.awaitDisk(extent{s, s.size})
	}
	carried, err := j.carry(s)
	if err != nil {
		return err
	}
	if carried.segment != nil {
		return j.awaitDisk(carried)
	}
	if err := os.Remove(s.file.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	j.segments = j.segments[1:]
	j.bytes -= s.size
	return s.file.Close()
}

// carry repeats the open intents of s in the active segment.
func (j *Journal) carry(s *segment) (last extent, err error) {
	var errs []error
	for id, open := range j.open {
		if open.segment != s.number {
			continue
		}
		end, err := j.append(appendIntent(j.begin(), id, open.body))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		open.segment = end.segment.number
		j.open[id] = open
		last = end
	}
	return last, errors.Join(errs...)
}
