package openai

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// wireResponse is what of an answer is understood; vendors send much more.
type wireResponse struct {
	Choices []struct {
		Message *struct {
			Content json.RawMessage `json:"content"`
			Refusal string          `json:"refusal"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *wireUsage      `json:"usage"`
	Error json.RawMessage `json:"error"`
}

type wireUsage struct {
	Prompt        int64 `json:"prompt_tokens"`
	Completion    int64 `json:"completion_tokens"`
	Total         int64 `json:"total_tokens"`
	PromptDetails struct {
		Cached int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	CacheHit int64 `json:"prompt_cache_hit_tokens"` // DeepSeek's name for cached_tokens
}

// decode reads the body of a 200. It returns a *vendorError when the vendor
// reports a failure in it, as gateways do that have sent their status already.
func decode(body []byte) (llm.Response, error) {
	var w wireResponse
	if err := json.Unmarshal(body, &w); err != nil {
		return llm.Response{}, errors.New("the answer is not a chat completion in JSON")
	}
	if present(w.Error) {
		return llm.Response{}, newVendorError(w.Error)
	}
	if len(w.Choices) == 0 || w.Choices[0].Message == nil {
		return llm.Response{}, errors.New("the answer holds no choice with a message")
	}
	choice := w.Choices[0]
	if choice.FinishReason == "error" {
		return llm.Response{}, &vendorError{message: []byte("the model failed while it was answering")}
	}
	text, err := contentText(choice.Message.Content)
	if err != nil {
		return llm.Response{}, err
	}
	if text == "" {
		text = choice.Message.Refusal
	}
	return llm.Response{Text: text, FinishReason: finishReason(choice.FinishReason), Usage: w.Usage.translate()}, nil
}

// present is false for what is missing, null, or one of the empty values that
// some servers write instead.
func present(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "{}", "[]", "false":
		return false
	}
	return true
}

// contentText reads content as a string, as null (tool calls and refusals have
// none), or as a list of parts of which the texts count.
func contentText(raw json.RawMessage) (string, error) {
	if !present(raw) {
		return "", nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return "", errors.New("the message's content is neither text nor a list of parts")
	}
	var b strings.Builder
	for _, part := range parts {
		if part.Type == "text" {
			b.WriteString(part.Text)
		}
	}
	return b.String(), nil
}

// finishReason puts other vendors' words into OpenAI's. What nobody knows, and
// a missing reason, count as an ordinary end.
func finishReason(vendors string) string {
	switch strings.ToLower(vendors) {
	case "length", "max_tokens", "model_length":
		return llm.FinishLength
	case "content_filter", "safety", "recitation":
		return llm.FinishContentFilter
	case "tool_calls", "function_call", "tool_use":
		return llm.FinishToolCalls
	}
	return llm.FinishStop
}

// translate makes counts that hold together: none negative, cached within the
// prompt, reasoning within the output. A missing usage stays zero.
func (u *wireUsage) translate() llm.Usage {
	if u == nil {
		return llm.Usage{}
	}
	in, out := max(u.Prompt, 0), max(u.Completion, 0)
	reasoning := max(u.CompletionDetails.Reasoning, 0)
	if separate := reasoning > 0 && u.Total-in == out+reasoning; separate {
		out += reasoning // xAI counts reasoning beside the completion; OpenAI inside it
	}
	return llm.Usage{
		In:        in,
		CachedIn:  min(in, max(u.PromptDetails.Cached, u.CacheHit, 0)),
		Out:       out,
		Reasoning: min(out, reasoning),
	}
}
