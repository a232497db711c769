package simulated

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/busuhq/busu/internal/llm"
)

// checkTools finds a choice that no tool can satisfy.
func checkTools(r llm.Request) error {
	switch r.ToolChoice.Mode {
	case llm.ToolsRequired:
		if len(r.Tools) == 0 {
			return fmt.Errorf("tool choice %q needs at least one tool", r.ToolChoice.Mode)
		}
	case llm.ToolsNamed:
		if !slices.ContainsFunc(r.Tools, func(t llm.Tool) bool { return t.Name == r.ToolChoice.Name }) {
			return fmt.Errorf("tool choice names %q, which is not among the tools", r.ToolChoice.Name)
		}
	}
	return nil
}

// chosenTools are those the answer calls; none means that it is text. A demand
// is always met. Otherwise a tool is called when the last user turn names it,
// and only once: after the result comes text.
func chosenTools(r llm.Request) []llm.Tool {
	asked := question(r.Messages)
	switch r.ToolChoice.Mode {
	case llm.ToolsNone:
		return nil
	case llm.ToolsNamed:
		i := slices.IndexFunc(r.Tools, func(t llm.Tool) bool { return t.Name == r.ToolChoice.Name })
		return r.Tools[i : i+1]
	case llm.ToolsRequired:
		if named := namedTools(r.Tools, asked, r.SerialTools); len(named) > 0 {
			return named
		}
		return []llm.Tool{likeliest(r.Tools, asked)}
	}
	if last := len(r.Messages) - 1; last < 0 || r.Messages[last].Role != llm.RoleUser {
		return nil
	}
	return namedTools(r.Tools, asked, r.SerialTools)
}

func namedTools(tools []llm.Tool, asked string, serial bool) []llm.Tool {
	var named []llm.Tool
	text := spaced(asked)
	for _, tool := range tools {
		if name := spaced(tool.Name); name != " " && strings.Contains(text, name) {
			named = append(named, tool)
		}
	}
	if serial && len(named) > 1 {
		named = named[:1]
	}
	return named
}

// likeliest is the tool that has most words in common with what is asked, the
// first of equals.
func likeliest(tools []llm.Tool, asked string) llm.Tool {
	best, most := tools[0], -1
	text := spaced(asked)
	for _, tool := range tools {
		shared := 0
		for word := range strings.FieldsSeq(spaced(tool.Name + " " + tool.Description)) {
			if strings.Contains(text, " "+word+" ") {
				shared++
			}
		}
		if shared > most {
			best, most = tool, shared
		}
	}
	return best
}

// spaced is text in lower-case words with one space around each, so that
// get_weather, get-weather and getWeather are all "get weather".
func spaced(text string) string {
	var b strings.Builder
	b.WriteByte(' ')
	space, lower := true, false
	for _, r := range text {
		word := unicode.IsLetter(r) || unicode.IsDigit(r)
		if !space && (!word || lower && unicode.IsUpper(r)) {
			b.WriteByte(' ')
			space = true
		}
		if word {
			b.WriteRune(unicode.ToLower(r))
			space = false
		}
		lower = unicode.IsLower(r)
	}
	if !space {
		b.WriteByte(' ')
	}
	return b.String()
}

// calls makes one call of each tool.
func (d draft) calls(tools []llm.Tool, format llm.Format) []llm.ToolCall {
	prefix := "call"
	if format == llm.FormatMessages {
		prefix = "toolu"
	}
	calls := make([]llm.ToolCall, len(tools))
	for i, tool := range tools {
		calls[i] = llm.ToolCall{
			ID:        fmt.Sprintf("%s_%016x%02d", prefix, d.id, i),
			Name:      tool.Name,
			Arguments: d.instance(tool.Parameters),
		}
	}
	return calls
}
