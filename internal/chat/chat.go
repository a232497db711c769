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

// Limit is the name under which an endpoint takes the limit of tokens.
type Limit string

// The names. OpenAI's reasoning models insist on the new one; every compatible
// server knows the old one, and some know no other.
const (
	MaxTokens           Limit = "max_tokens"
	MaxCompletionTokens Limit = "max_completion_tokens"
)

// other is the name that l is not.
func (l Limit) other() Limit {
	if l == MaxCompletionTokens {
		return MaxTokens
	}
	return MaxCompletionTokens
}
