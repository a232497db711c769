package messages

import (
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// Limits on what is asked. They are Anthropic's, or wider; they keep out what
// no vendor takes.
const (
	maxName     = 256 // bytes, of models, users, tools and the like
	maxMessages = 100_000
	maxBlocks   = 100_000 // of one message
	maxTools    = 10_000
	maxStops    = 10_000
	maxLimit    = 10_000_000 // tokens
)

// parser reads a request member by member.
type parser struct {
	Parsed
	faults
}

// Parse reads the body of a POST /v1/messages, which it keeps as Request.Body.
// Its error is an *InvalidError. Members that it does not know are left to the
// vendor; what the fields have no words for, such as thoughts and tools that
// the vendor runs itself, is in Body only.
func Parse(body []byte) (Parsed, error) {
	if !utf8.Valid(body) {
		return Parsed{}, broken("the body is not valid UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return Parsed{}, broken("the body is not JSON: %s (at byte %d)", syntax, syntax.Offset)
		}
		return Parsed{}, broken("the body is not JSON")
	}
	doc := gjson.ParseBytes(body)
	if !doc.IsObject() {
		return Parsed{}, broken("the body is %s, not a JSON object", show(doc))
	}
	p := parser{Parsed: Parsed{Request: llm.Request{Format: llm.FormatMessages, Body: body}}}
	var system, turns []llm.Message
	p.members("", doc, func(name string, v gjson.Result) {
		switch name {
		case "system":
			system = p.readSystem(v)
		case "messages":
			turns = p.readMessages(v)
		default:
			p.read(name, v)
		}
	})
	p.Messages = slices.Concat(system, turns)
	for _, name := range []string{"model", "messages", "max_tokens"} {
		if v := doc.Get(name); !v.Exists() || v.Type == gjson.Null {
			p.add(name, "is missing")
		}
	}
	if err := p.err(); err != nil {
		return Parsed{}, err
	}
	return p.Parsed, nil
}

// read reads a member of the body that is no conversation.
func (p *parser) read(name string, v gjson.Result) {
	switch name {
	case "model":
		p.Model = p.word(name, v, maxName)
	case "max_tokens":
		p.MaxTokens = p.whole(name, v, maxLimit) // 0 only warms the cache
	case "stream":
		p.Stream = p.boolean(name, v)
	case "temperature":
		p.Temperature = p.share(name, v)
	case "top_p":
		p.TopP = p.share(name, v)
	case "stop_sequences":
		p.list(name, v, maxStops, func(v gjson.Result) { p.Stop = append(p.Stop, p.text("", v)) })
	case "tools":
		p.list(name, v, maxTools, p.readTool)
	case "tool_choice":
		p.readToolChoice(v)
	case "output_config":
		p.readOutputConfig(v)
	case "metadata":
		p.members(name, v, func(member string, v gjson.Result) {
			if member == "user_id" {
				p.User = p.word(member, v, maxName)
			}
		})
	}
}

// readTool reads a tool that the caller runs. Those of the vendor's have
// another type.
func (p *parser) readTool(v gjson.Result) {
	var t llm.Tool
	own := true
	p.members("", v, func(name string, v gjson.Result) {
		switch name {
		case "type":
			own = p.text(name, v) == "custom"
		case "name":
			t.Name = p.word(name, v, maxName)
		case "description":
			t.Description = p.text(name, v)
		case "strict":
			t.Strict = p.boolean(name, v)
		case "input_schema":
			t.Parameters = p.schema(name, v)
		}
	})
	if own {
		p.Tools = append(p.Tools, t)
		if v.IsObject() && !v.Get("name").Exists() {
			p.add("name", "is missing")
		}
	}
}

func (p *parser) schema(name string, v gjson.Result) json.RawMessage {
	if !v.IsObject() {
		p.add(name, "is %s, must be an object", show(v))
		return nil
	}
	return json.RawMessage(v.Raw)
}

func (p *parser) readToolChoice(v gjson.Result) {
	p.members("tool_choice", v, func(name string, v gjson.Result) {
		switch name {
		case "type":
			p.ToolChoice.Mode = p.toolMode(p.text(name, v))
		case "name":
			p.ToolChoice.Name = p.word(name, v, maxName)
		case "disable_parallel_tool_use":
			p.SerialTools = p.boolean(name, v)
		}
	})
	if v.IsObject() && !v.Get("type").Exists() {
		p.add("tool_choice.type", "is missing")
	}
	if p.ToolChoice.Mode == llm.ToolsNamed && p.ToolChoice.Name == "" {
		p.add("tool_choice.name", "is missing")
	}
}

// toolMode is ours for Anthropic's word; "" for those that are new.
func (p *parser) toolMode(word string) string {
	switch word {
	case "auto":
		return llm.ToolsAuto
	case "any":
		return llm.ToolsRequired
	case "none":
		return llm.ToolsNone
	case "tool":
		return llm.ToolsNamed
	}
	p.add("type", "is %q, must be one of: auto, any, none, tool", shown(word))
	return ""
}

func (p *parser) readOutputConfig(v gjson.Result) {
	p.members("output_config", v, func(name string, v gjson.Result) {
		switch name {
		case "effort":
			p.Effort = p.word(name, v, maxName)
		case "format":
			p.members(name, v, func(member string, v gjson.Result) {
				if member == "schema" {
					p.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: "answer", Strict: true, Schema: p.schema(member, v)}
				}
			})
		}
	})
}
