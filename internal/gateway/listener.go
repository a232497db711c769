package gateway

import (
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

// forward is the Sink of a call that is made for several: who answers goes
// with each piece.
type forward struct {
	emit llm.Emit
	from string
}

// Begin implements Sink.
func (f *forward) Begin(c *event.CompletionRecorded) { f.from = c.Model }

// Emit implements Sink.
func (f *forward) Emit(c llm.Chunk) error {
	c.From = f.from
	return f.emit(c)
}

// listener brings one request the pieces of a call that may be another's.
type listener struct {
	gateway *Gateway
	sink    Sink                      // nil: it waits for the whole answer
	fact    *event.CompletionRecorded // as it was planned
	leads   bool                      // the call is its own; set before the first piece
	begun   bool
	left    bool
	first   time.Time     // when the first piece came; zero where the answer came whole
	waited  time.Duration // for the call
}

func (l *listener) emit() llm.Emit {
	if l.sink == nil {
		return nil
	}
	return func(c llm.Chunk) error {
		if !l.begun {
			l.first = time.Now()
			l.begin(l.expected(c.From))
		}
		err := l.sink.Emit(c)
		l.left = l.left || err != nil
		return err
	}
}

// expected is the fact as far as it is known once a model has begun to answer.
func (l *listener) expected(model string) *event.CompletionRecorded {
	if c, err := l.gateway.Candidate(model); err == nil {
		l.fact.Provider, l.fact.Model = c.Model.Provider, c.Model.ID
	}
	if !l.leads {
		l.fact.Cache = event.CacheMemory
	}
	return l.fact
}

func (l *listener) begin(f *event.CompletionRecorded) {
	l.begun = true
	l.sink.Begin(f)
}

// time writes down when the first piece came.
func (l *listener) time(f *event.CompletionRecorded, started time.Time) {
	if !l.first.IsZero() {
		f.TTFTUS = l.first.Sub(started).Microseconds()
	}
}

// finish gives the rest of the answer: all of it where the call came without
// pieces.
func (l *listener) finish(a Answer) Answer {
	if l.sink == nil {
		a.Tail = nil
		return a
	}
	if !l.begun {
		if a.Tail == nil {
			a.Tail = chat.Chunks(a.Response)
		}
		l.begin(a.Fact)
	}
	return a
}
