package chat

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
)

// readTools reads the tools that are functions. Others are the vendor's own,
// and in the body only.
func (p *parser) readTools(v gjson.Result) {
	if !p.onlyTools("tools") {
		return
	}
	p.list("tools", v, 0, maxTools, func(v gjson.Result) {
		var kind string
		var function gjson.Result
		p.members("", v, func(name string, v gjson.Result) bool {
			switch name {
			case "type":
				kind = p.word(name, v, maxName)
			case "function":
				function = v
			default:
				return false
			}
			return true
		})
		switch {
		case kind == "" && v.IsObject():
			p.missing("type")
		case kind == "function" && !function.Exists():
			p.missing("function")
		case kind == "function":
			p.Tools = append(p.Tools, p.readFunction("function", function))
		}
	})
}

// readFunctions reads tools as they were written before there were others.
func (p *parser) readFunctions(v gjson.Result) {
	if !p.onlyTools("functions") {
		return
	}
	p.list("functions", v, 1, maxTools, func(v gjson.Result) {
		p.Tools = append(p.Tools, p.readFunction("", v))
	})
}

// onlyTools reports that no tools came under another name before.
func (p *parser) onlyTools(name string) bool {
	if p.tools != "" {
		p.add(CodeValue, name, "cannot be sent together with %s", p.tools)
		return false
	}
	p.tools = name
	return true
}

func (p *parser) readFunction(field string, v gjson.Result) (tool llm.Tool) {
	p.members(field, v, func(name string, v gjson.Result) bool {
		switch name {
		case "name":
			tool.Name = p.word(name, v, maxName)
		case "description":
			tool.Description = p.text(name, v)
		case "parameters":
			tool.Parameters = p.schema(name, v)
		case "strict":
			tool.Strict = p.boolean(name, v)
		default:
			return false
		}
		return true
	})
	if tool.Name == "" && v.IsObject() {
		p.missing(below(field, "name"))
	}
	return tool
}

// schema gives a JSON Schema as it is written.
func (p *parser) schema(field string, v gjson.Result) json.RawMessage {
	if !v.IsObject() {
		p.add(CodeType, field, "is %s, must be an object", show(v))
		return nil
	}
	return json.RawMessage(v.Raw)
}

func (p *parser) readToolChoice(v gjson.Result) {
	if v.Type == gjson.String {
		p.ToolChoice.Mode = p.mode("tool_choice", v)
		return
	}
	p.members("tool_choice", v, func(name string, v gjson.Result) bool {
		switch name {
		case "function", "custom":
			p.ToolChoice = llm.ToolChoice{Mode: llm.ToolsNamed, Name: p.named(name, v)}
		case "allowed_tools":
			p.members(name, v, func(name string, v gjson.Result) bool {
				if name != "mode" {
					return false
				}
				p.ToolChoice.Mode = p.mode(name, v)
				return true
			})
		default:
			return false
		}
		return true
	})
}

// mode gives how tools are chosen; any is Mistral's word for required.
func (p *parser) mode(field string, v gjson.Result) string {
	switch word := p.text(field, v); word {
	case llm.ToolsAuto, llm.ToolsNone, llm.ToolsRequired:
		return word
	case "any":
		return llm.ToolsRequired
	}
	if v.Type == gjson.String {
		p.add(CodeValue, field, "is %s, %s", show(v), one(llm.ToolsAuto, llm.ToolsNone, llm.ToolsRequired))
	}
	return ""
}

func (p *parser) named(field string, v gjson.Result) (name string) {
	p.members(field, v, func(member string, v gjson.Result) bool {
		if member != "name" {
			return false
		}
		name = p.word(member, v, maxName)
		return true
	})
	if name == "" && v.IsObject() {
		p.missing(below(field, "name"))
	}
	return name
}

// readFunctionChoice reads tool_choice in its old form.
func (p *parser) readFunctionChoice(v gjson.Result) {
	if v.Type == gjson.String {
		p.ToolChoice.Mode = p.mode("function_call", v)
		return
	}
	p.ToolChoice = llm.ToolChoice{Mode: llm.ToolsNamed, Name: p.named("function_call", v)}
}

// readResponseFormat reads the form of an answer. A type that is not known is
// kept, so that nobody who translates passes over it.
func (p *parser) readResponseFormat(v gjson.Result) {
	format := &p.ResponseFormat
	p.members("response_format", v, func(name string, v gjson.Result) bool {
		switch name {
		case "type":
			format.Type = p.word(name, v, maxName)
		case "json_schema":
			p.readAnswerSchema(name, v)
		default:
			return false
		}
		return true
	})
	switch {
	case !v.IsObject():
	case format.Type == "":
		p.missing("response_format.type")
	case format.Type == llm.ResponseJSONSchema && format.Name == "":
		p.missing("response_format.json_schema.name")
	}
}

func (p *parser) readAnswerSchema(field string, v gjson.Result) {
	format := &p.ResponseFormat
	p.members(field, v, func(name string, v gjson.Result) bool {
		switch name {
		case "name":
			format.Name = p.word(name, v, maxName)
		case "schema":
			format.Schema = p.schema(name, v)
		case "strict":
			format.Strict = p.boolean(name, v)
		default:
			return false
		}
		return true
	})
}
