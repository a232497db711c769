package chat

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// FailureError is a failure that a vendor reports where an answer should be,
// or a piece of one: as gateways do that have sent their status already.
type FailureError struct {
	Status  int    // what the vendor says it would have been, or 0
	Code    string // the vendor's word, such as rate_limit_exceeded, or ""
	Type    string // the vendor's word, such as server_error, or ""
	Message []byte // JSON. It may hold anything, a key that was echoed too
}

func (e *FailureError) Error() string { return "the vendor reports a failure" }

// Decode reads a whole answer, which it keeps as Response.Body. Of what a
// vendor may leave out nothing is missed; its words for why it ended are put
// into OpenAI's. It fails with a *FailureError when that is what the vendor
// sent, and otherwise when there is no answer to be found.
func Decode(body []byte) (llm.Response, error) {
	if err := checkJSON(body); err != nil {
		return llm.Response{}, fmt.Errorf("the answer %w", err)
	}
	doc := parseAnswer(body)
	if failure := doc.Get("error"); doc.IsObject() && present(failure) {
		return llm.Response{}, newFailure(failure)
	}
	choice := doc.Get("choices.0")
	message := choice.Get("message")
	if !doc.IsObject() || !message.IsObject() {
		return llm.Response{}, errors.New("the answer holds no choice with a message")
	}
	if err := failureOf(choice); err != nil {
		return llm.Response{}, err
	}
	r := llm.Response{
		Model:        doc.Get("model").String(),
		Refusal:      message.Get("refusal").String(),
		ToolCalls:    callsOf(message),
		FinishReason: finishReason(choice.Get("finish_reason").String()),
		Body:         body,
	}
	var err error
	if r.Text, err = contentText(message.Get("content")); err != nil {
		return llm.Response{}, err
	}
	usage, err := usageOf(doc, choice)
	if usage != nil {
		r.Usage = *usage
	}
	return r, err
}

// parseAnswer reads valid JSON; what in it is not UTF-8 becomes so, since texts
// are stored.
func parseAnswer(body []byte) gjson.Result {
	return gjson.Parse(strings.ToValidUTF8(string(body), "\uFFFD"))
}

// present is false for what is missing, null, or one of the empty values that
// some servers write instead.
func present(v gjson.Result) bool {
	switch v.Raw {
	case "", "null", `""`, "{}", "[]", "false":
		return false
	}
	return true
}

// failureOf finds the failure of one choice.
func failureOf(choice gjson.Result) error {
	if failure := choice.Get("error"); present(failure) {
		return newFailure(failure)
	}
	if choice.Get("finish_reason").String() == "error" {
		return &FailureError{Message: []byte(`"the model failed while it was answering"`)}
	}
	return nil
}

func newFailure(v gjson.Result) *FailureError {
	e := &FailureError{Message: []byte(v.Raw), Type: v.Get("type").String()}
	code := v.Get("code") // a status at some, a word at others
	if status, err := strconv.Atoi(code.String()); err == nil {
		e.Status = status
	} else {
		e.Code = code.String()
	}
	return e
}

// contentText reads content as a string, as null (tool calls and refusals have
// none), or as a list of parts of which the texts count.
func contentText(v gjson.Result) (string, error) {
	switch {
	case v.Type == gjson.String:
		return v.Str, nil
	case !present(v):
		return "", nil
	case !v.IsArray():
		return "", errors.New("the message's content is neither text nor a list of parts")
	}
	var b strings.Builder
	v.ForEach(func(_, part gjson.Result) bool {
		if part.Get("type").String() == typeText {
			b.WriteString(part.Get("text").String())
		}
		return true
	})
	return b.String(), nil
}

// callsOf gives the tool calls of a message: of functions, of custom tools,
// whose input stands for the arguments, and the one of older vendors.
func callsOf(message gjson.Result) (calls []llm.ToolCall) {
	message.Get("tool_calls").ForEach(func(_, v gjson.Result) bool {
		calls = append(calls, callOf(v))
		return true
	})
	if call := message.Get("function_call"); call.IsObject() && calls == nil {
		calls = []llm.ToolCall{{Name: call.Get("name").String(), Arguments: argumentsOf(call.Get("arguments"))}}
	}
	return calls
}

func callOf(v gjson.Result) llm.ToolCall {
	call := llm.ToolCall{ID: v.Get("id").String()}
	if custom := v.Get("custom"); custom.IsObject() {
		call.Name, call.Arguments = custom.Get("name").String(), custom.Get("input").String()
		return call
	}
	function := v.Get("function")
	call.Name, call.Arguments = function.Get("name").String(), argumentsOf(function.Get("arguments"))
	return call
}

// argumentsOf are JSON in a string; some vendors leave the string out.
func argumentsOf(v gjson.Result) string {
	switch v.Type {
	case gjson.Null:
		return ""
	case gjson.String:
		return v.Str
	}
	return v.Raw
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
