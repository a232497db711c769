// Package messages is Anthropic's Messages API as a wire format, both ways:
// what callers send and get on /v1/messages, and what Anthropic gets and sends.
//
// What is only passed on is never made anew. A caller's body reaches the
// vendor with the model's name replaced, and every other byte as it was
// written. Requests that came in another format are made from their fields,
// and answers told in fields beside their bytes.
package messages

import "github.com/busuhq/busu/internal/llm"

// Version of the API, for the header anthropic-version.
const Version = "2023-06-01"

// Headers are those of a caller's that belong to the format and go on to the
// vendor with it.
func Headers() []string { return []string{"anthropic-version", "anthropic-beta"} }

// Parsed is a caller's request. Request has Format, Body and the fields that
// the body's members say; its Model is the name the caller gave, and its Emit
// is nil even where Stream is set.
type Parsed struct {
	llm.Request
	Stream bool   // the answer shall come in events
	User   string // of the caller's, "" where it is not said
}

// foreign begins the kind of a part whose type is not known here, such as
// messages/search_result: nobody who translates shall take it for something
// else, or pass over it.
const foreign = "messages/"

// Types of blocks.
const (
	blockText       = "text"
	blockImage      = "image"
	blockDocument   = "document"
	blockToolUse    = "tool_use"
	blockToolResult = "tool_result"
	blockThinking   = "thinking"
	blockRedacted   = "redacted_thinking"
)

// Types of an image's or a document's source.
const (
	sourceBase64 = "base64"
	sourceURL    = "url"
	sourceText   = "text"
)
