package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// segment is one file of the journal.
type segment struct {
	number    int64
	file      *os.File                    // open for reading, the active one for appending too
	journal   string                      // the id that numbered its facts; "" if none is here
	size      int64                       // up to the end of the last whole record
	synced    int64                       // bytes that are durable
	allocated int64                       // bytes that the disk has promised, at least
	seqs      map[event.Lane]event.Ranges // of the facts in it
	oldest    time.Time                   // when the oldest of what it holds arrived; zero: it holds nothing
}

// holdsOf notes that the segment holds something of a moment.
func (s *segment) holdsOf(at time.Time) {
	if s.oldest.IsZero() || at.Before(s.oldest) {
		s.oldest = at
	}
}

// keep notes that a fact is in the segment.
func (s *segment) keep(lane event.Lane, seq int64) {
	seqs := s.seqs[lane]
	seqs.Add(seq)
	s.seqs[lane] = seqs
}

// header is the first record of a segment. Next keeps the numbering when all
// earlier segments are gone.
type header struct {
	Format  int              `json:"format"`
	Journal string           `json:"journal"`
	Boot    string           `json:"boot"`
	Next    map[string]int64 `json:"next"` // "stream/partition" → next seq
}

const segmentFormat = 1

// parseHeader refuses what a whole record says, so not damage, but a journal
// of another busu.
func parseHeader(payload []byte) (header, error) {
	var h header
	if err := json.Unmarshal(payload[1:], &h); err != nil || h.Format != segmentFormat || h.Journal == "" {
		return header{}, fmt.Errorf("not a journal of format %d", segmentFormat)
	}
	return h, nil
}

func (h header) lanes() (map[event.Lane]int64, error) {
	next := map[event.Lane]int64{}
	for key, seq := range h.Next {
		lane, err := parseLane(key)
		if err != nil {
			return nil, err
		}
		next[lane] = seq
	}
	return next, nil
}

func laneKey(l event.Lane) string { return fmt.Sprintf("%s/%d", l.Stream, l.Partition) }

func parseLane(key string) (event.Lane, error) {
	name, partition, _ := strings.Cut(key, "/")
	stream, err := event.ParseStream(name)
	if err != nil {
		return event.Lane{}, err
	}
	p, err := strconv.ParseUint(partition, 10, 16)
	return event.Lane{Stream: stream, Partition: int(p)}, err
}

const segmentSuffix = ".seg"

func segmentPath(dir string, number int64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d%s", number, segmentSuffix))
}

// segmentNumbers lists the segments in dir, oldest first.
func segmentNumbers(dir string) ([]int64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int64
	for _, f := range files {
		name, isSegment := strings.CutSuffix(f.Name(), segmentSuffix)
		if n, err := strconv.ParseInt(name, 10, 64); isSegment && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// openSegment gives the file of a segment and all that it holds.
func openSegment(dir string, number int64) (*os.File, []byte, error) {
	f, err := os.OpenFile(segmentPath(dir, number), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, err
	}
	b, err := readAll(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, b, nil
}

func readAll(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return b[:n], nil
}

// extentOf is how far the records of a segment go, and what is wrong with it.
type extentOf struct {
	size    int64 // up to the end of the last whole record
	corrupt int   // stretches that are no record
	torn    bool  // it ends with a record that was not written to its end
}

// scan calls take with every whole record of b and where it begins. What is no
// record is skipped.
func scan(b []byte, take func(at int64, payload []byte) error) (extentOf, error) {
	var e extentOf
	for rest := b; len(rest) > 0; rest = b[e.size:] {
		payload, skipped, size := nextRecord(rest)
		switch {
		case size == 0 && isTorn(rest):
			e.torn = true
			return e, nil
		case size == 0:
			e.corrupt++
			return e, nil
		case skipped > 0:
			e.corrupt++
		}
		if err := take(e.size+int64(skipped), payload); err != nil {
			return e, err
		}
		e.size += int64(skipped + size)
	}
	return e, nil
}

// factsJournal is the journal that a fact says it is from, for a segment whose
// header is damaged.
func factsJournal(body []byte) string {
	var fact struct {
		Journal string `json:"journal"`
	}
	if json.Unmarshal(body, &fact) != nil {
		return ""
	}
	return fact.Journal
}
