package chat_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// words are texts that are hard on encoders.
func words() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"", "a", `"`, `\`, `\u0041`, "é", "漢字", "👩‍👩‍👧", "<b>&</b>", "\u2028\u2029", "a\nb\tc\r", "\x7f", strings.Repeat("x ", 300),
		})).Draw(t, "text")
		return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	})
}

func names() *rapid.Generator[string] { return rapid.StringMatching(`[a-zA-Z0-9_-]{1,40}`) }

func optional[T any](g *rapid.Generator[T]) *rapid.Generator[*T] { return rapid.Ptr(g, true) }

func schemas() *rapid.Generator[json.RawMessage] {
	return rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{}`),
		json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`), json.RawMessage("{ \"a\" : 1e5\n}")})
}

func parts() *rapid.Generator[llm.Part] {
	return rapid.Custom(func(t *rapid.T) llm.Part {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return llm.Part{Kind: llm.PartImage, URL: "https://host/" + names().Draw(t, "url"), Detail: rapid.SampledFrom([]string{"", "low", "high", "auto"}).Draw(t, "detail")}
		case 1:
			return llm.Part{Kind: llm.PartImage, MediaType: "image/png", Data: names().Draw(t, "data")}
		case 2:
			return llm.Part{Kind: llm.PartAudio, MediaType: rapid.SampledFrom([]string{"audio/mpeg", "audio/wav"}).Draw(t, "media"), Data: names().Draw(t, "data")}
		case 3:
			return llm.Part{Kind: llm.PartFile, Name: "a.pdf", MediaType: "application/pdf", Data: names().Draw(t, "data")}
		case 4:
			return llm.Part{Kind: llm.PartFile, URL: "https://host/" + names().Draw(t, "url")}
		}
		return llm.Part{Kind: llm.PartText, Text: words().Draw(t, "text")}
	})
}

func calls() *rapid.Generator[llm.ToolCall] {
	return rapid.Custom(func(t *rapid.T) llm.ToolCall {
		return llm.ToolCall{ID: names().Draw(t, "id"), Name: names().Draw(t, "name"), Arguments: words().Draw(t, "arguments")}
	})
}

// some gives a list that is nil rather than empty.
func some[T any](t *rapid.T, g *rapid.Generator[T], most int, label string) []T {
	list := rapid.SliceOfN(g, 0, most).Draw(t, label)
	if len(list) == 0 {
		return nil
	}
	return list
}

func messages() *rapid.Generator[llm.Message] {
	return rapid.Custom(func(t *rapid.T) llm.Message {
		m := llm.Message{Role: rapid.SampledFrom([]string{llm.RoleSystem, llm.RoleDeveloper, llm.RoleUser, llm.RoleAssistant, llm.RoleTool}).Draw(t, "role")}
		if rapid.Bool().Draw(t, "named") {
			m.Name = names().Draw(t, "name")
		}
		if m.Role == llm.RoleTool {
			m.ToolCallID = names().Draw(t, "answers")
		}
		if m.Role == llm.RoleAssistant {
			m.ToolCalls = some(t, calls(), 3, "calls")
			m.Refusal = words().Draw(t, "refusal")
		}
		if rapid.Bool().Draw(t, "plain") {
			m.Content = words().Draw(t, "content")
			return m
		}
		m.Parts = rapid.SliceOfN(parts(), 1, 4).Draw(t, "parts")
		var texts []string
		for _, p := range m.Parts {
			if p.Kind == llm.PartText {
				texts = append(texts, p.Text)
			}
		}
		m.Content = strings.Join(texts, "\n")
		return m
	})
}

func requests() *rapid.Generator[llm.Request] {
	return rapid.Custom(func(t *rapid.T) llm.Request {
		r := llm.Request{
			Model:       names().Draw(t, "model"),
			Messages:    rapid.SliceOfN(messages(), 1, 5).Draw(t, "messages"),
			MaxTokens:   rapid.IntRange(0, 100_000).Draw(t, "limit"),
			Temperature: optional(rapid.Float64Range(0, 2)).Draw(t, "temperature"),
			TopP:        optional(rapid.Float64Range(0, 1)).Draw(t, "top_p"),
			Stop:        some(t, words(), 4, "stop"),
			N:           rapid.IntRange(0, 8).Draw(t, "n"),
			Tools: some(t, rapid.Custom(func(t *rapid.T) llm.Tool {
				return llm.Tool{Name: names().Draw(t, "name"), Description: words().Draw(t, "description"),
					Parameters: schemas().Draw(t, "parameters"), Strict: rapid.Bool().Draw(t, "strict")}
			}), 3, "tools"),
			SerialTools: rapid.Bool().Draw(t, "serial"),
			Effort:      rapid.SampledFrom([]string{"", "none", "low", "high"}).Draw(t, "effort"),
		}
		r.ToolChoice.Mode = rapid.SampledFrom([]string{"", llm.ToolsAuto, llm.ToolsNone, llm.ToolsRequired, llm.ToolsNamed}).Draw(t, "choice")
		if r.ToolChoice.Mode == llm.ToolsNamed {
			r.ToolChoice.Name = names().Draw(t, "named")
		}
		r.ResponseFormat.Type = rapid.SampledFrom([]string{"", llm.ResponseText, llm.ResponseJSON, llm.ResponseJSONSchema}).Draw(t, "format")
		if r.ResponseFormat.Type == llm.ResponseJSONSchema {
			r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: names().Draw(t, "format name"),
				Schema: schemas().Draw(t, "schema"), Strict: rapid.Bool().Draw(t, "format strict")}
		}
		return r
	})
}

// TestWhatIsEncodedIsParsed: a body made from fields says the same fields.
func TestWhatIsEncodedIsParsed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := requests().Draw(t, "request")
		body, err := chat.Encode(r)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		p, err := chat.Parse(body)
		if err != nil {
			t.Fatalf("parse: %v of %s", err, body)
		}
		if string(p.Body) != string(body) {
			t.Fatal("the body was changed")
		}
		p.Body = nil
		if !reflect.DeepEqual(p.Request, r) {
			t.Fatalf("parsed %+v\nwant   %+v\nof %s", p.Request, r, body)
		}
	})
}

func responses() *rapid.Generator[llm.Response] {
	return rapid.Custom(func(t *rapid.T) llm.Response {
		in, out := rapid.Int64Range(0, 1e6).Draw(t, "in"), rapid.Int64Range(0, 1e6).Draw(t, "out")
		cached := rapid.Int64Range(0, in).Draw(t, "cached")
		return llm.Response{
			Text: words().Draw(t, "text"), Refusal: words().Draw(t, "refusal"), ToolCalls: some(t, calls(), 3, "calls"),
			FinishReason: rapid.SampledFrom([]string{llm.FinishStop, llm.FinishLength, llm.FinishContentFilter, llm.FinishToolCalls}).Draw(t, "finish"),
			Usage: llm.Usage{In: in, CachedIn: cached, CacheWriteIn: rapid.Int64Range(0, in-cached).Draw(t, "written"),
				Out: out, Reasoning: rapid.Int64Range(0, out).Draw(t, "reasoning")},
		}
	})
}

func TestPiecesAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := responses().Draw(t, "response")
		for i := range want.ToolCalls { // ids differ, or two calls would be one
			want.ToolCalls[i].ID += "-" + string(rune('a'+i))
		}
		var fields, wire chat.Assembler
		for i, c := range chat.Chunks(want) {
			if !utf8.ValidString(c.Text) || !utf8.ValidString(c.Refusal) {
				t.Fatalf("a piece cuts a character: %+v", c)
			}
			fields.Add(c)
			data := chat.EncodeChunk(chat.Head{ID: "c", Created: time.Unix(1_760_000_000, 0), Model: "m"}, c, i == 0)
			decoded, err := chat.DecodeChunk(data)
			if err != nil {
				t.Fatalf("%v of %s", err, data)
			}
			wire.Add(decoded)
		}
		if got := fields.Response(); !reflect.DeepEqual(got, want) {
			t.Fatalf("the pieces add up to %+v\nwant %+v", got, want)
		}
		want.Model = "m"
		if got := wire.Response(); !reflect.DeepEqual(got, want) {
			t.Fatalf("the encoded pieces add up to %+v\nwant %+v", got, want)
		}
	})
}

func TestWhatIsAnsweredIsDecoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := responses().Draw(t, "response")
		body := chat.EncodeResponse(want, "chatcmpl-1", time.Unix(1_760_000_000, 0), "m")
		got, err := chat.Decode(body)
		want.Model, want.Body = "m", body
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("decoded %+v, %v\nwant %+v\nof %s", got, err, want, body)
		}
	})
}
