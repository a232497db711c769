package gemini

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// conversation parts r's messages into what Gemini calls the system's
// instruction, wherever it stood, and the turns of user and model.
func (p *Provider) conversation(r llm.Request) (*content, []content, error) {
	var system, contents []content
	called := map[string]string{} // names of functions by the ids of their calls
	for i, m := range r.Messages {
		c, err := p.turn(r.Model, m, called)
		if err != nil {
			return nil, nil, fmt.Errorf("message %d: %w", i+1, err)
		}
		switch {
		case len(c.Parts) == 0:
		case c.Role == "":
			system = append(system, c)
		case i > 0 && m.Role == llm.RoleTool && r.Messages[i-1].Role == llm.RoleTool && len(contents) > 0:
			// The results of one turn's calls must come in one turn.
			last := &contents[len(contents)-1]
			last.Parts = append(last.Parts, c.Parts...)
		default:
			contents = append(contents, c)
		}
	}
	if len(system) == 0 && len(contents) == 0 {
		return nil, nil, errors.New("no message holds anything")
	}
	if len(system) == 0 {
		return nil, contents, nil
	}
	instruction := content{}
	for _, c := range system {
		instruction.Parts = append(instruction.Parts, c.Parts...)
	}
	if len(contents) == 0 { // Gemini wants something to answer
		instruction.Role = roleUser
		return nil, []content{instruction}, nil
	}
	return &instruction, contents, nil
}

// turn translates one message. That of a system has no role.
func (p *Provider) turn(model string, m llm.Message, called map[string]string) (content, error) {
	switch m.Role {
	case llm.RoleSystem, llm.RoleDeveloper:
		return content{Parts: textParts(m.Content)}, nil
	case llm.RoleUser:
		parts, err := userParts(m)
		return content{Role: roleUser, Parts: parts}, err
	case llm.RoleAssistant:
		parts, err := p.modelParts(model, m, called)
		return content{Role: roleModel, Parts: parts}, err
	case llm.RoleTool:
		parts, err := resultParts(m, called)
		return content{Role: roleUser, Parts: parts}, err
	}
	return content{}, fmt.Errorf("the role %q is not known", m.Role)
}

// textParts is a text as parts; an empty one, which Gemini refuses, is none.
func textParts(text string) []part {
	if text == "" {
		return nil
	}
	return []part{{Text: text}}
}

func userParts(m llm.Message) ([]part, error) {
	if m.Parts == nil {
		return textParts(m.Content), nil
	}
	var parts []part
	for _, given := range m.Parts {
		if given.Kind == llm.PartText {
			parts = append(parts, textParts(given.Text)...)
			continue
		}
		media, err := mediaPart(given)
		if err != nil {
			return nil, err
		}
		parts = append(parts, media)
	}
	return parts, nil
}

func mediaPart(given llm.Part) (part, error) {
	switch given.Kind {
	case llm.PartImage, llm.PartAudio, llm.PartFile:
	default:
		return part{}, fmt.Errorf("parts of kind %q are not known", given.Kind)
	}
	media := given.MediaType
	if media == "" {
		media = mediaTypeOf(given)
	}
	switch {
	case given.Data != "" && media != "":
		return part{InlineData: &inlineData{media, given.Data}}, nil
	case given.Data != "":
		return part{}, fmt.Errorf("the media type of the %s is missing", given.Kind)
	case given.URL != "":
		return part{FileData: &fileData{media, given.URL}}, nil
	}
	return part{}, fmt.Errorf("the %s is empty, or only known to its vendor", given.Kind)
}

// mediaTypeOf reads it off the name, or off the URL's path; "" where that tells
// nothing. The system's own table is not asked: it differs between machines.
func mediaTypeOf(p llm.Part) string {
	name, _, _ := strings.Cut(p.URL, "?")
	if p.Name != "" {
		name = p.Name
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".webp":
		return "image/webp"
	case ".gif":
		return "image/gif"
	case ".heic":
		return "image/heic"
	case ".pdf":
		return "application/pdf"
	case ".txt", ".md":
		return "text/plain"
	case ".csv":
		return "text/csv"
	case ".mp3":
		return "audio/mp3"
	case ".wav":
		return "audio/wav"
	case ".ogg":
		return "audio/ogg"
	case ".mp4":
		return "video/mp4"
	}
	return ""
}

func (p *Provider) modelParts(model string, m llm.Message, called map[string]string) ([]part, error) {
	parts := append(textParts(m.Content), textParts(m.Refusal)...)
	for i, call := range m.ToolCalls {
		args := json.RawMessage(call.Arguments)
		if strings.TrimSpace(call.Arguments) == "" {
			args = json.RawMessage("{}")
		}
		if !isObject(args) {
			return nil, fmt.Errorf("the arguments of the call of %q are not a JSON object", call.Name)
		}
		called[call.ID] = call.Name
		signature := p.signatures.of(model, call.ID)
		if signature == "" && i == 0 && wantsSignatures(model) {
			signature = unsigned
		}
		parts = append(parts, part{FunctionCall: &functionCall{call.ID, call.Name, args}, Signature: signature})
	}
	return parts, nil
}

// resultParts is a tool's message as the answer to the call of its id. Gemini
// goes by the function's name, which only the call tells.
func resultParts(m llm.Message, called map[string]string) ([]part, error) {
	name, known := called[m.ToolCallID]
	if !known {
		name = m.Name
	}
	if name == "" {
		return nil, fmt.Errorf("it answers %q, which no earlier message calls", m.ToolCallID)
	}
	for _, given := range m.Parts {
		if given.Kind != llm.PartText {
			return nil, fmt.Errorf("a tool's result can only be text, not %s", given.Kind)
		}
	}
	response := json.RawMessage(m.Content)
	if !isObject(response) {
		wrapped, err := json.Marshal(map[string]string{"output": m.Content})
		if err != nil {
			return nil, err
		}
		response = wrapped
	}
	return []part{{FunctionResponse: &functionResponse{m.ToolCallID, name, response}}}, nil
}

func isObject(raw json.RawMessage) bool {
	return strings.HasPrefix(strings.TrimLeft(string(raw), " \t\r\n"), "{") && json.Valid(raw)
}
