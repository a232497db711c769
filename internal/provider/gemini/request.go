package gemini

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/busuhq/busu/internal/llm"
)

// wireRequest is what is posted.
type wireRequest struct {
	System     *content         `json:"systemInstruction,omitempty"`
	Contents   []content        `json:"contents"`
	Tools      []toolset        `json:"tools,omitempty"`
	ToolConfig *toolConfig      `json:"toolConfig,omitempty"`
	Generation generationConfig `json:"generationConfig,omitzero"`
}

// Roles of a content.
const (
	roleUser  = "user"
	roleModel = "model"
)

// content is one turn.
type content struct {
	Role  string `json:"role,omitempty"`
	Parts []part `json:"parts"`
}

// part is a piece of a turn; one of its fields is set.
type part struct {
	Text             string            `json:"text,omitempty"`
	InlineData       *inlineData       `json:"inlineData,omitempty"`
	FileData         *fileData         `json:"fileData,omitempty"`
	FunctionCall     *functionCall     `json:"functionCall,omitempty"`
	FunctionResponse *functionResponse `json:"functionResponse,omitempty"`
	Thought          bool              `json:"thought,omitempty"`
	Signature        string            `json:"thoughtSignature,omitempty"` // base64, beside one of the others
}

type inlineData struct {
	MIMEType string `json:"mimeType"`
	Data     string `json:"data"` // base64
}

type fileData struct {
	MIMEType string `json:"mimeType,omitempty"`
	URI      string `json:"fileUri"`
}

type functionCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

type functionResponse struct {
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
}

type generationConfig struct {
	MaxOutputTokens int             `json:"maxOutputTokens,omitempty"`
	Temperature     *float64        `json:"temperature,omitempty"`
	TopP            *float64        `json:"topP,omitempty"`
	StopSequences   []string        `json:"stopSequences,omitempty"`
	MIMEType        string          `json:"responseMimeType,omitempty"`
	Schema          json.RawMessage `json:"responseJsonSchema,omitempty"`
	Thinking        *thinkingConfig `json:"thinkingConfig,omitempty"`
	Candidates      int             `json:"candidateCount,omitempty"`
}

// maxCandidates is how many answers Gemini gives at once. Some models give one
// only, and refuse more.
const maxCandidates = 8

// translate makes Gemini's request from r's fields.
func (p *Provider) translate(r llm.Request) (wireRequest, error) {
	switch {
	case r.Format == llm.FormatMessages:
		return wireRequest{}, errors.New("requests in Anthropic's format are not translated for Gemini")
	case r.Format != llm.FormatChat:
		return wireRequest{}, errors.New("only chat is asked of Gemini")
	case r.N > maxCandidates:
		return wireRequest{}, fmt.Errorf("at most %d answers at once are asked of Gemini, not %d", maxCandidates, r.N)
	case r.Model == "":
		return wireRequest{}, errors.New("no model is named")
	}
	w := wireRequest{Generation: generation(r)}
	var err error
	if w.System, w.Contents, err = p.conversation(r); err != nil {
		return wireRequest{}, err
	}
	if w.Generation.Schema, err = answerSchema(r.ResponseFormat); err != nil {
		return wireRequest{}, err
	}
	if len(r.Tools) > 0 {
		if w.Tools, err = declared(r.Tools); err != nil {
			return wireRequest{}, err
		}
		w.ToolConfig, err = chosen(r.ToolChoice)
	}
	return w, err
}

func generation(r llm.Request) generationConfig {
	g := generationConfig{
		MaxOutputTokens: r.MaxTokens,
		Temperature:     r.Temperature,
		TopP:            r.TopP,
		StopSequences:   r.Stop,
		Thinking:        thinking(r.Model, r.Effort),
	}
	if r.N > 1 {
		g.Candidates = r.N
	}
	if r.ResponseFormat.Type == llm.ResponseJSON || r.ResponseFormat.Type == llm.ResponseJSONSchema {
		g.MIMEType = "application/json"
	}
	return g
}

func answerSchema(f llm.ResponseFormat) (json.RawMessage, error) {
	if f.Type != llm.ResponseJSONSchema || len(f.Schema) == 0 {
		return nil, nil
	}
	schema, err := cleanSchema(f.Schema)
	if err != nil {
		return nil, fmt.Errorf("the response format's schema: %w", err)
	}
	return schema, nil
}
