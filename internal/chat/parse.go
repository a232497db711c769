package chat

import (
	"strings"

	"github.com/tidwall/gjson"

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
	faults
	limit     string // the name under which a limit of tokens was given
	tools     string // the name under which tools were
	callIndex int    // of the message with the function call that a function's message answers, from 1
}

// Parse reads the body of a POST /v1/chat/completions, which it keeps as
// Request.Body. Its error is an *InvalidError. Members that it does not know
// are left to the vendor; what the fields have no words for, such as tools
// that are no functions, is in Body only.
func Parse(body []byte) (Parsed, error) {
	doc, err := document(body)
	if err != nil {
		return Parsed{}, err
	}
	p := parser{Parsed: Parsed{Request: llm.Request{Format: llm.FormatChat, Body: body}}}
	p.readMembers(doc)
	if p.Model == "" {
		p.missing("model")
	}
	if len(p.Messages) == 0 {
		p.missing("messages")
	}
	if err := p.err(); err != nil {
		return Parsed{}, err
	}
	return p.Parsed, nil
}

// readMembers reads the body's own members. Names that come twice, or in
// another case, are faults: another reader may take the other one, or take no
// notice of the case, and so see another model than the one that was checked.
func (p *parser) readMembers(doc gjson.Result) {
	var room [32]string
	seen := room[:0]
	doc.ForEach(func(key, value gjson.Result) bool {
		name := key.Str
		if len(seen) == maxMembers {
			p.add(CodeValue, "", "the body has more than %d members", maxMembers)
			return false
		}
		seen = append(seen, name)
		read := reader(name)
		switch {
		case len(name) > maxName:
			p.add(CodeValue, name, "has a name of more than %d bytes", maxName)
		case comesTwice(seen):
			p.add(CodeValue, name, "is given more than once")
		case read == nil && reader(lowered(name)) != nil:
			p.add(CodeValue, name, "must be written %s", lowered(name))
		case read != nil && value.Type != gjson.Null:
			read(p, value)
		}
		return true
	})
}

// comesTwice reports whether the last of names is there before.
func comesTwice(names []string) bool {
	name := names[len(names)-1]
	for _, before := range names[:len(names)-1] {
		if len(before) <= maxName && strings.EqualFold(before, name) {
			return true
		}
	}
	return false
}

// lowered is name in lower case, as readers fold it that take no notice of the
// case: what is ASCII only in upper case is folded too.
func lowered(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// reader is what reads a member, nil for those that are the vendor's.
func reader(name string) func(*parser, gjson.Result) {
	switch name {
	case "model":
		return func(p *parser, v gjson.Result) { p.Model = p.word("model", v, maxName) }
	case "messages":
		return (*parser).readMessages
	case oldLimit:
		return func(p *parser, v gjson.Result) { p.readLimit(oldLimit, v) }
	case newLimit:
		return func(p *parser, v gjson.Result) { p.readLimit(newLimit, v) }
	case "temperature":
		return func(p *parser, v gjson.Result) { p.Temperature = p.number("temperature", v, 0, maxTemperature) }
	case "top_p":
		return func(p *parser, v gjson.Result) { p.TopP = p.number("top_p", v, 0, 1) }
	case "n":
		return func(p *parser, v gjson.Result) { p.N = p.whole("n", v, 1, maxAnswers) }
	case "stop":
		return (*parser).readStop
	case "reasoning_effort":
		return func(p *parser, v gjson.Result) { p.Effort = p.word("reasoning_effort", v, maxName) }
	case "response_format":
		return (*parser).readResponseFormat
	case "tools":
		return (*parser).readTools
	case "tool_choice":
		return (*parser).readToolChoice
	case "parallel_tool_calls":
		return func(p *parser, v gjson.Result) { p.SerialTools = !p.boolean("parallel_tool_calls", v) }
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
		return func(p *parser, v gjson.Result) { p.Stream = p.boolean("stream", v) }
	case "stream_options":
		return (*parser).readStreamOptions
	case "user":
		return func(p *parser, v gjson.Result) { p.User = p.readUser(v) }
	case "metadata":
		return func(p *parser, v gjson.Result) {
			p.Metadata = p.pairs("metadata", v, maxMetadata, maxMetadataKey, maxMetadataValue)
		}
	}
	return nil
}

func (p *parser) readLimit(name string, v gjson.Result) {
	if p.limit != "" {
		p.add(CodeValue, name, "cannot be sent together with %s", p.limit)
		return
	}
	p.limit = name
	p.MaxTokens = p.whole(name, v, 1, maxLimit)
}

func (p *parser) readStop(v gjson.Result) {
	if v.Type == gjson.String {
		p.Stop = []string{p.text("stop", v)}
		return
	}
	p.list("stop", v, 0, maxStops, func(v gjson.Result) { p.Stop = append(p.Stop, p.text("", v)) })
}

func (p *parser) readUser(v gjson.Result) string {
	user := p.text("user", v)
	if len(user) > maxName {
		p.add(CodeValue, "user", "is %d bytes long, at most %d are allowed", len(user), maxName)
	}
	return user
}

func (p *parser) readStreamOptions(v gjson.Result) {
	p.members("stream_options", v, func(name string, v gjson.Result) bool {
		if name != "include_usage" {
			return false
		}
		p.IncludeUsage = p.boolean(name, v)
		return true
	})
}
