package cache

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

// Entry is a kept answer with where it came from. It is shared by all who get
// it: nobody changes it.
type Entry struct {
	Project     string
	UserID      string    // whose question it answers; "" where there was none
	RequestID   uuid.UUID // of the request whose call made it
	At          time.Time // when it was made
	Provider    string
	Model       string // the name callers see
	CostNanos   int64  // of the call
	Estimated   bool   // the tokens, and with them the cost
	Experiments []event.Arm
	Holdout     bool
	Response    llm.Response

	exact [sha256.Size]byte // Key.Exact of the question
}

// own makes the entry's texts its own. As they come they may be views of a whole
// request, or of all that a vendor said, which would be kept with them and are
// not counted. What is in a Body that is kept stays a view of that.
func (e *Entry) own() {
	e.UserID = strings.Clone(e.UserID)
	r := &e.Response
	if r.Body != nil {
		return
	}
	r.Model, r.Text, r.Refusal, r.FinishReason = strings.Clone(r.Model), strings.Clone(r.Text), strings.Clone(r.Refusal), strings.Clone(r.FinishReason)
	r.ToolCalls = slices.Clone(r.ToolCalls)
	for i, c := range r.ToolCalls {
		r.ToolCalls[i] = llm.ToolCall{ID: strings.Clone(c.ID), Name: strings.Clone(c.Name), Arguments: strings.Clone(c.Arguments)}
	}
}

// Where an entry's user and project are looked for when theirs are deleted.
const ownerSize = 16

// Owner names a user of a project, or a project, without telling which.
type Owner [ownerSize]byte

// OwnerOf names a user of a project; "" is the project as a whole.
func OwnerOf(project, user string) Owner {
	w := newWriter()
	defer w.free()
	w.out = w.out[:0]
	w.text(project)
	w.text(user)
	sum := sha256.Sum256(w.out)
	return Owner(sum[:ownerSize])
}

// storable reports whether an answer may be given again: whole, not refused,
// not empty, and what was asked for.
func (k Key) storable(r *llm.Response) bool {
	switch {
	case k.want&wantBody != 0 && r.Body == nil:
		return false
	case k.want&wantEmbeddings != 0:
		return len(r.Body) > 0
	case r.Refusal != "" || r.FinishReason != llm.FinishStop && r.FinishReason != llm.FinishToolCalls:
		return false
	case len(r.ToolCalls) > 0:
		return callable(r.ToolCalls)
	case r.FinishReason == llm.FinishToolCalls || strings.TrimSpace(r.Text) == "":
		return false
	default:
		return k.want&wantJSON == 0 || json.Valid([]byte(r.Text))
	}
}

func callable(calls []llm.ToolCall) bool {
	for _, c := range calls {
		if c.Name == "" || c.Arguments != "" && !json.Valid([]byte(c.Arguments)) {
			return false
		}
	}
	return true
}

// entryOverhead is about what an entry costs in memory beside its texts, in
// bytes: the entry, its node, and two places in maps.
const entryOverhead = 700

// encodedOverhead is about what Encode writes beside the texts, in bytes.
const encodedOverhead = 160

// encodedSize is about how long what Encode writes is, in bytes.
func (e *Entry) encodedSize() int64 { return e.size() - entryOverhead + encodedOverhead }

// size is about what the entry takes in memory, in bytes.
func (e *Entry) size() int64 {
	n := entryOverhead + len(e.Project) + len(e.UserID) + len(e.Provider) + 2*len(e.Model)
	r := &e.Response
	n += len(r.Model) + len(r.Text) + len(r.Refusal) + len(r.FinishReason) + len(r.Body)
	for _, c := range r.ToolCalls {
		n += 48 + len(c.ID) + len(c.Name) + len(c.Arguments)
	}
	for _, a := range e.Experiments {
		n += 32 + len(a.Experiment) + len(a.Arm)
	}
	return int64(n)
}
