package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
)

// corpus are the facts that every scenario gets, encoded. They are kept
// outside of Go's heap: the size of that decides how often garbage is
// collected, and a worker or an API has a small one.
type corpus struct {
	bodies [][]byte
	memory []byte
}

const (
	corpusSeed    = 3
	corpusRate    = 20_000 // per second, at which they seem to have arrived
	corpusJournal = "bench"
	corpusEach    = 2 << 10 // bytes that are surely enough for one
)

// newCorpus makes n facts of requests that arrived up to now, always the same
// but for their times.
func newCorpus(n int, now time.Time) (*corpus, error) {
	memory, err := syscall.Mmap(-1, 0, n*corpusEach, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for %d facts: %w", n, err)
	}
	r := rand.New(rand.NewPCG(corpusSeed, corpusSeed))
	c := &corpus{memory: memory}
	used := 0
	for i := range n {
		f := eventtest.Completion(r, now.Add(time.Duration(i-n)*time.Second/corpusRate))
		eventtest.Number(corpusJournal, int64(i+1), f)
		body, err := event.Encode(f)
		if err == nil && used+len(body) > len(memory) {
			err = errors.New("facts are larger than expected")
		}
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		copy(memory[used:], body)
		c.bodies = append(c.bodies, memory[used:used+len(body):used+len(body)])
		used += len(body)
	}
	return c, nil
}

func (c *corpus) close() error { return syscall.Munmap(c.memory) }

func (c *corpus) meanBytes() int {
	total := 0
	for _, b := range c.bodies {
		total += len(b)
	}
	return total / len(c.bodies)
}

// facts decodes the first n.
func (c *corpus) facts(ctx context.Context, n int) ([]*event.CompletionRecorded, error) {
	const at = 1000
	facts := make([]*event.CompletionRecorded, n)
	err := share(ctx, 2, n, at, func(_ context.Context, from, to int) error {
		for i := from; i < to; i++ {
			fact, err := event.Decode(c.bodies[i])
			if err != nil {
				return err
			}
			facts[i] = fact.(*event.CompletionRecorded)
		}
		return nil
	})
	return facts, err
}

func lane() event.Lane { return event.Lane{Stream: event.Completions} }

// entries are bodies on their way to the stream.
func entries(bodies [][]byte) []event.Entry {
	list := make([]event.Entry, len(bodies))
	for i, b := range bodies {
		list[i] = event.Entry{Lane: lane(), Body: b}
	}
	return list
}
