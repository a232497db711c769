package chat

import (
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// Assembler adds pieces up to the answer that they are pieces of. The zero
// value has none yet.
type Assembler struct {
	text, refusal strings.Builder
	calls         []*call
	open          map[int]*call // the last call of an index
	model         string
	finish        string
	usage         llm.Usage
	size          int
}

// call is a tool call that grows.
type call struct {
	id, name  string
	arguments strings.Builder
}

// Add takes a piece. What it points to may change afterwards.
func (a *Assembler) Add(c llm.Chunk) {
	a.size += len(c.Text) + len(c.Refusal)
	a.text.WriteString(c.Text)
	a.refusal.WriteString(c.Refusal)
	for _, delta := range c.ToolCalls {
		a.addCall(delta)
	}
	if c.FinishReason != "" {
		a.finish = c.FinishReason
	}
	if c.Usage != nil {
		a.usage = *c.Usage
	}
	if a.model == "" && c.Data != nil {
		a.model = strings.ToValidUTF8(strings.Clone(gjson.GetBytes(c.Data, "model").String()), "\uFFFD")
	}
}

// addCall adds to the call at the delta's index. A second id there begins a
// call of its own: some vendors give every call the index 0.
func (a *Assembler) addCall(delta llm.ToolCallDelta) {
	const own = 64 // about what a call takes beside its text
	a.size += len(delta.ID) + len(delta.Name) + len(delta.Arguments)
	at := a.open[delta.Index]
	if at == nil || delta.ID != "" && at.id != "" && delta.ID != at.id {
		at = new(call)
		a.size += own
		a.calls = append(a.calls, at)
		if a.open == nil {
			a.open = map[int]*call{}
		}
		a.open[delta.Index] = at
	}
	if at.id == "" {
		at.id = delta.ID
	}
	if at.name == "" {
		at.name = delta.Name
	}
	at.arguments.WriteString(delta.Arguments)
}

// Size is about how many bytes the answer takes so far.
func (a *Assembler) Size() int { return a.size }

// Finished reports whether a piece has said why the answer ends.
func (a *Assembler) Finished() bool { return a.finish != "" }

// Response is what the pieces add up to so far. It has no Body, and no
// FinishReason before the last piece.
func (a *Assembler) Response() llm.Response {
	r := llm.Response{Model: a.model, Text: a.text.String(), Refusal: a.refusal.String(), FinishReason: a.finish, Usage: a.usage}
	for _, c := range a.calls {
		r.ToolCalls = append(r.ToolCalls, llm.ToolCall{ID: c.id, Name: c.name, Arguments: c.arguments.String()})
	}
	return r
}

// maxPiece is the length of a piece of text, in bytes: short enough to look
// like a stream, long enough not to be mostly envelope.
const maxPiece = 128

// Chunks cuts an answer into pieces, which an Assembler adds up to the same
// again but for its Model and Body. The usage comes last, by itself.
func Chunks(r llm.Response) []llm.Chunk {
	var chunks []llm.Chunk
	for text := r.Text; text != ""; {
		var piece string
		piece, text = cutPiece(text)
		chunks = append(chunks, llm.Chunk{Text: piece})
	}
	for text := r.Refusal; text != ""; {
		var piece string
		piece, text = cutPiece(text)
		chunks = append(chunks, llm.Chunk{Refusal: piece})
	}
	for i, c := range r.ToolCalls {
		chunks = append(chunks, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: i, ID: c.ID, Name: c.Name}}})
		for arguments := c.Arguments; arguments != ""; {
			var piece string
			piece, arguments = cutPiece(arguments)
			chunks = append(chunks, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: i, Arguments: piece}}})
		}
	}
	usage := r.Usage
	return append(chunks, llm.Chunk{FinishReason: r.FinishReason}, llm.Chunk{Usage: &usage})
}

// cutPiece takes a piece off the front of a text: up to a space, or else
// between two characters.
func cutPiece(text string) (piece, rest string) {
	if len(text) <= maxPiece {
		return text, ""
	}
	end := maxPiece
	for end > maxPiece-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	if space := strings.LastIndexByte(text[:end], ' '); space > 0 {
		end = space + 1
	}
	return text[:end], text[end:]
}
