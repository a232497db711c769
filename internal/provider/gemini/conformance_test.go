package gemini

import (
	"cmp"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Vendor{
		Name:  "google",
		Model: "gemini-2.5-flash",
		New: func(t *testing.T, baseURL, key string) llm.Provider {
			p, err := New(Options{Name: "google", BaseURL: baseURL + "/v1beta", APIKey: key})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			return p
		},
		Wire: &providertest.Wire{KeyHeader: "x-goog-api-key", Whole: wholeAnswer, Stream: streamedAnswer,
			Error: func(status int, message string) string {
				return fmt.Sprintf(`{"error":{"code":%d,"message":%s,"status":"UNKNOWN"}}`, status, mustJSON(message))
			},
			ErrorFrame: func(message string) string {
				return fmt.Sprintf("data: {\"error\":{\"code\":503,\"message\":%s,\"status\":\"UNAVAILABLE\"}}\r\n\r\n", mustJSON(message))
			},
		},
		Lacks: providertest.Lacks{CacheWrites: true, Several: true, LastFrame: true},
	})
}

// wireAnswer is an answer, or a piece of one, as Gemini writes it.
func wireAnswer(a providertest.Answer, finish string, parts []part) string {
	reasons := map[string]string{llm.FinishStop: "STOP", llm.FinishToolCalls: "STOP", llm.FinishLength: "MAX_TOKENS", llm.FinishContentFilter: "SAFETY"}
	u := a.Usage
	text, err := json.Marshal(map[string]any{
		"candidates":    []any{map[string]any{"content": map[string]any{"role": "model", "parts": parts}, "finishReason": reasons[finish], "index": 0}},
		"modelVersion":  cmp.Or(a.Model, "gemini"),
		"usageMetadata": wireUsage{Prompt: u.In, Cached: u.CachedIn, Candidates: u.Out - u.Reasoning, Thoughts: u.Reasoning},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func callPart(call llm.ToolCall) part {
	return part{FunctionCall: &functionCall{call.ID, call.Name, json.RawMessage(call.Arguments)}}
}

func wholeAnswer(a providertest.Answer) string {
	parts := []part{{Text: "let me think", Thought: true}}
	if a.Text() != "" {
		parts = append(parts, part{Text: a.Text()})
	}
	for _, call := range a.ToolCalls {
		parts = append(parts, callPart(call))
	}
	return wireAnswer(a, a.Finish, parts)
}

func streamedAnswer(a providertest.Answer) []string {
	var frames []string
	say := func(finish string, parts ...part) {
		frames = append(frames, "data: "+wireAnswer(a, finish, parts)+"\r\n\r\n")
	}
	say("", part{Text: "let me think", Thought: true})
	for _, piece := range a.Pieces {
		say("", part{Text: piece})
	}
	for _, call := range a.ToolCalls {
		say("", callPart(call))
	}
	say(a.Finish)
	return frames
}
