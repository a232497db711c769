package chat

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// message is what a model said, or a piece of it.
type message struct {
	content, refusal, calls, call gjson.Result
}

func listen(v gjson.Result) (m message) {
	if !v.IsObject() {
		return message{}
	}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "content":
			m.content = v
		case "refusal":
			m.refusal = v
		case "tool_calls":
			m.calls = v
		case "function_call":
			m.call = v
		}
		return true
	})
	return m
}

// text reads content as a string, as null (tool calls and refusals have none),
// or as a list of parts of which the texts count.
func (m *message) text() (string, error) {
	switch {
	case m.content.Type == gjson.String:
		return m.content.Str, nil
	case !present(m.content):
		return "", nil
	case !m.content.IsArray():
		return "", errors.New("the message's content is neither text nor a list of parts")
	}
	var b strings.Builder
	m.content.ForEach(func(_, part gjson.Result) bool {
		if part.Get("type").String() == typeText {
			b.WriteString(part.Get("text").String())
		}
		return true
	})
	return b.String(), nil
}

// toolCalls are the calls of functions, those of custom tools, whose input
// stands for the arguments, or the one of older vendors.
func (m *message) toolCalls() (calls []llm.ToolCall) {
	for _, d := range m.deltas() {
		calls = append(calls, llm.ToolCall{ID: d.ID, Name: d.Name, Arguments: d.Arguments})
	}
	return calls
}

// deltas are pieces of calls. Some vendors send whole calls without an index:
// then it is the place in the list.
func (m *message) deltas() (deltas []llm.ToolCallDelta) {
	if m.calls.IsArray() {
		m.calls.ForEach(func(_, v gjson.Result) bool {
			deltas = append(deltas, deltaOf(v, len(deltas)))
			return true
		})
	}
	if deltas == nil && m.call.IsObject() {
		deltas = []llm.ToolCallDelta{functionOf(m.call)}
	}
	return deltas
}

func deltaOf(v gjson.Result, position int) llm.ToolCallDelta {
	function := v.Get("function")
	if !function.IsObject() {
		function = v.Get("custom")
	}
	d := functionOf(function)
	d.ID, d.Index = v.Get("id").String(), position
	if index := v.Get("index"); index.Type == gjson.Number {
		d.Index = int(index.Int())
	}
	return d
}

func functionOf(v gjson.Result) (d llm.ToolCallDelta) {
	if !v.IsObject() {
		return d
	}
	d.Name = v.Get("name").String()
	arguments := v.Get("arguments")
	if !arguments.Exists() {
		arguments = v.Get("input")
	}
	switch arguments.Type {
	case gjson.Null:
	case gjson.String:
		d.Arguments = arguments.Str
	default: // some vendors leave the string around the JSON out
		d.Arguments = arguments.Raw
	}
	return d
}
