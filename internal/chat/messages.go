package chat

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// roleFunction is what a tool's message was called when tools were functions.
const roleFunction = "function"

// turn is one message's members before its role says what they mean.
type turn struct {
	role, content, name, refusal, calls, callID, call gjson.Result
	audio                                             bool // it is an answer in sound, known to the vendor by its id
}

func (p *parser) readMessages(v gjson.Result) {
	p.List("messages", v, 1, maxMessages, func(v gjson.Result) {
		p.Messages = append(p.Messages, p.readMessage(len(p.Messages), v))
	})
}

func (p *parser) readMessage(index int, v gjson.Result) llm.Message {
	before := p.Count()
	t := p.takeApart(v)
	if p.Count() > before {
		return llm.Message{}
	}
	if !t.role.Exists() {
		p.Missing("role")
		return llm.Message{}
	}
	m := llm.Message{Role: p.Text("role", t.role)}
	if t.name.Exists() {
		m.Name = p.Word("name", t.name, maxName)
	}
	switch m.Role {
	case llm.RoleSystem, llm.RoleDeveloper, llm.RoleUser:
		p.readContent(&m, t.content)
	case llm.RoleAssistant:
		p.readAssistant(&m, index, t)
	case llm.RoleTool:
		p.readContent(&m, t.content)
		p.readCallID(&m, t.callID)
	case roleFunction:
		p.readFunctionResult(&m, t)
	default:
		if t.role.Type != gjson.String {
			break // said already
		}
		p.Add(document.CodeValue, "role", "is %s, %s", document.Show(t.role),
			document.OneOf(llm.RoleSystem, llm.RoleDeveloper, llm.RoleUser, llm.RoleAssistant, llm.RoleTool))
	}
	return m
}

func (p *parser) takeApart(v gjson.Result) (t turn) {
	p.Members("", v, func(name string, v gjson.Result) {
		switch name {
		case "role":
			t.role = v
		case "content":
			t.content = v
		case "name":
			t.name = v
		case "refusal":
			t.refusal = v
		case "tool_calls":
			t.calls = v
		case "tool_call_id":
			t.callID = v
		case "function_call":
			t.call = v
		case "audio":
			t.audio = true
		}
	})
	return t
}

// readAssistant reads what a model said before. It may have said nothing where
// it called tools or refused.
func (p *parser) readAssistant(m *llm.Message, index int, t turn) {
	if t.refusal.Exists() {
		m.Refusal = p.Text("refusal", t.refusal)
	}
	if t.calls.Exists() {
		m.ToolCalls = p.readCalls(t.calls)
	}
	if t.call.Exists() {
		p.callIndex = index + 1
		call := p.readFunctionCall("function_call", t.call)
		call.ID = p.legacyID()
		m.ToolCalls = append(m.ToolCalls, call)
	}
	silent := t.calls.Exists() || t.call.Exists() || t.refusal.Exists() || t.audio
	if t.content.Exists() || !silent {
		p.readContent(m, t.content)
	}
}

func (p *parser) readCallID(m *llm.Message, v gjson.Result) {
	if !v.Exists() {
		p.Missing("tool_call_id")
		return
	}
	m.ToolCallID = p.Word("tool_call_id", v, maxName)
}

// readFunctionResult reads a tool's message in its old form.
func (p *parser) readFunctionResult(m *llm.Message, t turn) {
	m.Role, m.ToolCallID = llm.RoleTool, p.legacyID()
	if m.Name == "" {
		p.Missing("name")
	}
	if p.callIndex == 0 {
		p.Add(document.CodeValue, "role", "is function, which must follow an assistant's message with a function_call")
	}
	if t.content.Exists() {
		p.readContent(m, t.content)
	}
}

// legacyID names the last function call. Such calls had no ids, which those
// who translate need.
func (p *parser) legacyID() string { return fmt.Sprintf("call_%d", p.callIndex) }

// readContent reads text, or a list of parts. An assistant's refusal may come
// as a part and is none here.
func (p *parser) readContent(m *llm.Message, v gjson.Result) {
	switch {
	case !v.Exists():
		p.Missing("content")
	case v.Type == gjson.String:
		m.Content = p.Text("content", v)
	case v.IsArray():
		m.Parts = []llm.Part{}
		p.List("content", v, 1, maxParts, func(v gjson.Result) { p.readPart(m, v) })
		m.Content = textOf(m.Parts)
	default:
		p.Add(document.CodeType, "content", "is %s, must be a string or a list of parts", document.Show(v))
	}
}

// textOf is the text of all parts, a line each.
func textOf(parts []llm.Part) string {
	var texts []string
	for _, part := range parts {
		if part.Kind == llm.PartText {
			texts = append(texts, part.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func (p *parser) readCalls(v gjson.Result) (calls []llm.ToolCall) {
	p.List("tool_calls", v, 1, maxCalls, func(v gjson.Result) {
		calls = append(calls, p.readCall(v))
	})
	return calls
}

// readCall reads a call of a function, or of a custom tool, whose input stands
// for the arguments.
func (p *parser) readCall(v gjson.Result) (call llm.ToolCall) {
	var id string
	var called bool
	p.Members("", v, func(name string, v gjson.Result) {
		switch name {
		case "id":
			id = p.Word(name, v, maxName)
		case "function", "custom":
			called, call = true, p.readFunctionCall(name, v)
		}
	})
	if !called {
		p.Missing("function")
	}
	if id == "" {
		p.Missing("id")
	}
	call.ID = id
	return call
}

func (p *parser) readFunctionCall(field string, v gjson.Result) (call llm.ToolCall) {
	before := p.Count()
	var name, arguments gjson.Result
	p.Members("", v, func(member string, v gjson.Result) {
		switch member {
		case "name":
			name = v
		case "arguments", "input":
			arguments = v
		}
	})
	if v.IsObject() {
		call.Name = p.required("name", name)
		if arguments.Exists() {
			call.Arguments = p.Text("arguments", arguments)
		} else {
			p.Missing("arguments")
		}
	}
	p.Within(before, field)
	return call
}

// required gives a word that must be there.
func (p *parser) required(field string, v gjson.Result) string {
	if !v.Exists() {
		p.Missing(field)
		return ""
	}
	return p.Word(field, v, maxName)
}
