package gateway

import (
	"errors"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// relay passes an answer's pieces on to the caller. It holds back what a
// caller must not have yet: what comes before the first word, because another
// model may still be asked; and the end, because the fact is recorded first.
type relay struct {
	sink Sink
	fact *event.CompletionRecorded

	begun bool // the caller has a piece: nobody else may answer
	left  bool // the caller did not take a piece
	first time.Time
	head  []llm.Chunk
	tail  []llm.Chunk
	held  int // bytes in head, once it has begun in tail
}

// restart begins another model's answer.
func (r *relay) restart(c routing.Candidate, failed []string) {
	r.fact.Provider, r.fact.Model, r.fact.Fallbacks = c.Model.Provider, c.Model.ID, failed
	r.head, r.tail, r.held = nil, nil, 0
}

// Bounds of what is held back, in bytes. A model that has thought for longer
// than maxHead answers: its caller sees it think, and nobody else is asked.
const (
	maxHead = 16 << 10
	maxTail = 4 << 20
)

var errTail = errors.New("the answer goes on and on behind its end")

// emit is llm.Emit.
func (r *relay) emit(c llm.Chunk) error {
	switch {
	case len(r.tail) > 0 || c.FinishReason != "":
		if r.held += c.Size(); r.held > maxTail {
			return errTail
		}
		r.tail = append(r.tail, c.Clone())
		return nil
	case !r.begun && c.Empty():
		r.head = append(r.head, c.Clone())
		if r.held += c.Size(); r.held > maxHead {
			return r.begin()
		}
		return nil
	}
	if err := r.begin(); err != nil {
		return err
	}
	return r.pass(c)
}

func (r *relay) begin() error {
	if r.begun {
		return nil
	}
	r.begun, r.first, r.held = true, time.Now(), 0
	r.sink.Begin(r.fact)
	for _, c := range r.head {
		if err := r.pass(c); err != nil {
			return err
		}
	}
	return nil
}

func (r *relay) pass(c llm.Chunk) error {
	err := r.sink.Emit(c)
	if err != nil {
		r.left = true
	}
	return err
}

// finish gives what is left of an answer that is whole. One without a word
// begins here.
func (r *relay) finish() []llm.Chunk {
	if r.sink == nil || r.begun {
		return r.tail
	}
	r.begun = true
	r.sink.Begin(r.fact)
	return slices.Concat(r.head, r.tail)
}
