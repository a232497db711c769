package messages

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// turn is what one side says until the other does.
type turn struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

// block is a piece of a turn's content; each type has some of the members.
type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	Source    *source         `json:"source,omitempty"`
	Title     string          `json:"title,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   []block         `json:"content,omitempty"`
}

type source struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type,omitempty"`
	Data      string `json:"data,omitempty"`
	URL       string `json:"url,omitempty"`
}

// conversation parts messages into the system's text, wherever it stood, and
// the turns of user and assistant. What follows in the same role is one turn:
// the results of all calls must be in the turn after them, before all else. A
// system's text alone is what the user says, since there must be something to
// answer.
func conversation(messages []llm.Message) (system string, turns []turn, err error) {
	turns = []turn{}
	for i, m := range messages {
		role, blocks, err := translate(m)
		switch {
		case err != nil:
			return "", nil, fmt.Errorf("message %d: %w", i+1, err)
		case len(blocks) == 0: // refused as empty
		case role == llm.RoleSystem:
			for _, b := range blocks {
				system = join(system, b.Text)
			}
		case len(turns) > 0 && turns[len(turns)-1].Role == role:
			last := &turns[len(turns)-1]
			last.Content = append(last.Content, blocks...)
		default:
			turns = append(turns, turn{role, blocks})
		}
	}
	if len(turns) == 0 && system != "" {
		return "", []turn{{llm.RoleUser, []block{{Type: blockText, Text: system}}}}, nil
	}
	return system, turns, nil
}

func join(text, more string) string {
	if text == "" {
		return more
	}
	return text + "\n\n" + more
}

func translate(m llm.Message) (role string, blocks []block, err error) {
	switch m.Role {
	case llm.RoleSystem, llm.RoleDeveloper:
		return llm.RoleSystem, textBlocks(m.Content), nil
	case llm.RoleUser:
		blocks, err = contentBlocks(m)
		return llm.RoleUser, blocks, err
	case llm.RoleTool:
		blocks, err = contentBlocks(m)
		return llm.RoleUser, []block{{Type: blockToolResult, ToolUseID: portable(m.ToolCallID), Content: blocks}}, err
	case llm.RoleAssistant:
		blocks, err = contentBlocks(m)
		blocks = append(blocks, textBlocks(m.Refusal)...)
		for _, call := range m.ToolCalls {
			use, err := toolUse(call)
			if err != nil {
				return "", nil, err
			}
			blocks = append(blocks, use)
		}
		return llm.RoleAssistant, blocks, err
	}
	return "", nil, fmt.Errorf("the role %q is not known", m.Role)
}

func toolUse(call llm.ToolCall) (block, error) {
	input := json.RawMessage(call.Arguments)
	if strings.TrimSpace(call.Arguments) == "" {
		input = json.RawMessage("{}")
	}
	if !strings.HasPrefix(strings.TrimSpace(string(input)), "{") || !json.Valid(input) {
		return block{}, fmt.Errorf("the arguments of the call of %q are not a JSON object", call.Name)
	}
	return block{Type: blockToolUse, ID: portable(call.ID), Name: call.Name, Input: input}, nil
}

// portable spells an id as the vendor takes it. Others put dots and colons in.
func portable(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, id)
}

// textBlocks is a text as blocks; one without a letter, which is refused, is
// none.
func textBlocks(text string) []block {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return []block{{Type: blockText, Text: text}}
}

func contentBlocks(m llm.Message) ([]block, error) {
	if m.Parts == nil {
		return textBlocks(m.Content), nil
	}
	var blocks []block
	for _, part := range m.Parts {
		switch part.Kind {
		case llm.PartText:
			blocks = append(blocks, textBlocks(part.Text)...)
		case llm.PartImage:
			from, err := mediaSource(part)
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, block{Type: blockImage, Source: from})
		case llm.PartFile:
			from, err := documentSource(part)
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, block{Type: blockDocument, Source: from, Title: part.Name})
		default:
			return nil, fmt.Errorf("the vendor does not take %s", strings.TrimPrefix(part.Kind, foreign))
		}
	}
	return blocks, nil
}

func mediaSource(part llm.Part) (*source, error) {
	switch {
	case part.URL != "":
		return &source{Type: sourceURL, URL: part.URL}, nil
	case part.Data == "":
		return nil, fmt.Errorf("the %s has neither a URL nor data", part.Kind)
	case part.MediaType == "":
		return nil, fmt.Errorf("the media type of the %s is missing", part.Kind)
	}
	return &source{Type: sourceBase64, MediaType: part.MediaType, Data: part.Data}, nil
}

// documentSource: PDFs are sent as they are, texts as texts.
func documentSource(part llm.Part) (*source, error) {
	kind, _, _ := strings.Cut(part.MediaType, ";")
	switch {
	case part.URL != "", kind == "application/pdf":
		return mediaSource(part)
	case part.Data != "" && kind == "" && strings.HasSuffix(strings.ToLower(part.Name), ".pdf"):
		return &source{Type: sourceBase64, MediaType: "application/pdf", Data: part.Data}, nil
	case strings.HasPrefix(kind, "text/"):
		text, err := base64.StdEncoding.DecodeString(part.Data)
		if err != nil {
			return nil, fmt.Errorf("the file %q is not base64", part.Name)
		}
		return &source{Type: sourceText, MediaType: "text/plain", Data: string(text)}, nil
	}
	return nil, fmt.Errorf("the vendor reads PDFs and texts, not a file of the type %q", part.MediaType)
}
