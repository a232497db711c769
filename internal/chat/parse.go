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
		if read := reader(name); read != nil {
			read(&p, v)
		} else if reader(lowered(name)) != nil {
			p.Add(document.CodeValue, name, "must be written %s", lowered(name))
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

// reader is what reads a member, nil for those that are the vendor's.
func reader(name string) func(*parser, gjson.Result) {
	switch name {
	case "model":
		return func(p *parser, v gjson.Result) { p.Model = p.Word("model", v, maxName) }
	case "messages":
		return (*parser).readMessages
	case oldLimit:
		return func(p *parser, v gjson.Result) { p.readLimit(oldLimit, v) }
	case newLimit:
		return func(p *parser, v gjson.Result) { p.readLimit(newLimit, v) }
	case "temperature":
		return func(p *parser, v gjson.Result) { p.Temperature = p.Number("temperature", v, 0, maxTemperature) }
	case "top_p":
		return func(p *parser, v gjson.Result) { p.TopP = p.Number("top_p", v, 0, 1) }
	case "n":
		return func(p *parser, v gjson.Result) { p.N = p.Whole("n", v, 1, maxAnswers) }
	case "stop":
		return (*parser).readStop
	case "reasoning_effort":
		return func(p *parser, v gjson.Result) { p.Effort = p.Word("reasoning_effort", v, maxName) }
	case "response_format":
		return (*parser).readResponseFormat
	case "tools":
		return (*parser).readTools
	case "tool_choice":
		return (*parser).readToolChoice
	case "parallel_tool_calls":
		return func(p *parser, v gjson.Result) { p.SerialTools = !p.Boolean("parallel_tool_calls", v) }
	case "functions":
		return (*parser).readFunctions
	case "function_call":
		return (*parser).readFunctionChoice
	}
	return delivery(name)
}

// delivery is reader for what is not the model's business.
func delivery(name string) func(*parser, gjson.Result) {
	switch name {
	case "stream":
		return func(p *parser, v gjson.Result) { p.Stream = p.Boolean("stream", v) }
	case "stream_options":
		return (*parser).readStreamOptions
	case "user":
		return func(p *parser, v gjson.Result) { p.User = p.readUser(v) }
	case "metadata":
		return func(p *parser, v gjson.Result) {
			p.Metadata = p.Pairs("metadata", v, maxMetadata, maxMetadataKey, maxMetadataValue)
		}
	}
	return nil
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
