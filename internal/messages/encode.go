package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/busuhq/busu/internal/llm"
)

// wireRequest is what is sent. Zero members are left out.
type wireRequest struct {
	Model         string        `json:"model"`
	MaxTokens     int           `json:"max_tokens"`
	System        string        `json:"system,omitempty"`
	Messages      []turn        `json:"messages"`
	Temperature   *float64      `json:"temperature,omitempty"`
	TopP          *float64      `json:"top_p,omitempty"`
	StopSequences []string      `json:"stop_sequences,omitempty"`
	Stream        bool          `json:"stream,omitempty"`
	Tools         []tool        `json:"tools,omitempty"`
	ToolChoice    *toolChoice   `json:"tool_choice,omitempty"`
	Thinking      *thinking     `json:"thinking,omitempty"`
	OutputConfig  *outputConfig `json:"output_config,omitempty"`
}

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema"`
	Strict      bool            `json:"strict,omitempty"`
}

type toolChoice struct {
	Type   string `json:"type"` // auto, any, none or tool
	Name   string `json:"name,omitempty"`
	Serial bool   `json:"disable_parallel_tool_use,omitempty"`
}

type thinking struct {
	Type   string `json:"type"` // adaptive or enabled
	Budget int    `json:"budget_tokens,omitempty"`
}

type outputConfig struct {
	Effort string        `json:"effort,omitempty"`
	Format *outputFormat `json:"format,omitempty"`
}

type outputFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

// Upstream is the body that the vendor is sent. One that came in this format
// is passed on: r.Body with the model's name at the vendor, and stream as
// r.Emit says. Otherwise it is made from r's fields, with maxTokens where they
// set no limit (0: what suits the model); it fails where they hold what the
// format has no words for.
func Upstream(r llm.Request, maxTokens int) ([]byte, error) {
	if r.Format == llm.FormatMessages && r.Body != nil {
		return passOn(r)
	}
	w, err := wire(r, maxTokens)
	if err != nil {
		return nil, err
	}
	return json.Marshal(w)
}

func wire(r llm.Request, maxTokens int) (*wireRequest, error) {
	g := generationOf(r.Model)
	if r.N > 1 {
		return nil, errors.New("the vendor gives one answer per request: leave n out")
	}
	w := &wireRequest{Model: r.Model, MaxTokens: r.MaxTokens, StopSequences: r.Stop, Stream: r.Emit != nil}
	if w.MaxTokens == 0 {
		if w.MaxTokens = maxTokens; w.MaxTokens == 0 {
			w.MaxTokens = g.limit()
		}
	}
	var err error
	if w.System, w.Messages, err = conversation(r.Messages); err != nil {
		return nil, err
	}
	w.tools(r)
	if err := w.format(r.ResponseFormat); err != nil {
		return nil, err
	}
	if err := w.think(r, g); err != nil {
		return nil, err
	}
	w.sample(r, g)
	return w, nil
}

// sample sends a temperature or top_p, but not both, which models refuse, and
// neither to those that take none or while they think.
func (w *wireRequest) sample(r llm.Request, g generation) {
	const highest = 1 // OpenAI's is 2
	if !g.samples() || w.Thinking != nil {
		return
	}
	if t := r.Temperature; t != nil && !(*t == highest && r.TopP != nil) {
		clipped := max(0, min(*t, highest))
		w.Temperature = &clipped
		return
	}
	w.TopP = r.TopP
}

func (w *wireRequest) tools(r llm.Request) {
	for _, t := range r.Tools {
		schema := t.Parameters
		if len(schema) == 0 || string(schema) == "{}" || string(schema) == "null" {
			schema = json.RawMessage(`{"type":"object","properties":{}}`)
		}
		w.Tools = append(w.Tools, tool{t.Name, t.Description, schema, t.Strict})
	}
	choice := toolChoice{Serial: r.SerialTools}
	switch r.ToolChoice.Mode {
	case llm.ToolsNone:
		choice = toolChoice{Type: "none"}
	case llm.ToolsRequired:
		choice.Type = "any"
	case llm.ToolsNamed:
		choice.Type, choice.Name = "tool", r.ToolChoice.Name
	case llm.ToolsAuto:
		choice.Type = "auto"
	default:
		if !r.SerialTools || len(w.Tools) == 0 {
			return
		}
		choice.Type = "auto"
	}
	w.ToolChoice = &choice
}

// forced reports whether a tool must be called.
func (w *wireRequest) forced() bool {
	return w.ToolChoice != nil && (w.ToolChoice.Type == "any" || w.ToolChoice.Type == "tool")
}

// format asks for a form of the answer. There is no way to ask for any JSON
// but in words.
func (w *wireRequest) format(f llm.ResponseFormat) error {
	switch f.Type {
	case "", llm.ResponseText:
	case llm.ResponseJSON:
		w.System = join(w.System, "Answer with a single JSON object and nothing around it.")
	case llm.ResponseJSONSchema:
		schema, err := closed(f.Schema)
		if err != nil {
			return fmt.Errorf("the response format's schema: %w", err)
		}
		w.OutputConfig = &outputConfig{Format: &outputFormat{"json_schema", schema}}
	default:
		return fmt.Errorf("the vendor knows no response format %q", f.Type)
	}
	return nil
}

// think translates an effort of reasoning, in OpenAI's words. Some models of
// today cannot be kept from thinking; the least effort comes closest.
func (w *wireRequest) think(r llm.Request, g generation) error {
	level, known := map[string]string{"": "", "none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high",
		"xhigh": "xhigh", "max": "max"}[r.Effort]
	switch {
	case !known:
		return fmt.Errorf("the vendor knows no reasoning effort %q: take none, minimal, low, medium, high or xhigh", r.Effort)
	case level == "", r.Effort == "none" && !g.thinksUnasked():
		return nil // they do not think unless they are asked to
	case g.budgets():
		w.budget(level)
		return nil
	case !g.adapts():
		return nil
	}
	if level == "xhigh" && !g.triesHarder() {
		level = "high"
	}
	if w.OutputConfig == nil {
		w.OutputConfig = &outputConfig{}
	}
	w.OutputConfig.Effort = level
	if r.Effort != "none" && !w.forced() { // who must call a tool cannot be told to think
		w.Thinking = &thinking{Type: "adaptive"}
	}
	return nil
}

// budget is the share of the limit that an effort is worth, as far as the
// model takes one at all: it wants room for the answer, no tool forced on it,
// and, in the midst of calls, its thoughts back, which other formats drop.
func (w *wireRequest) budget(level string) {
	const least, most = 1024, 32000
	share := map[string]int{"low": 20, "medium": 50, "high": 80, "xhigh": 90, "max": 95}[level] // in a hundred
	amid := len(w.Messages) > 0 && slices.ContainsFunc(w.Messages[len(w.Messages)-1].Content,
		func(b block) bool { return b.Type == blockToolResult })
	if w.MaxTokens < 2*least || w.forced() || amid {
		return
	}
	w.Thinking = &thinking{"enabled", min(most, max(least, w.MaxTokens*share/100))}
}
