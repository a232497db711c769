// Package chat is OpenAI's chat completions as a wire format, both ways: what
// callers send and get on /v1/chat/completions, and what compatible vendors
// get and send.
//
// What is only passed on is never made anew. A caller's body reaches a vendor
// with the few members replaced that must be, a vendor's answer reaches the
// caller with the cost put in, and every byte between stays as it was written:
// members nobody here knows, their order, the spelling of numbers. Bodies are
// made from fields only where there is none to pass on.
package chat

import "github.com/busuhq/busu/internal/llm"

// Parsed is a caller's request. Request has Format, Body and the fields that
// the body's members say; its Model is the name the caller gave, and its Emit
// is nil even where Stream is set.
type Parsed struct {
	llm.Request
	Stream       bool              // the answer shall come in pieces
	IncludeUsage bool              // the last of which tells the usage
	User         string            // of the caller's, "" where it is not said
	Metadata     map[string]string // nil where there is none
}

// Dialect is what an endpoint takes otherwise than most. The zero value is how
// most take it.
type Dialect struct {
	// NewLimit: the limit of tokens is called max_completion_tokens. OpenAI's
	// reasoning models insist on the new name; every compatible server knows
	// max_tokens, and some know no other.
	NewLimit bool
	// NoStreamOptions: stream_options are refused, as Mistral does, which tells
	// the usage without being asked.
	NoStreamOptions bool
}

const (
	oldLimit = "max_tokens"
	newLimit = "max_completion_tokens"
)

// limit is the name of the limit of tokens, and the one that is not.
func (d Dialect) limit() (name, other string) {
	if d.NewLimit {
		return newLimit, oldLimit
	}
	return oldLimit, newLimit
}
