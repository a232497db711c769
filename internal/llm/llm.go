// Package llm holds the words every other room shares about language models:
// what is asked of one, what it answers, what it used, and how it fails.
// It knows no vendor, no price and no network.
package llm

import (
	"context"
	"fmt"
	"time"
)

// Roles of a message.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// LastUser returns the text of the last user turn, or "" when there is none.
// It is what routing looks at: a wrapper's system prompt says little about how
// hard this question is.
func LastUser(messages []Message) string {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == RoleUser {
			return messages[i].Content
		}
	}
	return ""
}

// Request is one call of one model.
type Request struct {
	Model       string // the name the provider knows
	Messages    []Message
	MaxTokens   int      // upper limit of generated tokens
	Temperature *float64 // nil: the provider's default
}

// Finish reasons, in OpenAI's words.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishContentFilter = "content_filter"
	FinishToolCalls     = "tool_calls"
)

// Usage counts tokens. In includes CachedIn; Out includes Reasoning.
type Usage struct {
	In        int64 // prompt tokens in all
	CachedIn  int64 // of these, read from the provider's prompt cache
	Out       int64 // generated tokens in all
	Reasoning int64 // of these, spent on reasoning the caller does not see
}

// Response is one complete answer.
type Response struct {
	Text         string
	FinishReason string
	Usage        Usage
}

// Provider calls models of one vendor.
//
// Complete returns a whole answer or an error; when the vendor could be
// reached, or was tried, the error wraps a *ProviderError. It honours ctx.
type Provider interface {
	Complete(ctx context.Context, r Request) (Response, error)
}

// Tier is how demanding a prompt a model is meant for.
type Tier string

// The tiers, from the least demanding.
const (
	TierSimple   Tier = "simple"
	TierModerate Tier = "moderate"
	TierComplex  Tier = "complex"
)

// Tiers lists the tiers, from the least demanding.
func Tiers() []Tier { return []Tier{TierSimple, TierModerate, TierComplex} }

// Rank orders tiers: 0 simple, 1 moderate, 2 complex; -1 when unknown.
func (t Tier) Rank() int {
	for i, tier := range Tiers() {
		if t == tier {
			return i
		}
	}
	return -1
}

// Model is one model a caller can name.
type Model struct {
	ID            string // the name callers see
	Provider      string // the configured provider's name
	Upstream      string // the name sent to the provider
	Tier          Tier
	ContextTokens int // prompt and answer together; 0: unknown
}

// ErrorKind says why a provider failed, in words that metrics can count.
type ErrorKind string

// Kinds of provider errors.
const (
	ErrorTimeout     ErrorKind = "timeout"      // no answer in time
	ErrorUnavailable ErrorKind = "unavailable"  // not reached, or 5xx
	ErrorRateLimited ErrorKind = "rate_limited" // 429
	ErrorAuth        ErrorKind = "auth"         // the provider refused our key
	ErrorRejected    ErrorKind = "rejected"     // the provider refused the request
	ErrorMalformed   ErrorKind = "malformed"    // an answer that makes no sense
	ErrorCanceled    ErrorKind = "canceled"     // the caller went away
)

// ProviderError is a failed call. Err is for logs and may quote the vendor;
// it never holds a key.
type ProviderError struct {
	Provider   string
	Kind       ErrorKind
	Status     int           // the vendor's HTTP status, 0 if there was none
	RetryAfter time.Duration // what the vendor asked for, 0 if nothing
	Err        error
}

func (e *ProviderError) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("provider %s: %s (status %d): %v", e.Provider, e.Kind, e.Status, e.Err)
	}
	return fmt.Sprintf("provider %s: %s: %v", e.Provider, e.Kind, e.Err)
}

func (e *ProviderError) Unwrap() error { return e.Err }

// Elsewhere reports whether another model may succeed where this call failed.
// Only a caller who left ends the plan: even a rejected request can suit a
// model with a larger context or another vendor's rules.
func (e *ProviderError) Elsewhere() bool { return e.Kind != ErrorCanceled }
