package providertest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// anyone is what holds for a provider that calls nobody, too.
func (s suite) anyone() cases {
	return cases{
		"an answer":          func(t *testing.T) { s.anAnswer(t, s.question()) },
		"a conversation":     func(t *testing.T) { s.anAnswer(t, s.conversation()) },
		"tools":              func(t *testing.T) { s.anAnswer(t, s.withTools()) },
		"tool results":       func(t *testing.T) { s.anAnswer(t, s.toolResults()) },
		"an image":           func(t *testing.T) { s.anAnswer(t, s.withImage()) },
		"structured output":  func(t *testing.T) { s.anAnswer(t, s.structured()) },
		"pieces":             s.inPieces,
		"a listener leaves":  s.listenerLeaves,
		"canceled before":    s.canceledBefore,
		"canceled meanwhile": func(t *testing.T) { s.slowly(t, context.Canceled, llm.ErrorCanceled, nil) },
		"canceled streaming": func(t *testing.T) { s.slowly(t, context.Canceled, llm.ErrorCanceled, ignore) },
		"out of time":        func(t *testing.T) { s.slowly(t, context.DeadlineExceeded, llm.ErrorTimeout, nil) },
		"streaming too long": func(t *testing.T) { s.slowly(t, context.DeadlineExceeded, llm.ErrorTimeout, ignore) },
	}
}

func ignore(llm.Chunk) error { return nil }

// willing is a provider that answers whatever it is asked.
func (s suite) willing(t *testing.T, streamed bool) llm.Provider {
	t.Helper()
	if s.Wire == nil {
		return s.New(t, "", "")
	}
	if streamed {
		return s.fake(t, stream(s.Wire.Stream(s.answer()), nil)).provider
	}
	return s.fake(t, say(200, s.Wire.Whole(s.answer()))).provider
}

func (s suite) anAnswer(t *testing.T, r llm.Request) {
	got, err := s.willing(t, false).Complete(within(t), r)
	if err != nil {
		t.Fatalf("the call failed: %v", err)
	}
	mustBeSound(t, got)
}

// mustBeSound checks what holds for every good answer.
func mustBeSound(t *testing.T, got llm.Response) {
	t.Helper()
	u := got.Usage
	if got.FinishReason == "" || got.Text == "" && len(got.ToolCalls) == 0 {
		t.Errorf("the answer has no end or no content: %+v", got)
	}
	if u.In <= 0 || u.Out <= 0 || u.CachedIn+u.CacheWriteIn > u.In || u.Reasoning > u.Out {
		t.Errorf("the counts do not hold together: %+v", u)
	}
}

func (s suite) inPieces(t *testing.T) {
	got, heard, err := s.call(within(t), t, s.willing(t, true), s.question(), nil)
	if err != nil {
		t.Fatalf("the call failed: %v", err)
	}
	mustBeSound(t, got)
	if heard.pieces < 2 || heard.usage == nil {
		t.Errorf("%d pieces came, the last usage is %v", heard.pieces, heard.usage)
	}
}

var errGone = errors.New("the listener is gone")

func (s suite) listenerLeaves(t *testing.T) {
	heard := 0
	got, _, err := s.call(within(t), t, s.willing(t, true), s.question(), func(so sum) error {
		heard++
		if so.text == "" {
			return nil
		}
		return errGone
	})
	s.mustFail(t, err, llm.ErrorCanceled)
	if !errors.Is(err, errGone) {
		t.Errorf("the listener's error is not in %v", err)
	}
	if got.Text == "" {
		t.Errorf("what had been received is missing: %+v", got)
	}
}

func (s suite) canceledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	_, err := s.willing(t, false).Complete(ctx, s.question())
	if failed := s.mustFail(t, err, llm.ErrorCanceled); failed.Elsewhere() || !errors.Is(err, context.Canceled) {
		t.Errorf("the cancellation is not in %v", err)
	}
}

// slowly ends a call that would take forever.
func (s suite) slowly(t *testing.T, how error, want llm.ErrorKind, emit llm.Emit) {
	reached := make(chan struct{}, 1)
	var p llm.Provider
	if s.Wire == nil {
		p = s.Slow(t)
		reached <- struct{}{}
	} else {
		p = s.fake(t, hang(reached)).provider
	}
	ctx := newEnding(within(t), how)
	go func() { <-reached; ctx.end() }()
	r := s.question()
	r.Emit = emit
	_, err := p.Complete(ctx, r)
	if s.mustFail(t, err, want); !errors.Is(err, how) {
		t.Errorf("%v is not in %v", how, err)
	}
}

// conversation has every role and most parameters; its words are looked for in
// what is sent.
func (s suite) conversation() llm.Request {
	temperature := 0.25
	return llm.Request{
		Model: s.Model,
		Messages: []llm.Message{
			{Role: llm.RoleSystem, Content: "system-words"},
			{Role: llm.RoleUser, Content: "first-words"},
			{Role: llm.RoleAssistant, Content: "second-words"},
			{Role: llm.RoleUser, Content: "third-words"},
			{Role: llm.RoleUser, Content: "fourth-words"},
		},
		MaxTokens: 321, Temperature: &temperature, Stop: []string{"stop-words"},
	}
}

func (s suite) withTools() llm.Request {
	r := s.question()
	r.Tools = []llm.Tool{
		{Name: "get_weather", Description: "weather-words", Parameters: []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)},
		{Name: "get_time", Description: "time-words"},
	}
	return r
}

// toolResults is the turn after two calls.
func (s suite) toolResults() llm.Request {
	r := s.withTools()
	r.Messages = append(r.Messages,
		llm.Message{Role: llm.RoleAssistant, Content: "looking-words", ToolCalls: []llm.ToolCall{
			{ID: "call_1", Name: "get_weather", Arguments: `{"city":"argument-words"}`},
			{ID: "call_2", Name: "get_time", Arguments: ""}}},
		llm.Message{Role: llm.RoleTool, ToolCallID: "call_1", Content: "sunny-words"},
		llm.Message{Role: llm.RoleTool, ToolCallID: "call_2", Content: "noon-words"},
		llm.Message{Role: llm.RoleUser, Content: "after-words"})
	return r
}

// pixel is a picture of one pixel, as base64.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func (s suite) withImage() llm.Request {
	return withPart(s.question(), llm.Part{Kind: llm.PartImage, MediaType: "image/png", Data: pixel})
}

// withPart puts a part between the texts of the last message.
func withPart(r llm.Request, part llm.Part) llm.Request {
	r.Messages = []llm.Message{{Role: llm.RoleUser, Content: strings.Join([]string{"before-words", "behind-words"}, "\n"),
		Parts: []llm.Part{{Kind: llm.PartText, Text: "before-words"}, part, {Kind: llm.PartText, Text: "behind-words"}}}}
	return r
}

func (s suite) structured() llm.Request {
	r := s.question()
	r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: "capital_answer", Strict: true,
		Schema: []byte(`{"type":"object","properties":{"schema_words":{"type":"string"}},"required":["schema_words"],"additionalProperties":false}`)}
	return r
}
