package chat

import (
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// DecodeChunk reads one piece of a streamed answer, which it keeps as
// Chunk.Data. Pieces of other answers than the first (Request.N) and those
// without any, such as the one that tells the usage, have the fields empty.
// It fails with a *FailureError when that is what the vendor sent, and
// otherwise when data is not a piece of an answer.
func DecodeChunk(data []byte) (llm.Chunk, error) {
	if err := checkJSON(data); err != nil {
		return llm.Chunk{}, fmt.Errorf("a piece of the answer %w", err)
	}
	doc := parseAnswer(data)
	if !doc.IsObject() {
		return llm.Chunk{}, errors.New("a piece of the answer is not a JSON object")
	}
	if failure := doc.Get("error"); present(failure) {
		return llm.Chunk{}, newFailure(failure)
	}
	choices := doc.Get("choices")
	if choices.Exists() && choices.Type != gjson.Null && !choices.IsArray() {
		return llm.Chunk{}, errors.New("a piece of the answer has choices that are no list")
	}
	choice := first(choices)
	if err := failureOf(choice); err != nil {
		return llm.Chunk{}, err
	}
	c := llm.Chunk{Data: data}
	if reason := choice.Get("finish_reason"); present(reason) {
		c.FinishReason = finishReason(reason.String())
	}
	var err error
	if err = readDelta(&c, choice.Get("delta")); err != nil {
		return llm.Chunk{}, err
	}
	c.Usage, err = usageOf(doc, choice)
	return c, err
}

// first is the choice with the index 0, which some vendors do not write.
func first(choices gjson.Result) (choice gjson.Result) {
	choices.ForEach(func(_, v gjson.Result) bool {
		if v.Get("index").Int() == 0 {
			choice = v
		}
		return !choice.Exists()
	})
	return choice
}

func readDelta(c *llm.Chunk, delta gjson.Result) (err error) {
	if c.Text, err = contentText(delta.Get("content")); err != nil {
		return err
	}
	c.Refusal = delta.Get("refusal").String()
	position := 0
	delta.Get("tool_calls").ForEach(func(_, v gjson.Result) bool {
		c.ToolCalls = append(c.ToolCalls, deltaOf(v, position))
		position++
		return true
	})
	if call := delta.Get("function_call"); call.IsObject() && c.ToolCalls == nil {
		c.ToolCalls = []llm.ToolCallDelta{{Name: call.Get("name").String(), Arguments: argumentsOf(call.Get("arguments"))}}
	}
	return nil
}

// deltaOf reads a piece of a tool call. Some vendors send whole calls without
// an index: then it is the place in the list.
func deltaOf(v gjson.Result, position int) llm.ToolCallDelta {
	call := callOf(v)
	if index := v.Get("index"); index.Type == gjson.Number {
		position = int(index.Int())
	}
	return llm.ToolCallDelta{Index: position, ID: call.ID, Name: call.Name, Arguments: call.Arguments}
}

// UsageOnly reports whether a piece's Data has no choices, as the one has that
// stream_options.include_usage adds. It is not for callers who did not ask for
// it.
func UsageOnly(data []byte) bool {
	choices := gjson.GetBytes(data, "choices")
	return !present(choices)
}
