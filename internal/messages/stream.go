package messages

import (
	"bytes"
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// Stream adds a streamed answer up, event by event. The zero value has had
// none.
type Stream struct {
	model  string
	text   strings.Builder
	calls  []*call
	open   map[int64]*call // by the index of their blocks
	usage  usage
	finish string
	done   bool
	size   int
}

// call is a tool call that grows.
type call struct {
	index     int // among the calls
	id, name  string
	given     string // the input that it began with
	arguments strings.Builder
}

// Take reads one event's data and returns what it adds to the answer; its
// Event and Data are left to the caller. It fails with a *FailureError when
// that is what the vendor sent, and otherwise when it makes no sense.
func (s *Stream) Take(data []byte) (llm.Chunk, error) {
	doc, err := open(bytes.Clone(data)) // its bytes are the reader's
	if err != nil {
		return llm.Chunk{}, err
	}
	switch kind := doc.Get("type").String(); kind {
	case "message_start":
		s.model = doc.Get("message.model").String()
		return s.tell(llm.Chunk{}, doc.Get("message.usage")), nil
	case "content_block_start":
		return s.begin(doc.Get("index").Int(), doc.Get("content_block")), nil
	case "content_block_delta":
		return s.add(doc.Get("index").Int(), doc.Get("delta"))
	case "content_block_stop":
		return s.end(doc.Get("index").Int()), nil
	case "message_delta":
		var chunk llm.Chunk
		if reason := doc.Get("delta.stop_reason"); reason.Type == gjson.String && s.finish == "" {
			s.finish = finishReason(reason.Str)
			chunk.FinishReason = s.finish
		}
		return s.tell(chunk, doc.Get("usage")), nil
	case "message_stop":
		return s.stop(), nil
	case "error":
		return llm.Chunk{}, &FailureError{Message: data}
	case "":
		return llm.Chunk{}, errors.New("an event of the stream has no type")
	}
	return llm.Chunk{}, nil // a ping, or something new
}

// tell adds what the vendor says of the usage.
func (s *Stream) tell(chunk llm.Chunk, v gjson.Result) llm.Chunk {
	if s.usage.add(v); v.IsObject() {
		u := s.usage.translate()
		chunk.Usage = &u
	}
	return chunk
}

// begin opens a block.
func (s *Stream) begin(index int64, b gjson.Result) llm.Chunk {
	switch b.Get("type").String() {
	case blockText:
		return s.say(b.Get("text").String())
	case blockToolUse:
		c := &call{index: len(s.calls), id: b.Get("id").String(), name: b.Get("name").String(), given: arguments(b.Get("input"))}
		if s.open == nil {
			s.open = map[int64]*call{}
		}
		s.open[index] = c
		s.calls = append(s.calls, c)
		s.size += len(c.id) + len(c.name)
		return llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: c.index, ID: c.id, Name: c.name}}}
	}
	return llm.Chunk{}
}

func (s *Stream) say(text string) llm.Chunk {
	s.text.WriteString(text)
	s.size += len(text)
	return llm.Chunk{Text: text}
}

// add goes on with a block. Thoughts are not shown.
func (s *Stream) add(index int64, delta gjson.Result) (llm.Chunk, error) {
	switch delta.Get("type").String() {
	case "text_delta":
		return s.say(delta.Get("text").String()), nil
	case "input_json_delta":
		if c := s.open[index]; c != nil {
			return s.argue(c, delta.Get("partial_json").String()), nil
		}
	}
	return llm.Chunk{}, nil // a thought, or of a tool that the vendor calls itself
}

func (s *Stream) argue(c *call, more string) llm.Chunk {
	if more == "" {
		return llm.Chunk{}
	}
	c.arguments.WriteString(more)
	s.size += len(more)
	return llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: c.index, Arguments: more}}}
}

// end closes a block. A call without arguments has an empty object of them, or
// all that it began with.
func (s *Stream) end(index int64) llm.Chunk {
	c := s.open[index]
	if c == nil {
		return llm.Chunk{}
	}
	delete(s.open, index)
	if c.arguments.Len() > 0 {
		return llm.Chunk{}
	}
	return s.argue(c, c.given)
}

func (s *Stream) stop() llm.Chunk {
	s.done = true
	if s.finish != "" {
		return llm.Chunk{}
	}
	s.finish = llm.FinishStop
	return llm.Chunk{FinishReason: s.finish}
}

// Done reports whether the vendor has said that this was all.
func (s *Stream) Done() bool { return s.done }

// Finished reports whether it is known why the answer ended.
func (s *Stream) Finished() bool { return s.finish != "" }

// Size is about how many bytes the answer takes so far.
func (s *Stream) Size() int { return s.size }

// Response is what the events add up to so far. It has no Body, and no
// FinishReason before the answer has ended.
func (s *Stream) Response() llm.Response {
	r := llm.Response{Model: s.model, Text: s.text.String(), FinishReason: s.finish, Usage: s.usage.translate()}
	for _, c := range s.calls {
		r.ToolCalls = append(r.ToolCalls, llm.ToolCall{ID: c.id, Name: c.name, Arguments: c.arguments.String()})
	}
	return r
}
