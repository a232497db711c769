package chat

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// Decode reads a whole answer, which it keeps as Response.Body, and of which the
// other fields are views: it must not be changed any more. What a vendor
// may leave out is not missed; its words for why the answer ended are put into
// OpenAI's. It fails with a *FailureError when that is what the vendor sent,
// and otherwise when there is no answer to be found.
func Decode(body []byte) (llm.Response, error) {
	e, err := open(body)
	if err != nil {
		return llm.Response{}, fmt.Errorf("the answer %w", err)
	}
	if err := e.err(); err != nil {
		return llm.Response{}, err
	}
	c := first(e.choices)
	if err := c.err(); err != nil {
		return llm.Response{}, err
	}
	if !c.said.IsObject() {
		return llm.Response{}, errors.New("the answer holds no choice with a message")
	}
	m := listen(c.said)
	text, err := m.text()
	if err != nil {
		return llm.Response{}, err
	}
	r := llm.Response{Model: e.model.String(), Text: text, Refusal: m.refusal.String(), ToolCalls: m.toolCalls(),
		FinishReason: finishReason(c.finish.String()), Body: body}
	usage, err := e.told(c)
	if usage != nil {
		r.Usage = *usage
	}
	return r, err
}

// DecodeChunk reads one piece of a streamed answer, which it keeps as
// Chunk.Data; the other fields are copies. Pieces of other answers than the first (Request.N) and those
// without any, such as the one that tells the usage, have the fields empty.
// It fails with a *FailureError when that is what the vendor sent, and
// otherwise when data is not a piece of an answer.
func DecodeChunk(data []byte) (llm.Chunk, error) {
	e, err := open(bytes.Clone(data)) // its bytes are the reader's
	if err != nil {
		return llm.Chunk{}, fmt.Errorf("a piece of the answer %w", err)
	}
	if err := e.err(); err != nil {
		return llm.Chunk{}, err
	}
	if e.choices.Type != gjson.Null && !e.choices.IsArray() {
		return llm.Chunk{}, errors.New("a piece of the answer has choices that are no list")
	}
	c := first(e.choices)
	if err := c.err(); err != nil {
		return llm.Chunk{}, err
	}
	m := listen(c.said)
	chunk := llm.Chunk{Data: data, Refusal: m.refusal.String(), ToolCalls: m.deltas()}
	if present(c.finish) {
		chunk.FinishReason = finishReason(c.finish.String())
	}
	if chunk.Text, err = m.text(); err != nil {
		return llm.Chunk{}, err
	}
	chunk.Usage, err = e.told(c)
	return chunk, err
}

// UsageOnly reports whether a piece's Data has a usage and no choices, as the
// one that stream_options.include_usage adds. It is not for callers who did
// not ask for it.
func UsageOnly(data []byte) bool {
	found := gjson.GetManyBytes(data, "choices", "usage")
	return !present(found[0]) && present(found[1])
}

// envelope is an answer's members, or those of a piece.
type envelope struct {
	object, model, choices, usage, groq, failure gjson.Result
	data                                         gjson.Result // of embeddings
	doc                                          gjson.Result // all of it
}

// open reads an answer's members, as views of it. What is not UTF-8 in it becomes
// so: texts are stored.
func open(body []byte) (e envelope, err error) {
	if err := document.Check(body); err != nil {
		return e, err
	}
	e.doc = gjson.Parse(strings.ToValidUTF8(document.View(body), "\uFFFD"))
	if !e.doc.IsObject() {
		return e, fmt.Errorf("is %s, not a JSON object", document.Show(e.doc))
	}
	e.doc.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "object":
			e.object = v
		case "model":
			e.model = v
		case "choices":
			e.choices = v
		case "usage":
			e.usage = v
		case "x_groq":
			e.groq = v
		case "error":
			e.failure = v
		case "data":
			e.data = v
		}
		return true
	})
	return e, nil
}

// err is the failure that came in place of an answer.
func (e *envelope) err() error {
	switch {
	case present(e.failure):
		return newFailure(e.failure)
	case e.object.Str == "error": // vLLM's, at times
		return newFailure(e.doc)
	}
	return nil
}

// told is the usage: beside the choices, or where Groq and Moonshot put it in
// streams. It is nil where there is none.
func (e *envelope) told(c choice) (*llm.Usage, error) {
	switch {
	case present(e.usage):
		return readUsage(e.usage)
	case present(c.usage):
		return readUsage(c.usage)
	case e.groq.Exists() && present(e.groq.Get("usage")):
		return readUsage(e.groq.Get("usage"))
	}
	return nil, nil
}

// choice is one of the answers asked for, or a piece of it.
type choice struct {
	index, said, finish, failure, usage gjson.Result
}

// first is the choice with the index 0, which some vendors do not write.
func first(choices gjson.Result) (found choice) {
	if !choices.IsArray() {
		return choice{}
	}
	choices.ForEach(func(_, v gjson.Result) bool {
		if c := choose(v); c.index.Int() == 0 {
			found = c
			return false
		}
		return true
	})
	return found
}

func choose(v gjson.Result) (c choice) {
	if !v.IsObject() {
		return choice{}
	}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "index":
			c.index = v
		case "message", "delta":
			c.said = v
		case "finish_reason":
			c.finish = v
		case "error":
			c.failure = v
		case "usage":
			c.usage = v
		}
		return true
	})
	return c
}

// err is the failure of this one answer.
func (c *choice) err() error {
	switch {
	case present(c.failure):
		return newFailure(c.failure)
	case c.finish.Str == "error":
		return &FailureError{Message: []byte(`"the model failed while it was answering"`)}
	}
	return nil
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
