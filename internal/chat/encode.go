package chat

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// Encode makes a body from r's fields, without a look at r.Body. It asks for
// pieces where r.Emit does. It fails where the fields hold what chat
// completions have no words for.
func Encode(r llm.Request) ([]byte, error) { return encode(r, Dialect{}) }

func encode(r llm.Request, d Dialect) ([]byte, error) {
	e := encoder{writer{out: make([]byte, 0, sizeOf(r))}, nil}
	e.object(func() {
		e.text("model", r.Model)
		e.list("messages", len(r.Messages), func(i int) { e.message(&r.Messages[i]) })
		e.limits(r, d)
		e.tools(r)
		e.responseFormat(r.ResponseFormat)
		if r.Effort != "" {
			e.text("reasoning_effort", r.Effort)
		}
		if r.Emit != nil {
			e.raw("stream", "true")
			if !d.NoStreamOptions {
				e.raw("stream_options", `{"include_usage":true}`)
			}
		}
	})
	return e.out, e.err
}

// sizeOf is about how long the body will be.
func sizeOf(r llm.Request) int {
	const own, perMessage, perTool = 256, 64, 96
	n := own + len(r.Messages)*perMessage + len(r.Tools)*perTool
	for i := range r.Messages {
		n += len(r.Messages[i].Content)
		for _, part := range r.Messages[i].Parts {
			n += perMessage + len(part.Data)
		}
	}
	for i := range r.Tools {
		n += len(r.Tools[i].Parameters) + len(r.Tools[i].Description)
	}
	return n
}

// encoder writes a request. Its err is the first thing that cannot be said.
type encoder struct {
	writer
	err error
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *encoder) limits(r llm.Request, d Dialect) {
	if name, _ := d.limit(); r.MaxTokens > 0 {
		e.whole(name, int64(r.MaxTokens))
	}
	e.number("temperature", r.Temperature)
	e.number("top_p", r.TopP)
	if r.N > 0 {
		e.whole("n", int64(r.N))
	}
	if len(r.Stop) > 0 {
		e.list("stop", len(r.Stop), func(i int) { e.item(); e.str(r.Stop[i]) })
	}
}

func (e *encoder) number(name string, n *float64) {
	switch {
	case n == nil:
	case math.IsNaN(*n) || math.IsInf(*n, 0):
		e.fail("%s is %g, which JSON has no number for", name, *n)
	default:
		e.raw(name, strconv.FormatFloat(*n, 'g', -1, 64))
	}
}

func (e *encoder) message(m *llm.Message) {
	e.entry(func() {
		e.text("role", m.Role)
		switch {
		case m.Parts != nil:
			e.list("content", len(m.Parts), func(i int) { e.part(&m.Parts[i]) })
		case m.Content == "" && m.Role == llm.RoleAssistant && (len(m.ToolCalls) > 0 || m.Refusal != ""):
			e.raw("content", "null")
		default:
			e.text("content", m.Content)
		}
		if m.Name != "" {
			e.text("name", m.Name)
		}
		if m.Refusal != "" {
			e.text("refusal", m.Refusal)
		}
		if m.ToolCallID != "" {
			e.text("tool_call_id", m.ToolCallID)
		}
		e.calls(m.ToolCalls)
	})
}

func (e *encoder) part(part *llm.Part) {
	e.entry(func() {
		switch part.Kind {
		case llm.PartText:
			e.text("type", typeText)
			e.text(typeText, part.Text)
		case llm.PartImage:
			e.text("type", typeImage)
			e.member(typeImage, func() { e.image(part) })
		case llm.PartAudio:
			e.text("type", typeAudio)
			e.member(typeAudio, func() { e.audio(part) })
		case llm.PartFile:
			e.text("type", typeFile)
			e.member(typeFile, func() { e.file(part) })
		default:
			e.fail("a part of a message is %s, which cannot be sent as chat", strings.TrimPrefix(part.Kind, foreign))
		}
	})
}

func (e *encoder) image(part *llm.Part) {
	e.text("url", sourceOf(part))
	if part.Detail != "" {
		e.text("detail", part.Detail)
	}
	if part.URL == "" && part.Data == "" {
		e.fail("an image has neither a URL nor data")
	}
}

func (e *encoder) audio(part *llm.Part) {
	e.text("data", part.Data)
	e.text("format", formatOf(part.MediaType))
	if part.Data == "" {
		e.fail("audio must come as data to be sent as chat, not by its URL")
	}
}

func (e *encoder) file(part *llm.Part) {
	if part.Name != "" {
		e.text("filename", part.Name)
	}
	e.text("file_data", sourceOf(part))
	if part.URL == "" && part.Data == "" {
		e.fail("a file has neither a URL nor data")
	}
}

// sourceOf is the way back from place.
func sourceOf(part *llm.Part) string {
	switch {
	case part.URL != "":
		return part.URL
	case part.MediaType == "" && part.Kind != llm.PartImage:
		return part.Data
	}
	return "data:" + part.MediaType + ";base64," + part.Data
}

func (e *encoder) tools(r llm.Request) {
	if len(r.Tools) > 0 {
		e.list("tools", len(r.Tools), func(i int) { e.tool(&r.Tools[i]) })
	}
	switch choice := r.ToolChoice; choice.Mode {
	case "":
	case llm.ToolsNamed:
		e.member("tool_choice", func() {
			e.text("type", "function")
			e.member("function", func() { e.text("name", choice.Name) })
		})
	default:
		e.text("tool_choice", choice.Mode)
	}
	if r.SerialTools {
		e.raw("parallel_tool_calls", "false")
	}
}

func (e *encoder) tool(tool *llm.Tool) {
	e.entry(func() {
		e.text("type", "function")
		e.member("function", func() {
			e.text("name", tool.Name)
			if tool.Description != "" {
				e.text("description", tool.Description)
			}
			e.schema("parameters", tool.Parameters)
			if tool.Strict {
				e.raw("strict", "true")
			}
		})
	})
}

func (e *encoder) schema(name string, schema json.RawMessage) {
	if schema == nil {
		return
	}
	if err := document.Check(schema); err != nil {
		e.fail("%s %w", name, err)
	}
	e.raw(name, string(schema))
}

func (e *encoder) responseFormat(format llm.ResponseFormat) {
	switch format.Type {
	case "":
		return
	case llm.ResponseText, llm.ResponseJSON, llm.ResponseJSONSchema:
	default:
		e.fail("response_format is %s, which cannot be sent as chat without the caller's body", format.Type)
	}
	e.member("response_format", func() {
		e.text("type", format.Type)
		if format.Type != llm.ResponseJSONSchema {
			return
		}
		e.member("json_schema", func() {
			e.text("name", format.Name)
			e.schema("schema", format.Schema)
			if format.Strict {
				e.raw("strict", "true")
			}
		})
	})
}
