package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

// Scope is who shares answers.
type Scope string

// The scopes.
const (
	ScopeKey     Scope = "key"     // those who use the same API key
	ScopeProject Scope = "project" // all of a project
	ScopeAll     Scope = "all"     // all projects
)

// Question is everything that decides which answers fit, but for the models
// that may give them: those are named when the answer is looked up.
type Question struct {
	Request     *llm.Request
	Stream      bool // the answer is to come in pieces
	Project     string
	KeyID       string
	Experiments []event.Arm // that the request is in: their arms share nothing
	Holdout     bool        // nor does the hold-out
	Constraints []string    // on who may answer beyond the models, such as a region; in any order
}

// Key names the answers to a question: SHA-256 of its canonical form.
type Key struct {
	Sum   [sha256.Size]byte // what answers are kept under
	Exact [sha256.Size]byte // the same, unless questions that are similar share a Sum
	want  want
}

// want is what an answer must be to be kept.
type want uint8

const (
	wantBody       want = 1 << iota // it may say what only a vendor's own body can
	wantJSON                        // its text is a JSON value
	wantEmbeddings                  // it has no text at all
)

func wantOf(r *llm.Request) want {
	var w want
	if r.ResponseFormat.Type == llm.ResponseJSON || r.ResponseFormat.Type == llm.ResponseJSONSchema {
		w |= wantJSON
	}
	if r.Format == llm.FormatEmbeddings {
		w |= wantEmbeddings
	}
	return w
}

// Fingerprint is the part of a key that filters work with.
func (k Key) Fingerprint() uint64 { return binary.LittleEndian.Uint64(k.Sum[:]) }

// Name is the key as text without special characters, 43 bytes.
func (k Key) Name() string { return string(k.AppendName(nil)) }

// AppendName appends the name to dst.
func (k Key) AppendName(dst []byte) []byte { return base64.RawURLEncoding.AppendEncode(dst, k.Sum[:]) }

// Within names a question that only models may answer, in any order: those who
// ask it at once are given one answer.
func (k Key) Within(models []string) [sha256.Size]byte {
	var room [16]string // more than plans have; it stays on the stack
	sorted := append(room[:0], models...)
	slices.Sort(sorted)
	w := newWriter()
	defer w.free()
	w.out = append(w.out[:0], k.Sum[:]...)
	w.texts(sorted)
	return sha256.Sum256(w.out)
}

// Keys makes keys as they are configured.
type Keys struct {
	Scope   Scope
	Similar bool // questions that differ in case, white space and the like share answers
}

// keyVersion changes when the canonical form does: answers kept under another
// form are not found.
const keyVersion = "busu cache 1"

// Of gives the key of a question, and false when its answers cannot be kept:
// it asks for several at once, its body is no JSON object, or it asks, for an
// answer in pieces, for what pieces put together do not say.
func (k Keys) Of(q Question) (Key, bool) {
	w := newWriter()
	defer w.free()
	if q.Request.N > 1 || !w.question(k.Scope, q, q.Request.Body, nil) || w.whole && q.Stream {
		return Key{}, false
	}
	key := Key{want: wantOf(q.Request)}
	if w.whole {
		key.want |= wantBody
	}
	key.Exact = sha256.Sum256(w.out)
	key.Sum = key.Exact
	if !k.Similar {
		return key, true
	}
	body, ok := foldBody(q.Request.Body)
	if !ok || w.duplicates || !w.question(k.Scope, q, body, fold) {
		return key, true // those that cannot be folded are kept apart from all others
	}
	w.text("similar")
	key.Sum = sha256.Sum256(w.out)
	return key, true
}

// writer writes canonical forms. Everything is behind its length or number, so
// that nothing can be taken for something else.
type writer struct {
	canonical
	whole bool
	fold  func(string) string // what the user says; nil: as it is
}

var writers = sync.Pool{New: func() any { return new(writer) }}

func newWriter() *writer { return writers.Get().(*writer) }

// mostReused bounds the buffers that are kept for other questions, in bytes.
const mostReused = 256 << 10

func (w *writer) free() {
	w.in, w.fold = nil, nil
	if cap(w.out)+cap(w.scratch) <= mostReused {
		writers.Put(w)
	}
}

func (w *writer) count(n int)   { w.out = binary.AppendVarint(w.out, int64(n)) }
func (w *writer) text(s string) { w.out = appendBytes(w.out, s) }

func (w *writer) texts(all []string) {
	w.count(len(all))
	for _, s := range all {
		w.text(s)
	}
}

func (w *writer) flag(b bool) {
	if b {
		w.count(1)
	} else {
		w.count(0)
	}
}

func (w *writer) float(f *float64) {
	w.flag(f != nil)
	if f != nil {
		w.out = binary.LittleEndian.AppendUint64(w.out, math.Float64bits(*f+0)) // -0 is 0
	}
}

// json writes a JSON value; one that is none is written as it is.
func (w *writer) json(raw json.RawMessage) {
	from := len(w.out)
	w.in, w.at = raw, 0
	if err := w.value(0); err == nil && w.end() == nil {
		return
	}
	w.spans = w.spans[:0]
	w.out = appendBytes(append(w.out[:from], 'x'), raw)
}

// question writes all of a question, and reports whether it could.
func (w *writer) question(s Scope, q Question, body []byte, fold func(string) string) bool {
	w.out, w.spans, w.whole, w.duplicates, w.fold = w.out[:0], w.spans[:0], false, false, fold
	w.text(keyVersion)
	w.scope(s, q)
	w.count(len(q.Experiments))
	for _, a := range q.Experiments {
		w.text(a.Experiment)
		w.text(a.Arm)
	}
	w.flag(q.Holdout)
	constraints := q.Constraints
	if !slices.IsSorted(constraints) {
		constraints = slices.Sorted(slices.Values(constraints))
	}
	w.texts(constraints)
	w.request(q.Request)
	w.flag(body != nil)
	return body == nil || w.body(body)
}

func (w *writer) scope(s Scope, q Question) {
	w.text(string(s))
	switch s {
	case ScopeAll:
	case ScopeKey:
		w.text(q.Project)
		w.text(q.KeyID)
	default:
		w.text(q.Project)
	}
}

// request writes what a request says in words of our own. A provider may be
// sent this or the body: both count, for they can differ.
func (w *writer) request(r *llm.Request) {
	w.count(int(r.Format))
	w.count(len(r.Messages))
	for i := range r.Messages {
		w.message(&r.Messages[i])
	}
	w.count(r.MaxTokens)
	w.float(r.Temperature)
	w.float(r.TopP)
	w.texts(r.Stop)
	w.count(max(r.N, 1))
	w.count(len(r.Tools))
	for _, t := range r.Tools {
		w.text(t.Name)
		w.text(t.Description)
		w.json(t.Parameters)
		w.flag(t.Strict)
	}
	w.text(r.ToolChoice.Mode)
	w.text(r.ToolChoice.Name)
	w.flag(r.SerialTools)
	w.text(r.ResponseFormat.Type)
	w.text(r.ResponseFormat.Name)
	w.json(r.ResponseFormat.Schema)
	w.flag(r.ResponseFormat.Strict)
	w.text(r.Effort)
	w.headers(r.Headers)
}

func (w *writer) headers(all map[string]string) {
	w.count(len(all))
	if len(all) == 0 { // nearly always
		return
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.text(name)
		w.text(all[name])
	}
}

func (w *writer) message(m *llm.Message) {
	said := func(s string) string {
		if w.fold != nil && m.Role == llm.RoleUser {
			return w.fold(s)
		}
		return s
	}
	w.text(m.Role)
	w.text(said(m.Content))
	w.count(len(m.Parts))
	for _, p := range m.Parts {
		w.text(p.Kind)
		w.text(said(p.Text))
		for _, s := range [...]string{p.URL, p.MediaType, p.Data, p.Name, p.Detail} {
			w.text(s)
		}
	}
	w.count(len(m.ToolCalls))
	for _, t := range m.ToolCalls {
		w.text(t.ID)
		w.text(t.Name)
		w.text(t.Arguments)
	}
	w.text(m.ToolCallID)
	w.text(m.Name)
	w.text(m.Refusal)
}

// body writes what the caller wrote, without what changes no answer.
func (w *writer) body(text []byte) bool {
	w.in, w.at = text, 0
	if w.space(); w.at == len(text) || text[w.at] != '{' {
		return false
	}
	w.out = append(w.out, kindObject)
	start := len(w.out)
	err := w.members(func(s span) error {
		if err := w.value(1); err != nil {
			return err
		}
		w.member(s)
		return nil
	})
	if err != nil || w.end() != nil {
		return false
	}
	w.sort(start, w.spans)
	w.spans = w.spans[:0]
	w.out = append(w.out, '}')
	return true
}

// member drops a member of the body that changes no answer, and notes one that
// may ask for more than text and tool calls.
func (w *writer) member(s span) {
	name := w.out[s.from:s.name]
	_, size := binary.Uvarint(name[1:])
	switch effectOf(name[1+size:]) {
	case effectNone:
		w.out = w.out[:s.from]
	case effectMore:
		off := w.out[s.name] == kindNull || w.out[s.name] == kindFalse
		w.whole = w.whole || !off
	}
}

// effect is what a member of a body can do to the answer.
type effect uint8

const (
	effectMore effect = iota // unknown: it may add something to the answer
	effectText               // another text or other tool calls
	effectNone
)

func effectOf(name []byte) effect {
	switch string(name) {
	case "model", "stream", "stream_options", "user", "safety_identifier", "metadata", "store":
		return effectNone
	case "messages", "system", "max_tokens", "max_completion_tokens", "stop", "stop_sequences", "n", "seed",
		"temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty",
		"logit_bias", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort",
		"verbosity", "service_tier", "prompt_cache_key":
		return effectText
	}
	return effectMore
}

// foldBody folds what the user says in a body. It reports false where it finds
// nothing that it knows. Members with the same name must not occur: of those
// it keeps one only.
func foldBody(body []byte) ([]byte, bool) {
	if body == nil {
		return nil, true
	}
	var whole map[string]json.RawMessage
	var messages []map[string]json.RawMessage
	if json.Unmarshal(body, &whole) != nil || json.Unmarshal(whole["messages"], &messages) != nil {
		return nil, false
	}
	for _, m := range messages {
		if bytes.Equal(m["role"], []byte(`"`+llm.RoleUser+`"`)) {
			m["content"] = foldContent(m["content"])
		}
	}
	var err error
	if whole["messages"], err = json.Marshal(messages); err != nil {
		return nil, false
	}
	body, err = json.Marshal(whole)
	return body, err == nil
}

// foldContent folds a text, or the texts among parts; all else stays.
func foldContent(content json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return marshal(fold(text), content)
	}
	var parts []map[string]json.RawMessage
	if json.Unmarshal(content, &parts) != nil {
		return content
	}
	for _, p := range parts {
		if json.Unmarshal(p["text"], &text) == nil && bytes.Equal(p["type"], []byte(`"`+llm.PartText+`"`)) {
			p["text"] = marshal(fold(text), p["text"])
		}
	}
	return marshal(parts, content)
}

func marshal(v any, otherwise json.RawMessage) json.RawMessage {
	if raw, err := json.Marshal(v); err == nil {
		return raw
	}
	return otherwise
}
