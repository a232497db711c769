package chat

import (
	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// readTools reads the tools that are functions. Others are the vendor's own,
// and in the body only.
func (p *parser) readTools(v gjson.Result) {
	if !p.onlyTools("tools") {
		return
	}
	p.List("tools", v, 0, maxTools, func(v gjson.Result) {
		var kind string
		var function gjson.Result
		p.Members("", v, func(name string, v gjson.Result) {
			switch name {
			case "type":
				kind = p.Word(name, v, maxName)
			case "function":
				function = v
			}
		})
		switch {
		case kind == "" && v.IsObject():
			p.Missing("type")
		case kind == "function" && !function.Exists():
			p.Missing("function")
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
	p.List("functions", v, 1, maxTools, func(v gjson.Result) {
		p.Tools = append(p.Tools, p.readFunction("", v))
	})
}

// onlyTools reports that no tools came under another name before.
func (p *parser) onlyTools(name string) bool {
	if p.tools != "" {
		p.Add(document.CodeValue, name, "cannot be sent together with %s", p.tools)
		return false
	}
	p.tools = name
	return true
}

func (p *parser) readFunction(field string, v gjson.Result) (tool llm.Tool) {
	p.Members(field, v, func(name string, v gjson.Result) {
		switch name {
		case "name":
			tool.Name = p.Word(name, v, maxName)
		case "description":
			tool.Description = p.Text(name, v)
		case "parameters":
			tool.Parameters = p.Object(name, v)
		case "strict":
			tool.Strict = p.Boolean(name, v)
		}
	})
	if tool.Name == "" && v.IsObject() {
		p.Missing(document.Below(field, "name"))
	}
	return tool
}

func (p *parser) readToolChoice(v gjson.Result) {
	if v.Type == gjson.String {
		p.ToolChoice.Mode = p.mode("tool_choice", v)
		return
	}
	p.Members("tool_choice", v, func(name string, v gjson.Result) {
		switch name {
		case "function", "custom":
			p.ToolChoice = llm.ToolChoice{Mode: llm.ToolsNamed, Name: p.named(name, v)}
		case "allowed_tools":
			p.Members(name, v, func(name string, v gjson.Result) {
				if name == "mode" {
					p.ToolChoice.Mode = p.mode(name, v)
				}
			})
		}
	})
}

// mode gives how tools are chosen; any is Mistral's word for required.
func (p *parser) mode(field string, v gjson.Result) string {
	switch word := p.Text(field, v); word {
	case llm.ToolsAuto, llm.ToolsNone, llm.ToolsRequired:
		return word
	case "any":
		return llm.ToolsRequired
	}
	if v.Type == gjson.String {
		p.Add(document.CodeValue, field, "is %s, %s", document.Show(v), document.OneOf(llm.ToolsAuto, llm.ToolsNone, llm.ToolsRequired))
	}
	return ""
}

func (p *parser) named(field string, v gjson.Result) (name string) {
	p.Members(field, v, func(member string, v gjson.Result) {
		if member == "name" {
			name = p.Word(member, v, maxName)
		}
	})
	if name == "" && v.IsObject() {
		p.Missing(document.Below(field, "name"))
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
	p.Members("response_format", v, func(name string, v gjson.Result) {
		switch name {
		case "type":
			format.Type = p.Word(name, v, maxName)
		case "json_schema":
			p.readAnswerSchema(name, v)
		}
	})
	switch {
	case !v.IsObject():
	case format.Type == "":
		p.Missing("response_format.type")
	case format.Type == llm.ResponseJSONSchema && format.Name == "":
		p.Missing("response_format.json_schema.name")
	}
}

func (p *parser) readAnswerSchema(field string, v gjson.Result) {
	format := &p.ResponseFormat
	p.Members(field, v, func(name string, v gjson.Result) {
		switch name {
		case "name":
			format.Name = p.Word(name, v, maxName)
		case "schema":
			format.Schema = p.Object(name, v)
		case "strict":
			format.Strict = p.Boolean(name, v)
		}
	})
}
