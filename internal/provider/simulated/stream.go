package simulated

import (
	"context"
	"fmt"

	"github.com/busuhq/busu/internal/llm"
)

// beat is one piece of an answer.
type beat struct {
	made  int64 // tokens generated up to here
	chunk llm.Chunk
}

// stream emits the reply piece by piece. What was emitted is what it returns,
// whether or not it came to the end.
func (p *Provider) stream(ctx context.Context, c clock, r llm.Request, w reply) (llm.Response, error) {
	beats := w.beats()
	if r.Format == llm.FormatMessages {
		beats = w.messageBeats(r.Model, beats)
	}
	sum := llm.Response{Model: r.Model}
	for _, b := range beats {
		if err := p.wait(ctx, c, b.made); err != nil {
			return sum, err
		}
		add(&sum, b.chunk)
		sum.Usage = llm.Usage{In: w.usage.In, Out: b.made}
		if err := r.Emit(b.chunk); err != nil {
			return sum, p.fail(llm.ErrorCanceled, 0, fmt.Errorf("nobody takes the answer any more: %w", err))
		}
	}
	return sum, nil
}

// beats are the pieces of a reply, a token each, and its end with the usage.
func (w *reply) beats() []beat {
	var beats []beat
	made := int64(0)
	for piece := range tokens(w.text) {
		made++
		beats = append(beats, beat{made, llm.Chunk{Text: piece}})
	}
	for i, call := range w.calls {
		made += countTokens(call.Name)
		beats = append(beats, beat{made, callChunk(llm.ToolCallDelta{Index: i, ID: call.ID, Name: call.Name})})
		for piece := range tokens(call.Arguments) {
			made++
			beats = append(beats, beat{made, callChunk(llm.ToolCallDelta{Index: i, Arguments: piece})})
		}
	}
	usage := w.usage
	return append(beats, beat{made, llm.Chunk{FinishReason: w.finish, Usage: &usage}})
}

func callChunk(delta llm.ToolCallDelta) llm.Chunk {
	return llm.Chunk{ToolCalls: []llm.ToolCallDelta{delta}}
}

// add makes the chunk part of what was received.
func add(sum *llm.Response, chunk llm.Chunk) {
	sum.Text += chunk.Text
	for _, delta := range chunk.ToolCalls {
		if delta.Index == len(sum.ToolCalls) {
			sum.ToolCalls = append(sum.ToolCalls, llm.ToolCall{ID: delta.ID, Name: delta.Name})
		}
		sum.ToolCalls[delta.Index].Arguments += delta.Arguments
	}
	if chunk.FinishReason != "" {
		sum.FinishReason = chunk.FinishReason
	}
}
