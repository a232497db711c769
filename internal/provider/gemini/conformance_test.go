package gemini

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
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
		Lacks: providertest.Lacks{CacheWrites: true, LastFrame: true},
	})
}

// wireAnswer is an answer, or a piece of one, as Gemini writes it.
func wireAnswer(a providertest.Answer, finish string, parts []part) string {
	reasons := map[string]string{llm.FinishStop: "STOP", llm.FinishToolCalls: "STOP", llm.FinishLength: "MAX_TOKENS", llm.FinishContentFilter: "SAFETY"}
	u := a.Usage
	candidates := []any{map[string]any{"content": content{roleModel, parts}, "finishReason": reasons[finish]}} // an index of 0 is left out
	for i, text := range a.Others {
		candidates = append(candidates, map[string]any{"content": content{roleModel, []part{{Text: text}}}, "finishReason": reasons[finish], "index": i + 1})
	}
	text, err := json.Marshal(map[string]any{
		"candidates":    candidates,
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
	others := a.Others
	a.Others = make([]string, len(others))
	say := func(finish string, parts ...part) {
		frames = append(frames, "data: "+wireAnswer(a, finish, parts)+"\r\n\r\n")
	}
	say("", part{Text: "let me think", Thought: true})
	for i, text := range others { // a word of each at a time
		for word := range strings.SplitAfterSeq(text, " ") {
			a.Others[i] = word
			say("")
			a.Others[i] = ""
		}
	}
	for _, piece := range a.Pieces {
		say("", part{Text: piece})
	}
	for _, call := range a.ToolCalls {
		say("", callPart(call))
	}
	say(a.Finish)
	return frames
}
