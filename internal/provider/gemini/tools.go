package gemini

import (
	"encoding/json"
	"fmt"

	"github.com/busuhq/busu/internal/llm"
)

type toolset struct {
	Functions []declaration `json:"functionDeclarations"`
}

type declaration struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parametersJsonSchema,omitempty"`
}

type toolConfig struct {
	Calling callingConfig `json:"functionCallingConfig"`
}

type callingConfig struct {
	Mode    string   `json:"mode"`
	Allowed []string `json:"allowedFunctionNames,omitempty"`
}

func declared(tools []llm.Tool) ([]toolset, error) {
	set := toolset{Functions: make([]declaration, len(tools))}
	for i, tool := range tools {
		parameters, err := parameterSchema(tool.Parameters)
		if err != nil {
			return nil, fmt.Errorf("the parameters of the tool %q: %w", tool.Name, err)
		}
		set.Functions[i] = declaration{tool.Name, tool.Description, parameters}
	}
	return []toolset{set}, nil
}

// parameterSchema is nil for a function that takes nothing: an object without
// properties is refused.
func parameterSchema(given json.RawMessage) (json.RawMessage, error) {
	if len(given) == 0 {
		return nil, nil
	}
	schema, err := cleanSchema(given)
	if err != nil {
		return nil, err
	}
	var top struct {
		Type       string                     `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if json.Unmarshal(schema, &top) == nil && len(top.Properties) == 0 && (string(schema) == "{}" || top.Type == "object") {
		return nil, nil
	}
	return schema, nil
}

// chosen is nil where the choice is Gemini's default.
func chosen(choice llm.ToolChoice) (*toolConfig, error) {
	switch choice.Mode {
	case "":
		return nil, nil
	case llm.ToolsAuto:
		return &toolConfig{callingConfig{Mode: "AUTO"}}, nil
	case llm.ToolsNone:
		return &toolConfig{callingConfig{Mode: "NONE"}}, nil
	case llm.ToolsRequired:
		return &toolConfig{callingConfig{Mode: "ANY"}}, nil
	case llm.ToolsNamed:
		return &toolConfig{callingConfig{Mode: "ANY", Allowed: []string{choice.Name}}}, nil
	}
	return nil, fmt.Errorf("the tool choice %q is not known", choice.Mode)
}
