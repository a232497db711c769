package gemini

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// wireResponse is what of an answer, or of a piece of one, is understood.
type wireResponse struct {
	Candidates []candidate     `json:"candidates"`
	Feedback   *feedback       `json:"promptFeedback"`
	Usage      *wireUsage      `json:"usageMetadata"`
	Model      string          `json:"modelVersion"`
	Error      json.RawMessage `json:"error"`
}

type candidate struct {
	Content       content `json:"content"`
	FinishReason  string  `json:"finishReason"`
	FinishMessage string  `json:"finishMessage"`
	Index         *int    `json:"index"` // nil: that in the list
}

type feedback struct {
	BlockReason        string `json:"blockReason"`
	BlockReasonMessage string `json:"blockReasonMessage"`
}

type wireUsage struct {
	Prompt     int64 `json:"promptTokenCount"` // with what was cached
	Cached     int64 `json:"cachedContentTokenCount"`
	ToolUse    int64 `json:"toolUsePromptTokenCount"` // beside Prompt
	Candidates int64 `json:"candidatesTokenCount"`    // without the thoughts
	Thoughts   int64 `json:"thoughtsTokenCount"`
}

// translate makes counts that hold together: none negative, cached within the
// prompt.
func (u *wireUsage) translate() llm.Usage {
	in, thoughts := max(u.Prompt, 0)+max(u.ToolUse, 0), max(u.Thoughts, 0)
	return llm.Usage{
		In:        in,
		CachedIn:  min(in, max(u.Cached, 0)),
		Out:       max(u.Candidates, 0) + thoughts,
		Reasoning: thoughts,
	}
}

// errFailure says that the vendor reports a failure, though with status 200.
var errFailure = errors.New("the vendor reports a failure")

// endError is an answer that ended in a way that makes it none.
type endError struct {
	kind llm.ErrorKind
	text string
	said string // by the vendor, who may quote; for no log
}

func (e *endError) Error() string { return e.text }

// answer is what was received of one call.
type answer struct {
	request  llm.Request
	remember func(id, signature string)
	choices  []choice // as many as were asked for
	size     int      // bytes of texts and calls
	model    string
	usage    *llm.Usage
}

// choice is one of the answers.
type choice struct {
	text    strings.Builder
	calls   []llm.ToolCall
	begun   bool   // it was there, maybe without content
	reason  string // why it ended, in Gemini's words; "" until it does
	message string // more about that
	finish  string // the same in ours, once the answer is known to be good
}

func (p *Provider) newAnswer(r llm.Request) *answer {
	return &answer{request: r, choices: make([]choice, max(r.N, 1)),
		remember: func(id, signature string) { p.signatures.keep(r.Model, id, signature) }}
}

// take reads a whole answer or a piece of one, and returns what it adds.
func (a *answer) take(body []byte) (llm.Chunk, error) {
	var w wireResponse
	if json.Unmarshal(body, &w) != nil {
		return llm.Chunk{}, errors.New("the answer is not one of Gemini's in JSON")
	}
	if len(w.Error) > 0 && string(w.Error) != "null" {
		return llm.Chunk{}, errFailure
	}
	if w.Model != "" {
		a.model = w.Model
	}
	if w.Usage != nil {
		usage := w.Usage.translate()
		a.usage = &usage
	}
	if len(w.Candidates) == 0 {
		return llm.Chunk{}, w.Feedback.err()
	}
	var chunk llm.Chunk
	for i, c := range w.Candidates {
		at := i
		if c.Index != nil && len(a.choices) > 1 {
			at = *c.Index
		}
		if at < 0 || at >= len(a.choices) {
			continue // more than were asked for
		}
		if piece := a.hear(at, c); at == 0 {
			chunk.Text, chunk.ToolCalls = piece.Text, piece.ToolCalls
		} else if piece.First || piece.Text != "" || len(piece.ToolCalls) > 0 {
			chunk.Others = append(chunk.Others, piece)
		}
	}
	return chunk, nil
}

// hear takes what a candidate adds to the choice at its place.
func (a *answer) hear(at int, c candidate) llm.Other {
	choice := &a.choices[at]
	piece := a.add(choice, c.Content.Parts)
	piece.Index, piece.First = at, !choice.begun
	choice.begun = true
	if c.FinishReason != "" {
		choice.reason, choice.message = c.FinishReason, c.FinishMessage
	}
	return piece
}

// err is a blocked prompt, or nil.
func (f *feedback) err() error {
	if f == nil || f.BlockReason == "" {
		return nil
	}
	text := "the prompt was blocked: " + f.BlockReason
	return &endError{llm.ErrorRejected, text, withMessage(text, f.BlockReasonMessage)}
}

// add takes texts and calls. Thoughts are not shown, and other parts, such as
// pictures, have no place in a chat's answer.
func (a *answer) add(to *choice, parts []part) llm.Other {
	var piece llm.Other
	for _, part := range parts {
		switch {
		case part.Thought:
		case part.FunctionCall != nil:
			if a.request.SerialTools && len(to.calls) > 0 {
				continue // Gemini cannot be told to make one at a time
			}
			piece.ToolCalls = append(piece.ToolCalls, a.addCall(to, part))
		default:
			piece.Text += part.Text
		}
	}
	to.text.WriteString(piece.Text)
	a.size += len(piece.Text)
	return piece
}

func (a *answer) addCall(to *choice, given part) llm.ToolCallDelta {
	call := llm.ToolCall{ID: given.FunctionCall.ID, Name: given.FunctionCall.Name, Arguments: "{}"}
	if !portable(call.ID) {
		call.ID = newID()
	}
	var compact bytes.Buffer
	if isObject(given.FunctionCall.Args) && json.Compact(&compact, given.FunctionCall.Args) == nil {
		call.Arguments = compact.String()
	}
	a.remember(call.ID, given.Signature)
	to.calls = append(to.calls, call)
	a.size += len(call.ID) + len(call.Name) + len(call.Arguments)
	return llm.ToolCallDelta{Index: len(to.calls) - 1, ID: call.ID, Name: call.Name, Arguments: call.Arguments}
}

// portable reports whether other vendors take id, too, should the conversation
// go on there: OpenAI wants at most 40 characters, Anthropic only these.
func portable(id string) bool {
	return id != "" && len(id) <= 40 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return "call_" + hex.EncodeToString(b[:])
}

// ended reports whether every answer that began has said why it ends.
func (a *answer) ended() bool {
	for i := range a.choices {
		if c := &a.choices[i]; c.reason == "" && (i == 0 || c.begun) {
			return false
		}
	}
	return true
}

// end says whether what was received is an answer, and returns what there is
// to say at its end. Of several, each must be one; there may be fewer than were
// asked for.
func (a *answer) end() (llm.Chunk, error) {
	if !a.choices[0].begun {
		return llm.Chunk{}, errors.New("the answer holds no candidate")
	}
	last := llm.Chunk{Usage: a.usage}
	for i := range a.choices {
		c := &a.choices[i]
		if !c.begun {
			continue
		}
		if err := c.end(); err != nil {
			return llm.Chunk{}, err
		}
		if i == 0 {
			last.FinishReason = c.finish
		} else {
			last.Others = append(last.Others, llm.Other{Index: i, FinishReason: c.finish})
		}
	}
	return last, nil
}

func (c *choice) end() error {
	if c.finish = c.finishReason(); c.finish != "" {
		return nil
	}
	text := "the answer ended with " + c.reason
	return &endError{llm.ErrorMalformed, text, withMessage(text, c.message)}
}

func withMessage(text, message string) string {
	if message == "" {
		return text
	}
	return text + ": " + message
}

// finishReason puts Gemini's reasons into OpenAI's words; "" is an answer that
// failed. A reason that nobody knows is an ordinary end if something was said.
func (c *choice) finishReason() string {
	switch c.reason {
	case "MAX_TOKENS":
		return llm.FinishLength
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return llm.FinishContentFilter
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE":
		return ""
	}
	switch {
	case len(c.calls) > 0:
		return llm.FinishToolCalls
	case c.reason == "STOP", c.reason == "", c.text.Len() > 0:
		return llm.FinishStop
	}
	return ""
}

// response is what was received, good or not.
func (a *answer) response() llm.Response {
	first := &a.choices[0]
	r := llm.Response{Model: a.model, Text: first.text.String(), ToolCalls: first.calls, FinishReason: first.finish}
	if a.usage != nil {
		r.Usage = *a.usage
	}
	for i := 1; i < len(a.choices); i++ {
		if c := &a.choices[i]; c.begun {
			r.Others = append(r.Others, c.other(i))
		}
	}
	return r
}

func (c *choice) other(index int) llm.Other {
	o := llm.Other{Index: index, First: true, Text: c.text.String(), FinishReason: c.finish}
	for i, call := range c.calls {
		o.ToolCalls = append(o.ToolCalls, llm.ToolCallDelta{Index: i, ID: call.ID, Name: call.Name, Arguments: call.Arguments})
	}
	return o
}
