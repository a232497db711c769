package simulated

import (
	"encoding/json"
	"fmt"

	"github.com/busuhq/busu/internal/llm"
)

// message is an answer in Anthropic's format, whole or, in a stream's first
// event, still empty.
type message struct {
	ID           string       `json:"id"`
	Type         string       `json:"type"`
	Role         string       `json:"role"`
	Model        string       `json:"model"`
	Content      []any        `json:"content"`
	StopReason   *string      `json:"stop_reason"`
	StopSequence *string      `json:"stop_sequence"`
	Usage        messageUsage `json:"usage"`
}

type messageUsage struct {
	In         int64 `json:"input_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
	CachedIn   int64 `json:"cache_read_input_tokens"`
	Out        int64 `json:"output_tokens"`
}

type textBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type toolBlock struct {
	Type  string          `json:"type"`
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"`
}

// event is one of a stream's events; each kind has some of the fields.
type event struct {
	Type    string   `json:"type"`
	Message *message `json:"message,omitempty"`
	Index   *int     `json:"index,omitempty"`
	Block   any      `json:"content_block,omitempty"`
	Delta   any      `json:"delta,omitempty"`
	Usage   any      `json:"usage,omitempty"`
}

type textDelta struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type inputDelta struct {
	Type    string `json:"type"`
	Partial string `json:"partial_json"`
}

type stopDelta struct {
	Reason   *string `json:"stop_reason"`
	Sequence *string `json:"stop_sequence"`
}

// message is the whole answer.
func (w *reply) message(model string) message {
	m := w.emptyMessage(model)
	if w.text != "" {
		m.Content = append(m.Content, textBlock{"text", w.text})
	}
	for _, call := range w.calls {
		input := json.RawMessage(call.Arguments)
		if !json.Valid(input) {
			input = json.RawMessage("{}") // cut off by the limit of tokens
		}
		m.Content = append(m.Content, toolBlock{"tool_use", call.ID, call.Name, input})
	}
	stop := w.stopDelta()
	m.StopReason, m.StopSequence = stop.Reason, stop.Sequence
	m.Usage.Out = w.usage.Out
	return m
}

func (w *reply) emptyMessage(model string) message {
	return message{ID: fmt.Sprintf("msg_%016x", w.id), Type: "message", Role: llm.RoleAssistant, Model: model,
		Content: []any{}, Usage: messageUsage{In: w.usage.In}}
}

// stopDelta says in Anthropic's words why the answer ended.
func (w *reply) stopDelta() stopDelta {
	reason := "end_turn"
	switch {
	case w.stop != "":
		reason = "stop_sequence"
		return stopDelta{&reason, &w.stop}
	case w.finish == llm.FinishLength:
		reason = "max_tokens"
	case w.finish == llm.FinishToolCalls:
		reason = "tool_use"
	}
	return stopDelta{Reason: &reason}
}

// messageBeats puts the pieces of a reply into Anthropic's events, and between
// them the events that open and close the answer and its blocks.
func (w *reply) messageBeats(model string, pieces []beat) []beat {
	start := w.emptyMessage(model)
	s := script{}
	s.say(0, llm.Chunk{Usage: &llm.Usage{In: w.usage.In}}, event{Type: "message_start", Message: &start})
	s.say(0, llm.Chunk{}, event{Type: "ping"})
	for _, piece := range pieces {
		switch chunk := piece.chunk; {
		case chunk.Text != "":
			if !s.open {
				s.openBlock(piece.made, llm.Chunk{}, textBlock{Type: "text"})
			}
			s.say(piece.made, chunk, event{Type: "content_block_delta", Index: s.index(), Delta: textDelta{"text_delta", chunk.Text}})
		case len(chunk.ToolCalls) > 0 && chunk.ToolCalls[0].Name != "":
			s.closeBlock(piece.made)
			call := chunk.ToolCalls[0]
			s.openBlock(piece.made, chunk, toolBlock{"tool_use", call.ID, call.Name, json.RawMessage("{}")})
		case len(chunk.ToolCalls) > 0:
			s.say(piece.made, chunk, event{Type: "content_block_delta", Index: s.index(),
				Delta: inputDelta{"input_json_delta", chunk.ToolCalls[0].Arguments}})
		default:
			s.closeBlock(piece.made)
			s.say(piece.made, chunk, event{Type: "message_delta", Delta: w.stopDelta(),
				Usage: map[string]int64{"output_tokens": w.usage.Out}})
		}
	}
	s.say(w.usage.Out, llm.Chunk{}, event{Type: "message_stop"})
	return s.beats
}

// script is a stream of events while it is written.
type script struct {
	beats  []beat
	blocks int
	open   bool
}

func (s *script) say(made int64, chunk llm.Chunk, e event) {
	chunk.Event, chunk.Data = e.Type, marshal(e)
	s.beats = append(s.beats, beat{made, chunk})
}

// index is that of the open block.
func (s *script) index() *int {
	i := s.blocks - 1
	return &i
}

func (s *script) openBlock(made int64, chunk llm.Chunk, block any) {
	s.open = true
	s.blocks++
	s.say(made, chunk, event{Type: "content_block_start", Index: s.index(), Block: block})
}

func (s *script) closeBlock(made int64) {
	if s.open {
		s.say(made, llm.Chunk{}, event{Type: "content_block_stop", Index: s.index()})
	}
	s.open = false
}

func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // only our own types come here, with arguments that are valid JSON
	}
	return text
}
