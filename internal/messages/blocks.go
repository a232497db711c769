package messages

import (
	"encoding/base64"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// readSystem reads the system's text, or its blocks.
func (p *parser) readSystem(v gjson.Result) []llm.Message {
	m := llm.Message{Role: llm.RoleSystem}
	p.content("system", v, &m, nil)
	if m.Content == "" {
		return nil
	}
	return []llm.Message{{Role: m.Role, Content: m.Content}}
}

func (p *parser) readMessages(v gjson.Result) (messages []llm.Message) {
	p.List("messages", v, 0, maxMessages, func(v gjson.Result) { messages = append(messages, p.readMessage(v)...) })
	if v.IsArray() && len(messages) == 0 && p.Count() == 0 {
		p.Add(document.CodeValue, "messages", "is empty")
	}
	return messages
}

// readMessage reads one message, which becomes several where it holds the
// results of tools: they have messages of their own here.
func (p *parser) readMessage(v gjson.Result) []llm.Message {
	var role, content gjson.Result
	p.Members("", v, func(name string, v gjson.Result) {
		switch name {
		case "role":
			role = v
		case "content":
			content = v
		}
	})
	if !v.IsObject() {
		return nil
	}
	m := llm.Message{Role: p.Text("role", role)}
	switch m.Role {
	case llm.RoleUser, llm.RoleAssistant, llm.RoleSystem:
	default:
		if role.Type == gjson.String {
			p.Add(document.CodeType, "role", "is %s, must be one of: user, assistant, system", document.Show(role))
		}
	}
	if !content.Exists() {
		p.Missing("content")
		return nil
	}
	var results []llm.Message
	p.content("content", content, &m, &results)
	if len(results) > 0 && m.Content == "" && len(m.Parts) == 0 && len(m.ToolCalls) == 0 {
		return results
	}
	return append(results, m)
}

// content reads text, or a list of blocks, into m. Results of tools go to
// results; nil: there can be none here.
func (p *parser) content(field string, v gjson.Result, m *llm.Message, results *[]llm.Message) {
	if v.Type == gjson.String {
		m.Content = p.Text(field, v)
		return
	}
	if !v.IsArray() {
		p.Add(document.CodeType, field, "is %s, must be a string or a list of blocks", document.Show(v))
		return
	}
	p.List(field, v, 0, maxBlocks, func(v gjson.Result) { p.readBlock(v, m, results) })
	var texts []string
	for _, part := range m.Parts {
		if part.Kind == llm.PartText {
			texts = append(texts, part.Text)
		}
	}
	m.Content = strings.Join(texts, "\n")
}

func (p *parser) readBlock(v gjson.Result, m *llm.Message, results *[]llm.Message) {
	var f blockFields
	p.Members("", v, f.take)
	if !v.IsObject() {
		return
	}
	switch kind := p.Word("type", f.kind, maxName); kind {
	case "", blockThinking, blockRedacted: // thoughts are their own model's
	case blockText:
		m.Parts = append(m.Parts, llm.Part{Kind: llm.PartText, Text: p.Text("text", f.text)})
	case blockImage:
		m.Parts = append(m.Parts, p.readSource(llm.Part{Kind: llm.PartImage}, f.source))
	case blockDocument:
		part := llm.Part{Kind: llm.PartFile}
		if f.title.Exists() {
			part.Name = p.Text("title", f.title)
		}
		m.Parts = append(m.Parts, p.readSource(part, f.source))
	case blockToolUse:
		m.ToolCalls = append(m.ToolCalls, p.readToolUse(f))
	case blockToolResult:
		if results == nil {
			p.Add(document.CodeValue, "type", "is %q, which does not belong here", kind)
			return
		}
		result := llm.Message{Role: llm.RoleTool, ToolCallID: p.Word("tool_use_id", f.useID, maxName)}
		if f.content.Exists() {
			p.content("content", f.content, &result, nil)
		}
		*results = append(*results, result)
	default:
		m.Parts = append(m.Parts, llm.Part{Kind: foreign + kind})
	}
}

// blockFields are a block's members before its type says what they mean.
type blockFields struct{ kind, text, source, title, id, name, input, useID, content gjson.Result }

func (f *blockFields) take(name string, v gjson.Result) {
	switch name {
	case "type":
		f.kind = v
	case "text":
		f.text = v
	case "source":
		f.source = v
	case "title":
		f.title = v
	case "id":
		f.id = v
	case "name":
		f.name = v
	case "input":
		f.input = v
	case "tool_use_id":
		f.useID = v
	case "content":
		f.content = v
	}
}

func (p *parser) readToolUse(f blockFields) llm.ToolCall {
	call := llm.ToolCall{ID: p.Word("id", f.id, maxName), Name: p.Word("name", f.name, maxName), Arguments: arguments(f.input)}
	if !f.input.IsObject() {
		p.Add(document.CodeType, "input", "is %s, must be an object", document.Show(f.input))
	}
	return call
}

// readSource reads where an image or a document is. One that only the vendor
// knows, by an id of its own, is foreign to all others.
func (p *parser) readSource(part llm.Part, v gjson.Result) llm.Part {
	if !v.Exists() {
		p.Missing("source")
		return part
	}
	if !v.IsObject() {
		p.Add(document.CodeType, "source", "is %s, must be an object", document.Show(v))
		return part
	}
	before := p.Count()
	var kind, media, data, url gjson.Result
	p.Members("", v, func(name string, v gjson.Result) {
		switch name {
		case "type":
			kind = v
		case "media_type":
			media = v
		case "data":
			data = v
		case "url":
			url = v
		}
	})
	switch from := p.Word("type", kind, maxName); from {
	case sourceBase64:
		part.MediaType, part.Data = p.Word("media_type", media, maxName), p.Text("data", data)
	case sourceText:
		part.MediaType, part.Data = "text/plain", base64.StdEncoding.EncodeToString([]byte(p.Text("data", data)))
	case sourceURL:
		part.URL = p.Text("url", url)
	default:
		part = llm.Part{Kind: foreign + from}
	}
	p.Within(before, "source")
	return part
}
