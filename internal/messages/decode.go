package messages

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// Decode reads a whole answer, which it keeps as Response.Body, and of which the
// other fields are views: it must not be changed any more. It fails with a
// *FailureError when that is what the vendor sent, and otherwise when there
// is no answer to be found.
func Decode(body []byte) (llm.Response, error) {
	doc, err := open(body)
	if err != nil {
		return llm.Response{}, err
	}
	content := doc.Get("content")
	if !content.IsArray() {
		return llm.Response{}, errors.New("the answer is not a message with content")
	}
	r := llm.Response{Model: doc.Get("model").String(), FinishReason: finishReason(doc.Get("stop_reason").String()), Body: body}
	var text strings.Builder
	content.ForEach(func(_, b gjson.Result) bool {
		switch b.Get("type").String() {
		case blockText:
			text.WriteString(b.Get("text").String())
		case blockToolUse:
			r.ToolCalls = append(r.ToolCalls, llm.ToolCall{ID: b.Get("id").String(), Name: b.Get("name").String(), Arguments: arguments(b.Get("input"))})
		}
		return true
	})
	r.Text = text.String()
	var u usage
	u.add(doc.Get("usage"))
	r.Usage = u.translate()
	return r, nil
}

// open reads an answer, or a piece of one, as a view of it. What in it is not
// UTF-8 becomes so, since texts are stored.
func open(body []byte) (gjson.Result, error) {
	if !json.Valid(body) {
		return gjson.Result{}, errors.New("the answer is not JSON")
	}
	doc := gjson.Parse(strings.ToValidUTF8(document.View(body), "\uFFFD"))
	if !doc.IsObject() {
		return gjson.Result{}, errors.New("the answer is not a JSON object")
	}
	if failure := newFailure(doc.Get("error")); failure != nil {
		return gjson.Result{}, failure
	}
	return doc, nil
}

// arguments are those of a call, without the space between them.
func arguments(input gjson.Result) string {
	var compact bytes.Buffer
	if !input.IsObject() || json.Compact(&compact, []byte(input.Raw)) != nil {
		return "{}"
	}
	return compact.String()
}

// finishReason puts Anthropic's words into OpenAI's. What nobody knows, and a
// missing reason, count as an ordinary end.
func finishReason(stopReason string) string {
	switch stopReason {
	case "max_tokens", "model_context_window_exceeded":
		return llm.FinishLength
	case "refusal":
		return llm.FinishContentFilter
	case "tool_use":
		return llm.FinishToolCalls
	}
	return llm.FinishStop
}

// usage is counts as the vendor has told them so far: a stream tells them in
// pieces, of which the later ones hold.
type usage struct {
	told                           bool
	in, cached, write, out, thinks int64
}

func (u *usage) add(v gjson.Result) {
	if !v.IsObject() {
		return
	}
	u.told = true
	v.ForEach(func(key, v gjson.Result) bool {
		if v.Type != gjson.Number && key.Str != "output_tokens_details" {
			return true
		}
		switch key.Str {
		case "input_tokens":
			u.in = count(v)
		case "cache_read_input_tokens":
			u.cached = count(v)
		case "cache_creation_input_tokens":
			u.write = count(v)
		case "output_tokens":
			u.out = count(v)
		case "output_tokens_details":
			u.thinks = count(v.Get("thinking_tokens"))
		}
		return true
	})
}

// count is a number that sums cannot overflow with.
func count(v gjson.Result) int64 {
	const most = 1 << 40
	return max(0, min(v.Int(), most))
}

// translate counts as we do: what was cached is part of the prompt here, and
// comes in addition there.
func (u *usage) translate() llm.Usage {
	return llm.Usage{
		In:           u.in + u.cached + u.write,
		CachedIn:     u.cached,
		CacheWriteIn: u.write,
		Out:          u.out,
		Reasoning:    min(u.thinks, u.out),
	}
}
