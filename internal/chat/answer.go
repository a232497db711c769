package chat

import (
	"time"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// EncodeResponse makes a whole answer from r's fields, for those that came in
// another format or in pieces. created is told to the second.
func EncodeResponse(r llm.Response, id string, created time.Time, model string) []byte {
	const envelope = 512
	w := writer{make([]byte, 0, envelope+len(r.Text))}
	w.object(func() {
		w.head(Head{ID: id, Created: created, Model: model}, "chat.completion")
		w.list("choices", 1+len(r.Others), func(i int) {
			said, index := r, 0
			if i > 0 {
				said, index = whole(r.Others[i-1]), r.Others[i-1].Index
			}
			w.entry(func() {
				w.whole("index", int64(index))
				w.member("message", func() { w.answer(said) })
				w.raw("logprobs", "null")
				w.text("finish_reason", said.FinishReason)
			})
		})
		w.member("usage", func() { w.usage(r.Usage) })
	})
	return w.out
}

// whole is another answer as one by itself.
func whole(o llm.Other) llm.Response {
	r := llm.Response{Text: o.Text, FinishReason: o.FinishReason}
	for _, c := range o.ToolCalls {
		r.ToolCalls = append(r.ToolCalls, llm.ToolCall{ID: c.ID, Name: c.Name, Arguments: c.Arguments})
	}
	return r
}

// answer writes the message. Content is null where there is something else
// instead.
func (w *writer) answer(r llm.Response) {
	w.text("role", llm.RoleAssistant)
	if r.Text == "" && (r.Refusal != "" || len(r.ToolCalls) > 0) {
		w.raw("content", "null")
	} else {
		w.text("content", r.Text)
	}
	if r.Refusal == "" {
		w.raw("refusal", "null")
	} else {
		w.text("refusal", r.Refusal)
	}
	w.calls(r.ToolCalls)
}

// Head is what an answer's pieces have in common.
type Head struct {
	ID      string
	Created time.Time // told to the second
	Model   string
}

func (w *writer) head(h Head, object string) {
	w.text("id", h.ID)
	w.text("object", object)
	w.whole("created", h.Created.Unix())
	w.text("model", h.Model)
}

// EncodeChunk makes a piece of an answer from c's fields, for pieces that have
// no Data. The first of an answer names the role. A piece that has nothing but
// usage has no choices.
func EncodeChunk(h Head, c llm.Chunk, first bool) []byte {
	const envelope = 320
	w := writer{make([]byte, 0, envelope+len(c.Text))}
	usageOnly := c.Usage != nil && c.Empty() && !first
	w.object(func() {
		w.head(h, "chat.completion.chunk")
		if usageOnly {
			w.raw("choices", "[]")
		} else {
			w.choices(c, first)
		}
		if c.Usage != nil {
			w.member("usage", func() { w.usage(*c.Usage) })
		}
	})
	return w.out
}

// choices writes what c adds to each answer. What adds to others only leaves
// the first one out, unless it begins it.
func (w *writer) choices(c llm.Chunk, first bool) {
	pieces := make([]llm.Other, 0, 1+len(c.Others))
	others := c.Others
	c.Others = nil
	if first || !c.Empty() || len(others) == 0 {
		pieces = append(pieces, llm.Other{First: first})
	}
	pieces = append(pieces, others...)
	w.list("choices", len(pieces), func(i int) {
		of, o := c, pieces[i]
		if o.Index > 0 {
			of = llm.Chunk{Text: o.Text, ToolCalls: o.ToolCalls, FinishReason: o.FinishReason}
		}
		w.entry(func() { w.choice(of, o.Index, o.First) })
	})
}

func (w *writer) choice(c llm.Chunk, index int, first bool) {
	w.whole("index", int64(index))
	w.member("delta", func() { w.delta(c, first) })
	w.raw("logprobs", "null")
	if c.FinishReason == "" {
		w.raw("finish_reason", "null")
	} else {
		w.text("finish_reason", c.FinishReason)
	}
}

func (w *writer) delta(c llm.Chunk, first bool) {
	if first {
		w.text("role", llm.RoleAssistant)
	}
	if c.Text != "" || first && c.Refusal == "" && len(c.ToolCalls) == 0 {
		w.text("content", c.Text)
	}
	if c.Refusal != "" {
		w.text("refusal", c.Refusal)
	}
	if len(c.ToolCalls) > 0 {
		w.list("tool_calls", len(c.ToolCalls), func(i int) { w.entry(func() { w.callDelta(c.ToolCalls[i]) }) })
	}
}

// callDelta writes a piece of a tool call; its first has the id, the type and
// the name.
func (w *writer) callDelta(d llm.ToolCallDelta) {
	w.whole("index", int64(d.Index))
	if d.ID != "" {
		w.text("id", d.ID)
	}
	if d.ID != "" || d.Name != "" {
		w.text("type", "function")
	}
	w.member("function", func() {
		if d.Name != "" {
			w.text("name", d.Name)
		}
		w.text("arguments", d.Arguments)
	})
}

// AppendWithCost appends body, an answer or a piece of one, with cost_usd in its
// usage, costUSD being a JSON number, and nothing else changed. A body without
// usage gets one from u. What is not a JSON object stays as it is.
func AppendWithCost(out, body []byte, u llm.Usage, costUSD string) []byte {
	if end := usageEnd(body); end >= 0 {
		return appendCost(out, body, end, costUSD)
	}
	return append(out, spliceCost(body, u, costUSD)...)
}

// WithCost is AppendWithCost to nothing.
func WithCost(body []byte, u llm.Usage, costUSD string) []byte {
	return AppendWithCost(nil, body, u, costUSD)
}

// spliceCost is WithCost for any body.
func spliceCost(body []byte, u llm.Usage, costUSD string) []byte {
	usage := gjson.GetBytes(body, "usage") // parsing all of it would copy it
	e := edit{splicer: newSplicer(body)}
	cost := `"cost_usd":` + costUSD
	switch told := usage.Get("cost_usd"); {
	case !usage.Exists():
		doc := gjson.Parse(document.View(body))
		if !doc.IsObject() {
			return body
		}
		e.insert(doc, `"usage":`+usageWith(u, costUSD))
	case !usage.IsObject():
		e.value(usage, usageWith(u, costUSD))
	case told.Exists():
		e.value(told, costUSD)
	default:
		e.insert(usage, cost)
	}
	return e.finish()
}

// usageWith is a usage object with its cost.
func usageWith(u llm.Usage, costUSD string) string {
	var w writer
	w.object(func() {
		w.usage(u)
		w.raw("cost_usd", costUSD)
	})
	return string(w.out)
}
