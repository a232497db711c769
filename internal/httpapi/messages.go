package httpapi

import (
	"fmt"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// Limits on what is asked.
const (
	maxPromptRunes = 200_000 // in all messages together
	maxMessages    = 1_000
)

// readMessages takes prompt or messages, one of which must be there.
func readMessages(o *object) []llm.Message {
	_, isPrompt := o.peek("prompt")
	_, isConversation := o.peek("messages")
	switch {
	case isPrompt && isConversation:
		o.fail("prompt", "cannot be sent together with messages")
		o.fail("messages", "cannot be sent together with prompt")
	case isPrompt:
		return readPrompt(o)
	case isConversation:
		return readConversation(o)
	default:
		o.fail("prompt", "is missing (or send messages)")
	}
	o.take("prompt")
	o.take("messages")
	return nil
}

func readPrompt(o *object) []llm.Message {
	o.take("messages") // null
	text, ok := o.str("prompt")
	if !ok {
		return nil
	}
	checkLength(o, "prompt", utf8.RuneCountInString(text))
	return []llm.Message{{Role: llm.RoleUser, Content: text}}
}

func readConversation(o *object) []llm.Message {
	o.take("prompt") // null
	v, _ := o.take("messages")
	if !v.IsArray() {
		o.fail("messages", "is %s, must be a list", document.Show(v))
		return nil
	}
	list := v.Array()
	if len(list) < 1 || len(list) > maxMessages {
		o.fail("messages", "has %d entries, must have 1 to %d", len(list), maxMessages)
		return nil
	}
	return readTurns(o, list)
}

// readTurns judges the conversation as a whole only when every turn is right.
func readTurns(o *object, list []gjson.Result) []llm.Message {
	before, runes := o.faults.Count(), 0
	messages := make([]llm.Message, len(list))
	for i, v := range list {
		messages[i] = readMessage(o.faults, fmt.Sprintf("messages[%d]", i), v)
		runes += utf8.RuneCountInString(messages[i].Content)
	}
	if o.faults.Count() > before {
		return nil
	}
	if llm.LastUser(messages) == "" {
		o.fail("messages", "must hold a message of the user, and the last of them content")
		return nil
	}
	checkLength(o, "messages", runes)
	return messages
}

// readMessage takes one message. It takes no other members than role and
// content.
func readMessage(f *document.Faults, at string, v gjson.Result) llm.Message {
	if !v.IsObject() {
		f.Add(document.CodeType, at, "is %s, must be an object with role and content", document.Show(v))
		return llm.Message{}
	}
	m := newObject(v, at+".", f)
	m.require("role")
	m.require("content")
	role := m.oneOf("role", []string{llm.RoleSystem, llm.RoleUser, llm.RoleAssistant})
	content, _ := m.str("content")
	m.finish()
	return llm.Message{Role: role, Content: content}
}

func checkLength(o *object, field string, runes int) {
	if runes < 1 || runes > maxPromptRunes {
		o.fail(field, "has %d characters, must have 1 to %d", runes, maxPromptRunes)
	}
}
