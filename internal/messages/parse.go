package messages

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
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
	document.Faults
}

// Parse reads the body of a POST /v1/messages, which it keeps as Request.Body.
// Its error is a *document.InvalidError. Members that it does not know are left
// to the vendor; what the fields have no words for, such as thoughts and tools
// that the vendor runs itself, is in Body only.
func Parse(body []byte) (Parsed, error) {
	doc, err := document.Parse(body)
	if err != nil {
		return Parsed{}, err
	}
	p := parser{Parsed: Parsed{Request: llm.Request{Format: llm.FormatMessages, Body: body}}}
	var system, turns []llm.Message
	p.Top(doc, func(name string, v gjson.Result) {
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
			p.Missing(name)
		}
	}
	if err := p.Err(); err != nil {
		return Parsed{}, err
	}
	return p.Parsed, nil
}

// read reads a member of the body that is no conversation.
func (p *parser) read(name string, v gjson.Result) {
	switch name {
	case "model":
		p.Model = p.Word(name, v, maxName)
	case "max_tokens":
		p.MaxTokens = p.Whole(name, v, 0, maxLimit) // 0 only warms the cache
	case "stream":
		p.Stream = p.Boolean(name, v)
	case "temperature":
		p.Temperature = p.Number(name, v, 0, 1)
	case "top_p":
		p.TopP = p.Number(name, v, 0, 1)
	case "stop_sequences":
		p.List(name, v, 0, maxStops, func(v gjson.Result) { p.Stop = append(p.Stop, p.Text("", v)) })
	case "tools":
		p.List(name, v, 0, maxTools, p.readTool)
	case "tool_choice":
		p.readToolChoice(v)
	case "output_config":
		p.readOutputConfig(v)
	case "metadata":
		p.Members(name, v, func(member string, v gjson.Result) {
			if member == "user_id" {
				p.User = p.Word(member, v, maxName)
			}
		})
	}
}

// readTool reads a tool that the caller runs. Those of the vendor's have
// another type.
func (p *parser) readTool(v gjson.Result) {
	var t llm.Tool
	own := true
	p.Members("", v, func(name string, v gjson.Result) {
		switch name {
		case "type":
			own = p.Text(name, v) == "custom"
		case "name":
			t.Name = p.Word(name, v, maxName)
		case "description":
			t.Description = p.Text(name, v)
		case "strict":
			t.Strict = p.Boolean(name, v)
		case "input_schema":
			t.Parameters = p.Object(name, v)
		}
	})
	if own {
		p.Tools = append(p.Tools, t)
		if v.IsObject() && !v.Get("name").Exists() {
			p.Missing("name")
		}
	}
}

func (p *parser) readToolChoice(v gjson.Result) {
	p.Members("tool_choice", v, func(name string, v gjson.Result) {
		switch name {
		case "type":
			p.ToolChoice.Mode = p.toolMode(p.Text(name, v))
		case "name":
			p.ToolChoice.Name = p.Word(name, v, maxName)
		case "disable_parallel_tool_use":
			p.SerialTools = p.Boolean(name, v)
		}
	})
	if v.IsObject() && !v.Get("type").Exists() {
		p.Missing("tool_choice.type")
	}
	if p.ToolChoice.Mode == llm.ToolsNamed && p.ToolChoice.Name == "" {
		p.Missing("tool_choice.name")
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
	p.Add(document.CodeValue, "type", "is %q, must be one of: auto, any, none, tool", document.Cut(word))
	return ""
}

func (p *parser) readOutputConfig(v gjson.Result) {
	p.Members("output_config", v, func(name string, v gjson.Result) {
		switch name {
		case "effort":
			p.Effort = p.Word(name, v, maxName)
		case "format":
			p.Members(name, v, func(member string, v gjson.Result) {
				if member == "schema" {
					p.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: "answer", Strict: true, Schema: p.Object(member, v)}
				}
			})
		}
	})
}
