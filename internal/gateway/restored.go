package gateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/redact"
)

// restoring puts back into an answer what was taken out of its request. As a
// Sink it holds back what may be the beginning of a placeholder, of each text
// that a stream is made of.
type restoring struct {
	restorer *redact.Restorer
	asJSON   bool // the answer's text is JSON
	sink     Sink
	threads  []*thread
}

// thread is one of the texts that come in pieces beside each other.
type thread struct {
	redact.Piecewise
	of   string    // the answer, or the block of one, that it belongs to
	name string    // of the member, or of the field
	last llm.Chunk // the piece that something is held back of
	data bool      // it is in pieces as a vendor writes them
}

func newRestoring(r *redact.Restorer, ask *llm.Request, s Sink) *restoring {
	t := ask.ResponseFormat.Type
	return &restoring{restorer: r, asJSON: t == llm.ResponseJSON || t == llm.ResponseJSONSchema, sink: s}
}

// Begin implements Sink.
func (s *restoring) Begin(f *event.CompletionRecorded) { s.sink.Begin(f) }

// Emit implements Sink.
func (s *restoring) Emit(c llm.Chunk) error {
	for _, piece := range s.next(c) {
		if err := s.sink.Emit(piece); err != nil {
			return err
		}
	}
	return nil
}

// answer restores a whole answer, or what is left of a streamed one. It changes
// nothing that a cache may hold as well.
func (s *restoring) answer(a *Answer) {
	a.Text, a.Refusal = s.restorer.Text(a.Text, s.asJSON), s.restorer.Text(a.Refusal, false)
	a.ToolCalls = slices.Clone(a.ToolCalls)
	for i := range a.ToolCalls {
		a.ToolCalls[i].Arguments = s.restorer.Text(a.ToolCalls[i].Arguments, true)
	}
	a.Others = s.others(a.Others, func(o llm.Other) string { return s.restorer.Text(o.Text, s.asJSON) })
	if a.Body != nil {
		body, err := redact.Rewrite(a.Body, func(at redact.Place, text string) string {
			if asJSON, ok := s.comesBack(at); ok {
				return s.restorer.Text(text, asJSON)
			}
			return text
		})
		if err == nil { // it was read before
			a.Body = body
		}
	}
	if s.sink == nil {
		return
	}
	var tail []llm.Chunk
	for _, c := range a.Tail {
		tail = append(tail, s.next(c)...)
	}
	a.Tail = append(tail, s.rest(func(*thread) bool { return true })...)
}

// comesBack says into which members something is put back, and whether they are
// JSON written as a text.
func (s *restoring) comesBack(at redact.Place) (asJSON, ok bool) {
	switch {
	case at.Free:
		return false, true
	case at.Name == "content" || at.Name == "text":
		return s.asJSON, true
	case at.Name == "refusal":
		return false, true
	case at.Name == "arguments" || at.Name == "partial_json":
		return true, true
	}
	return false, false
}

// others restores other answers than the first, whose calls are whole.
func (s *restoring) others(all []llm.Other, text func(llm.Other) string) []llm.Other {
	all = slices.Clone(all)
	for i := range all {
		o := &all[i]
		o.Text = text(*o)
		o.ToolCalls = slices.Clone(o.ToolCalls)
		for j := range o.ToolCalls {
			o.ToolCalls[j].Arguments = s.restorer.Text(o.ToolCalls[j].Arguments, true)
		}
	}
	return all
}

// next takes a piece of a stream and gives those that can be told by now.
func (s *restoring) next(c llm.Chunk) []llm.Chunk {
	if c.Data != nil {
		return s.nextData(c)
	}
	original := c
	ends := c.FinishReason != ""
	c.Text = s.say(original, s.thread("0/", "text", false, s.asJSON), c.Text, ends)
	c.Refusal = s.say(original, s.thread("0/", "refusal", false, false), c.Refusal, ends)
	c.ToolCalls = slices.Clone(c.ToolCalls)
	for i := range c.ToolCalls {
		t := s.thread("0/", "call "+strconv.Itoa(c.ToolCalls[i].Index), false, true)
		c.ToolCalls[i].Arguments = s.say(original, t, c.ToolCalls[i].Arguments, ends)
	}
	c.Others = s.others(c.Others, func(o llm.Other) string {
		return s.say(original, s.thread(strconv.Itoa(o.Index)+"/", "text", false, s.asJSON), o.Text, o.FinishReason != "")
	})
	if !ends {
		return []llm.Chunk{c}
	}
	return append(s.rest(func(t *thread) bool { return t.of == "0/" }), c)
}

// nextData does so with pieces as a vendor writes them.
func (s *restoring) nextData(c llm.Chunk) []llm.Chunk {
	ended := endedBy(c.Data)
	ends := func(t *thread) bool { return ended != "" && strings.HasPrefix(t.of, ended) }
	original := c
	c.Text, c.Refusal = "", ""
	data, err := redact.Rewrite(c.Data, func(at redact.Place, text string) string {
		asJSON, ok := s.comesBack(at)
		if !ok || at.Free {
			return text
		}
		t := s.thread(at.Index, at.Name, true, asJSON)
		said := s.say(original, t, text, ends(t))
		s.show(&c, t, said)
		return said
	})
	if err != nil { // it was read before
		return []llm.Chunk{original}
	}
	c.Data = data
	return append(s.rest(ends), c)
}

// show puts what is said of the first answer where callers of /complete see it.
func (s *restoring) show(c *llm.Chunk, t *thread, said string) {
	switch {
	case t.of != "/" && t.of != "0/" && t.name != "text":
	case t.name == "refusal":
		c.Refusal += said
	case t.name == "content" || t.name == "text":
		c.Text += said
	}
}

// endedBy is which answer, or block of one, a piece ends; "" is none.
func endedBy(data []byte) (ended string) {
	_, _ = redact.Rewrite(data, func(at redact.Place, text string) string {
		if at.Name == "finish_reason" && text != "" || at.Name == "type" && text == "content_block_stop" {
			ended = at.Index
			if ended == "" {
				ended = "/"
			}
		}
		return text
	})
	return ended
}

// thread finds one, or begins it.
func (s *restoring) thread(of, name string, data, asJSON bool) *thread {
	if of == "" {
		of = "/" // a vendor that does not count
	}
	for _, t := range s.threads {
		if t.of == of && t.name == name && t.data == data {
			return t
		}
	}
	t := &thread{Piecewise: redact.Piecewise{Restorer: s.restorer, AsJSON: asJSON}, of: of, name: name, data: data}
	s.threads = append(s.threads, t)
	return t
}

// say goes on with a thread. When it ends, nothing is held back.
func (s *restoring) say(of llm.Chunk, t *thread, text string, ends bool) string {
	said := t.Next(text)
	if ends {
		return said + t.Rest()
	}
	if t.Holds() {
		t.last = of.Clone()
	}
	return said
}

// rest gives what threads hold back that have ended, each in a piece like its
// last one.
func (s *restoring) rest(ended func(*thread) bool) (pieces []llm.Chunk) {
	for _, t := range s.threads {
		if t.Holds() && ended(t) {
			pieces = append(pieces, s.piece(t, t.Rest()))
		}
	}
	return pieces
}

// piece says the rest of a thread and nothing else.
func (s *restoring) piece(t *thread, rest string) llm.Chunk {
	if t.data {
		return s.dataPiece(t, rest)
	}
	c := llm.Chunk{From: t.last.From}
	switch of := strings.TrimSuffix(t.of, "/"); {
	case of != "0":
		i, _ := strconv.Atoi(of) // it was written by next
		c.Others = []llm.Other{{Index: i, Text: rest}}
	case t.name == "text":
		c.Text = rest
	case t.name == "refusal":
		c.Refusal = rest
	default:
		i, _ := strconv.Atoi(strings.TrimPrefix(t.name, "call "))
		c.ToolCalls = []llm.ToolCallDelta{{Index: i, Arguments: rest}}
	}
	return c
}

func (s *restoring) dataPiece(t *thread, rest string) llm.Chunk {
	c := llm.Chunk{Event: t.last.Event, From: t.last.From}
	data, err := redact.Rewrite(t.last.Data, func(at redact.Place, text string) string {
		if _, ok := s.comesBack(at); !ok || at.Free {
			return text
		}
		if s.thread(at.Index, at.Name, true, t.AsJSON) == t {
			return rest
		}
		return ""
	})
	if err == nil {
		c.Data = data
	}
	s.show(&c, t, rest)
	return c
}
