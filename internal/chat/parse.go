package chat

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// Limits on what is asked. They are OpenAI's, or wider where other vendors
// take more; they keep out what no vendor takes.
const (
	maxName        = 256 // bytes, of models, users, functions and the like
	maxMessages    = 2_048
	maxParts       = 2_048 // of one message
	maxTools       = 1_024
	maxCalls       = 1_024 // of tools, in one message
	maxStops       = 64
	maxAnswers     = 128
	maxLimit       = 10_000_000 // tokens
	maxTemperature = 2

	maxMetadata      = 16 // pairs
	maxMetadataKey   = 64 // characters
	maxMetadataValue = 512
)

// parser reads a request member by member.
type parser struct {
	Parsed
	document.Faults
	limit     string // the name under which a limit of tokens was given
	tools     string // the name under which tools were
	callIndex int    // of the message with the function call that a function's message answers, from 1
}

// Parse reads the body of a POST /v1/chat/completions, which it keeps as
// Request.Body. Its error is a *document.InvalidError. Members that it does
// not know are left to the vendor; what the fields have no words for, such as
// tools that are no functions, is in Body only.
func Parse(body []byte) (Parsed, error) {
	doc, err := document.Parse(body)
	if err != nil {
		return Parsed{}, err
	}
	p := parser{Parsed: Parsed{Request: llm.Request{Format: llm.FormatChat, Body: body}}}
	p.Top(doc, func(name string, v gjson.Result) {
		if p.read(name, v) {
			return
		}
		if other := lowered(name); other != name && new(parser).read(other, v) {
			p.Add(document.CodeValue, name, "must be written %s", other)
		}
	})
	if p.Model == "" {
		p.Missing("model")
	}
	if len(p.Messages) == 0 {
		p.Missing("messages")
	}
	if err := p.Err(); err != nil {
		return Parsed{}, err
	}
	return p.Parsed, nil
}

// lowered is name in lower case, as readers fold it that take no notice of the
// case: what is ASCII only in upper case is folded too.
func lowered(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// read reads a member, and reports whether it is one that it knows: all others
// are the vendor's. Its cases call what reads them by name, so that a parser needs
// no memory of its own: handed to functions out of a table it took 416 bytes.
func (p *parser) read(name string, v gjson.Result) bool {
	switch name {
	case "model":
		p.Model = p.Word(name, v, maxName)
	case "messages":
		p.readMessages(v)
	case oldLimit, newLimit:
		p.readLimit(name, v)
	case "temperature":
		p.Temperature = p.Number(name, v, 0, maxTemperature)
	case "top_p":
		p.TopP = p.Number(name, v, 0, 1)
	case "n":
		p.N = p.Whole(name, v, 1, maxAnswers)
	case "stop":
		p.readStop(v)
	case "reasoning_effort":
		p.Effort = p.Word(name, v, maxName)
	case "response_format":
		p.readResponseFormat(v)
	case "tools":
		p.readTools(v)
	case "tool_choice":
		p.readToolChoice(v)
	case "parallel_tool_calls":
		p.SerialTools = !p.Boolean(name, v)
	case "functions":
		p.readFunctions(v)
	case "function_call":
		p.readFunctionChoice(v)
	default:
		return p.readDelivery(name, v)
	}
	return true
}

// readDelivery is read for what is not the model's business.
func (p *parser) readDelivery(name string, v gjson.Result) bool {
	switch name {
	case "stream":
		p.Stream = p.Boolean(name, v)
	case "stream_options":
		p.readStreamOptions(v)
	case "user":
		p.User = p.readUser(v)
	case "metadata":
		p.Metadata = p.Pairs(name, v, maxMetadata, maxMetadataKey, maxMetadataValue)
	default:
		return false
	}
	return true
}

func (p *parser) readLimit(name string, v gjson.Result) {
	if p.limit != "" {
		p.Add(document.CodeValue, name, "cannot be sent together with %s", p.limit)
		return
	}
	p.limit = name
	p.MaxTokens = p.Whole(name, v, 1, maxLimit)
}

func (p *parser) readStop(v gjson.Result) {
	if v.Type == gjson.String {
		p.Stop = []string{p.Text("stop", v)}
		return
	}
	p.List("stop", v, 0, maxStops, func(v gjson.Result) { p.Stop = append(p.Stop, p.Text("", v)) })
}

func (p *parser) readUser(v gjson.Result) string {
	user := p.Text("user", v)
	if len(user) > maxName {
		p.Add(document.CodeValue, "user", "is %d bytes long, at most %d are allowed", len(user), maxName)
	}
	return user
}

func (p *parser) readStreamOptions(v gjson.Result) {
	p.Members("stream_options", v, func(name string, v gjson.Result) {
		if name == "include_usage" {
			p.IncludeUsage = p.Boolean(name, v)
		}
	})
}
