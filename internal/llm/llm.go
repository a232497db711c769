// Package llm holds the words every other room shares about language models:
// what is asked of one, what it answers, what it used, and how it fails.
// It knows no vendor, no price and no network.
package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Format is the language that a request and its answer are in.
type Format uint8

// The formats. A request that came by busu's own endpoint counts as chat.
const (
	FormatChat       Format = iota // OpenAI's chat completions: every provider speaks it
	FormatMessages                 // Anthropic's messages
	FormatEmbeddings               // OpenAI's embeddings
)

// Request is one call of one model.
//
// Body is what the caller wrote, and a provider at home in Format sends it on
// with another model name and nothing else changed but what it must. The other
// fields say the same in words of our own, for providers that translate, for
// routing, and for requests that came without a Body.
type Request struct {
	Format Format
	Model  string // the name the provider knows
	Body   []byte // JSON object in Format; nil: made from the fields below. Never changed
	Emit   Emit   // takes the answer piece by piece; nil: it comes whole
	Caller string // whose turn it is where calls must wait: the key, or else the user. Never sent to a vendor

	// Headers are those of the caller's that belong to Format, such as
	// anthropic-beta, by lower-case name. They go on with Body only.
	Headers map[string]string

	Messages       []Message
	MaxTokens      int // upper limit of generated tokens; 0: the provider's own
	Temperature    *float64
	TopP           *float64
	Stop           []string
	N              int // answers asked for; 0 is 1
	Tools          []Tool
	ToolChoice     ToolChoice
	SerialTools    bool // one tool call at a time
	ResponseFormat ResponseFormat
	Effort         string // of reasoning, in OpenAI's words; "" is the provider's default
}

// Emit takes a piece of an answer before the next one is asked for. Its error
// means that nobody listens any more: the call ends with it. What a Chunk
// points to is the provider's again after the return.
type Emit func(Chunk) error

// Roles of a message.
const (
	RoleSystem    = "system"
	RoleDeveloper = "developer" // a system message in newer words
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Message is one turn of a conversation.
type Message struct {
	Role       string
	Content    string     // its text; that of all its parts where it has some
	Parts      []Part     // nil where the content is plain text
	ToolCalls  []ToolCall // of an assistant
	ToolCallID string     // what a tool's message answers
	Name       string
	Refusal    string // of an assistant
}

// Kinds of parts.
const (
	PartText  = "text"
	PartImage = "image"
	PartAudio = "audio"
	PartFile  = "file"
)

// Part is a piece of a message's content. An image, audio or a file is at URL,
// or is Data with its MediaType.
type Part struct {
	Kind      string
	Text      string
	URL       string
	MediaType string // such as image/png
	Data      string // base64
	Name      string // of a file
	Detail    string // of an image: low, high, auto or ""
}

// Tool is a function that a model may ask to be called.
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // JSON Schema; nil: it takes none
	Strict      bool
}

// ToolCall is a model's wish to have a function called.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string // JSON, as the model wrote it
}

// Modes of a ToolChoice.
const (
	ToolsAuto     = "auto"
	ToolsNone     = "none"
	ToolsRequired = "required"
	ToolsNamed    = "named"
)

// ToolChoice says which tools a model may or must call. The zero value is the
// provider's default.
type ToolChoice struct {
	Mode string
	Name string // where Mode is ToolsNamed
}

// Types of a ResponseFormat.
const (
	ResponseText       = "text"
	ResponseJSON       = "json_object"
	ResponseJSONSchema = "json_schema"
)

// ResponseFormat is the form that an answer must have; the zero value is text.
type ResponseFormat struct {
	Type   string
	Name   string
	Schema json.RawMessage
	Strict bool
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

// Finish reasons, in OpenAI's words.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishContentFilter = "content_filter"
	FinishToolCalls     = "tool_calls"
)

// Usage counts tokens. In includes CachedIn and CacheWriteIn; Out includes
// Reasoning.
type Usage struct {
	In           int64 // prompt tokens in all
	CachedIn     int64 // of these, read from the provider's prompt cache
	CacheWriteIn int64 // of these, written to the provider's prompt cache
	Out          int64 // generated tokens in all
	Reasoning    int64 // of these, spent on reasoning the caller does not see
}

// Response is one answer. Of several (Request.N), the fields describe the
// first; Body holds all, or else Others the rest.
type Response struct {
	Model        string // what the vendor says answered; "" where it does not say
	Text         string
	Refusal      string
	ToolCalls    []ToolCall
	FinishReason string
	Usage        Usage
	Body         []byte // JSON in the request's format, as the vendor wrote it; nil where it was translated or came in pieces
	Others       []Other
}

// Other is one of several answers, but not the first. As a piece of one it says
// what it adds, with calls that are whole.
type Other struct {
	Index        int  // from 1
	First        bool // of its answer's pieces
	Text         string
	ToolCalls    []ToolCallDelta
	FinishReason string
}

// Chunk is one piece of an answer. Data is the vendor's own, in the request's
// format; nil where the provider translates: then the fields are all there is.
type Chunk struct {
	Event        string // the event's name, in formats that name them
	Data         []byte // JSON
	Text         string // what it adds to the first answer's text
	Refusal      string
	ToolCalls    []ToolCallDelta
	FinishReason string  // in the piece that ends the first answer
	Usage        *Usage  // where the vendor tells it: the whole call's up to here
	From         string  // the id of the model that answers, for those who did not call it
	Others       []Other // what it adds to other answers than the first, where Data is nil
}

// ToolCallDelta adds to the call at Index; ID and Name come with its first
// piece.
type ToolCallDelta struct {
	Index     int
	ID        string
	Name      string
	Arguments string
}

// Empty reports whether the chunk adds nothing that a caller would miss if
// the call failed now and another model were asked.
func (c *Chunk) Empty() bool {
	return c.Text == "" && c.Refusal == "" && len(c.ToolCalls) == 0 && c.FinishReason == "" && len(c.Others) == 0
}

// Clone copies the chunk with all that it points to, for those who keep it.
func (c Chunk) Clone() Chunk {
	c.Data, c.ToolCalls, c.Others = slices.Clone(c.Data), slices.Clone(c.ToolCalls), slices.Clone(c.Others)
	for i, o := range c.Others {
		c.Others[i].ToolCalls = slices.Clone(o.ToolCalls)
	}
	if c.Usage != nil {
		usage := *c.Usage
		c.Usage = &usage
	}
	return c
}

// chunkOverhead is about what a chunk takes beside its texts, in bytes.
const chunkOverhead = 160

// Size is about what the chunk takes in memory, in bytes.
func (c *Chunk) Size() int {
	n := chunkOverhead + len(c.Data) + len(c.Text) + len(c.Refusal)
	for _, t := range c.ToolCalls {
		n += chunkOverhead + len(t.Arguments)
	}
	for _, o := range c.Others {
		n += chunkOverhead + len(o.Text)
		for _, t := range o.ToolCalls {
			n += chunkOverhead + len(t.Arguments)
		}
	}
	return n
}

// Provider calls models of one vendor.
//
// Complete returns a whole answer or an error; when the vendor could be
// reached, or was tried, the error wraps a *ProviderError. It honours ctx.
//
// With Request.Emit the answer goes there in pieces, and the Response is what
// they add up to, without a Body. A call that fails half-way returns, beside
// its error, what had been received: its text and its usage are paid for.
// Complete does not call Emit after it has returned.
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

// Purpose is what a model is made for.
type Purpose string

// The purposes. "" counts as chat.
const (
	PurposeChat      Purpose = "chat"
	PurposeEmbedding Purpose = "embedding"
)

// Ability is a set of things that some models can do and others cannot.
type Ability uint8

// The abilities.
const (
	AbilityTools  Ability = 1 << iota // may be given tools to call
	AbilityImages                     // reads images
	AbilityJSON                       // keeps to a response format
)

// Model is one model a caller can name.
type Model struct {
	ID            string // the name callers see
	Provider      string // the configured provider's name
	Upstream      string // the name sent to the provider
	Tier          Tier   // of a model that chats; "" for the others
	ContextTokens int    // prompt and answer together; 0: unknown
	Purpose       Purpose
	Lacks         Ability // what it is known not to do
}

// Chats reports whether m answers conversations.
func (m Model) Chats() bool { return m.Purpose == PurposeChat || m.Purpose == "" }

// Can reports whether m is not known to lack any of wanted: what nobody knows
// is left to the vendor to refuse.
func (m Model) Can(wanted Ability) bool { return m.Lacks&wanted == 0 }

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
	ErrorOverloaded  ErrorKind = "overloaded"   // we have no room for another call, and did not ask
)

// ProviderError is a failed call. Err is for logs: it holds no key, and no
// word of the vendor's, who may quote the prompt. Those are in Said.
type ProviderError struct {
	Provider   string
	Kind       ErrorKind
	Status     int           // the vendor's HTTP status, 0 if there was none
	RetryAfter time.Duration // when to ask again, 0 if nobody said
	Unsent     bool          // nothing was asked of the vendor: it cannot charge for it. false: it may
	Said       string        // by the vendor, without keys: for the caller who is to mend the request, and for no log
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
