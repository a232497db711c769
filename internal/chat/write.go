package chat

import (
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// writer appends JSON. It puts the commas: a member or an entry that does not
// follow an opening bracket has one before it.
type writer struct{ out []byte }

// item begins an entry of a list.
func (w *writer) item() {
	if n := len(w.out); n > 0 && w.out[n-1] != '{' && w.out[n-1] != '[' {
		w.out = append(w.out, ',')
	}
}

// name begins a member. Names are our own and need no escapes.
func (w *writer) name(name string) {
	w.item()
	w.out = append(append(append(w.out, '"'), name...), `":`...)
}

func (w *writer) str(s string) { w.out = gjson.AppendJSONString(w.out, s) }

func (w *writer) text(name, s string) {
	w.name(name)
	w.str(s)
}

// raw writes a member whose value is JSON already.
func (w *writer) raw(name, value string) {
	w.name(name)
	w.out = append(w.out, value...)
}

func (w *writer) whole(name string, n int64) {
	w.name(name)
	w.out = strconv.AppendInt(w.out, n, 10)
}

func (w *writer) object(members func()) {
	w.out = append(w.out, '{')
	members()
	w.out = append(w.out, '}')
}

// entry writes an object in a list.
func (w *writer) entry(members func()) {
	w.item()
	w.object(members)
}

// member writes a member that is an object.
func (w *writer) member(name string, members func()) {
	w.name(name)
	w.object(members)
}

// list writes a member that is a list of n entries.
func (w *writer) list(name string, n int, entry func(i int)) {
	w.name(name)
	w.out = append(w.out, '[')
	for i := range n {
		entry(i)
	}
	w.out = append(w.out, ']')
}

// calls writes the tool calls of a message, where there are some.
func (w *writer) calls(calls []llm.ToolCall) {
	if len(calls) == 0 {
		return
	}
	w.list("tool_calls", len(calls), func(i int) {
		w.entry(func() {
			w.text("id", calls[i].ID)
			w.text("type", "function")
			w.function(calls[i].Name, calls[i].Arguments)
		})
	})
}

func (w *writer) function(name, arguments string) {
	w.member("function", func() {
		w.text("name", name)
		w.text("arguments", arguments)
	})
}
