package chat

import (
	"slices"
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
	maxMetadataKey   = 64 // bytes
	maxMetadataValue = 2_048
)

// parser reads a request member by member.
type parser struct {
	Parsed
	faults
	limits []string // names under which a limit of tokens was given
	legacy string   // id of the function call that a function's message answers
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
	seen := p.readMembers(doc)
	for _, name := range []string{"model", "messages"} {
		if !slices.Contains(seen, name) {
			p.missing(name)
		}
	}
	if len(p.limits) > 1 {
		p.add(CodeValue, p.limits[1], "cannot be sent together with %s", p.limits[0])
	}
	if slices.Contains(seen, "tools") && slices.Contains(seen, "functions") {
		p.add(CodeValue, "functions", "cannot be sent together with tools")
	}
	if err := p.err(); err != nil {
		return Parsed{}, err
	}
	return p.Parsed, nil
}

// readMembers reads the body's own members and gives the names of those that
// are not null. Names that come twice, or in another case, are faults: another
// reader may take the other one, or take no notice of the case, and so see
// another model than the one that was checked.
func (p *parser) readMembers(doc gjson.Result) (names []string) {
	var all []string
	doc.ForEach(func(key, value gjson.Result) bool {
		name := key.Str
		if len(all) == maxMembers {
			p.add(CodeValue, "", "the body has more than %d members", maxMembers)
			return false
		}
		if len(name) > maxName {
			p.add(CodeValue, name, "has a name of more than %d bytes", maxName)
			return true
		}
		if slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(name, other) }) {
			p.add(CodeValue, name, "is given more than once")
			return true
		}
		all = append(all, name)
		read := reader(name)
		switch lower := lowered(name); {
		case read == nil && lower != name && reader(lower) != nil:
			p.add(CodeValue, name, "must be written %s", lower)
		case value.Type == gjson.Null:
		default:
			names = append(names, name)
			if read != nil {
				read(p, value)
			}
		}
		return true
	})
	return names
}

// lowered is name in lower case, as readers fold it that take no notice of the
// case: signs that only become ASCII in upper case are folded too.
func lowered(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// reader is what reads a member, nil for those that are the vendor's.
func reader(name string) func(*parser, gjson.Result) {
	switch name {
	case "model":
		return func(p *parser, v gjson.Result) { p.Model = p.word("model", v, maxName) }
	case "messages":
		return (*parser).readMessages
	case "max_tokens", "max_completion_tokens":
		return func(p *parser, v gjson.Result) { p.readLimit(name, v) }
	case "temperature":
		return func(p *parser, v gjson.Result) { p.Temperature = p.number(name, v, 0, maxTemperature) }
	case "top_p":
		return func(p *parser, v gjson.Result) { p.TopP = p.number(name, v, 0, 1) }
	case "n":
		return func(p *parser, v gjson.Result) { p.N = p.whole(name, v, 1, maxAnswers) }
	case "stop":
		return (*parser).readStop
	case "reasoning_effort":
		return func(p *parser, v gjson.Result) { p.Effort = p.word(name, v, maxName) }
	case "response_format":
		return (*parser).readResponseFormat
	case "tools":
		return (*parser).readTools
	case "tool_choice":
		return (*parser).readToolChoice
	case "parallel_tool_calls":
		return func(p *parser, v gjson.Result) { p.SerialTools = !p.boolean(name, v) }
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
		return func(p *parser, v gjson.Result) { p.Stream = p.boolean(name, v) }
	case "stream_options":
		return (*parser).readStreamOptions
	case "user":
		return func(p *parser, v gjson.Result) { p.User = p.readUser(v) }
	case "metadata":
		return func(p *parser, v gjson.Result) {
			p.Metadata = p.pairs(name, v, maxMetadata, maxMetadataKey, maxMetadataValue)
		}
	}
	return nil
}

func (p *parser) readLimit(name string, v gjson.Result) {
	p.limits = append(p.limits, name)
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
