package trafficlog

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// Reasons that several shapes share.
const (
	reasonFailed   = "the call failed"
	reasonCached   = "answered from a cache"
	reasonNoUsage  = "without usage: its tokens are not known"
	reasonUnstored = "its messages were not stored"
	reasonNotChat  = "not a chat"

	reasonNobodyAsks = "without a user's turn"
)

// openAI reads a request with its answer; doc is the line, body the request.
func openAI(doc, body gjson.Result) (Call, error) {
	answer := doc.Get("response")
	if status := answer.Get("status_code"); status.Exists() {
		if status.Int() >= 400 {
			return Call{}, unusable(reasonFailed)
		}
		answer = answer.Get("body")
	} else if inner := answer.Get("body"); inner.IsObject() {
		answer = inner
	}
	if first(doc, "error").Exists() || first(answer, "error").Exists() {
		return Call{}, unusable(reasonFailed)
	}
	usage := first(answer, "usage")
	if !usage.Exists() {
		usage = first(doc, "usage")
	}
	if !usage.IsObject() {
		return Call{}, unusable(reasonNoUsage)
	}
	c := Call{
		Model: text(body.Get("model")), Served: text(answer.Get("model")), User: text(first(body, "user", "safety_identifier")),
		At:    moment(first(doc, "startTime", "start_time", "timestamp", "time", "created_at")),
		Usage: readUsage(usage),
	}
	if c.At.IsZero() {
		c.At = moment(first(answer, "created", "created_at"))
	}
	if c.Model == "" {
		c.Model = c.Served
	}
	messages := body.Get("messages")
	if !messages.Exists() {
		messages = body.Get("input")
	}
	return c.asking(messages, body)
}

// isLiteLLM reports whether a line is a payload or a spend log of LiteLLM's.
func isLiteLLM(doc gjson.Result) bool {
	return doc.Get("prompt_tokens").Exists() && (doc.Get("spend").Exists() || doc.Get("response_cost").Exists() || doc.Get("call_type").Exists())
}

func liteLLM(doc gjson.Result) (Call, error) {
	if kind := text(doc.Get("call_type")); !chats(kind) {
		return Call{}, &UnusableError{Reason: reasonNotChat, Detail: kind}
	}
	if hit := doc.Get("cache_hit"); hit.Bool() || strings.EqualFold(text(hit), "true") {
		return Call{}, unusable(reasonCached)
	}
	if status := text(doc.Get("status")); strings.EqualFold(status, "failure") {
		return Call{}, unusable(reasonFailed)
	}
	c := Call{
		Model: text(doc.Get("model")), Served: text(doc.Get("response.model")), Provider: text(doc.Get("custom_llm_provider")),
		User:  text(first(doc, "end_user", "metadata.user_api_key_end_user_id", "user", "metadata.user_api_key_user_id")),
		At:    moment(doc.Get("startTime")),
		Usage: readUsage(first(doc, "response.usage", "metadata.usage_object")),
	}
	c.Usage.In, c.Usage.Out = doc.Get("prompt_tokens").Int(), doc.Get("completion_tokens").Int()
	if spent := first(doc, "response_cost", "spend"); spent.Type == gjson.Number {
		if nanos, err := pricing.RoundUSD(spent.Raw, 1); err == nil && nanos >= 0 {
			c.Billed = &nanos
		}
	}
	if c.Model == "" {
		c.Model = text(doc.Get("model_group"))
	}
	return c.asking(storedMessages(doc), firstObject(doc, "model_parameters", "optional_params"))
}

// chats reports whether a kind of call, in LiteLLM's words, is a conversation.
func chats(kind string) bool {
	switch kind {
	case "", "completion", "acompletion", "responses", "aresponses", "anthropic_messages":
		return true
	}
	return false
}

// storedMessages are a LiteLLM line's messages: a list, JSON in a string, or
// in what the proxy was sent, which may be JSON in a string, too.
func storedMessages(doc gjson.Result) gjson.Result {
	for _, v := range []gjson.Result{doc.Get("messages"), opened(doc.Get("proxy_server_request")).Get("messages"),
		opened(doc.Get("proxy_server_request")).Get("body.messages")} {
		v = opened(v)
		if v.IsArray() && len(v.Array()) > 0 || v.Type == gjson.String && v.Str != "" {
			return v
		}
	}
	return gjson.Result{}
}

// opened is the JSON that a string holds, where it holds some.
func opened(v gjson.Result) gjson.Result {
	if inner := strings.TrimSpace(text(v)); inner != "" && strings.ContainsRune("[{", rune(inner[0])) && gjson.Valid(inner) {
		return gjson.Parse(inner)
	}
	return v
}

// redacted is what LiteLLM writes in place of messages that it may not log.
const redacted = "redacted-by-litellm"

// asking adds the conversation: a list of messages, or a plain text. What else
// matters to who may answer, such as tools, is among others' members.
func (c Call) asking(messages, others gjson.Result) (Call, error) {
	if c.Usage.In <= 0 || c.Usage.Out < 0 || max(c.Usage.In, c.Usage.Out) > maxTokens {
		return Call{}, unusable(reasonNoUsage)
	}
	c.Usage.CachedIn = max(0, min(c.Usage.CachedIn, c.Usage.In))
	switch {
	case messages.Type == gjson.String && messages.Str != "":
		c.Ask.Messages = []llm.Message{{Role: llm.RoleUser, Content: messages.Str}}
	case messages.IsArray() && len(messages.Array()) > 0:
		c.Ask.Messages = conversation(messages)
	default:
		return Call{}, unusable(reasonUnstored)
	}
	asked := false
	for _, m := range c.Ask.Messages {
		asked = asked || m.Role == llm.RoleUser
	}
	switch {
	case !asked:
		return Call{}, unusable(reasonNobodyAsks)
	case strings.EqualFold(strings.TrimSpace(llm.LastUser(c.Ask.Messages)), redacted):
		return Call{}, unusable(reasonUnstored)
	}
	c.Ask.MaxTokens = int(max(0, min(maxTokens, first(others, "max_tokens", "max_completion_tokens", "max_output_tokens").Int())))
	c.Ask.ResponseFormat.Type = text(first(others, "response_format.type", "text.format.type"))
	if tools := others.Get("tools"); tools.IsArray() && len(tools.Array()) > 0 {
		c.Ask.Tools = make([]llm.Tool, len(tools.Array())) // that there are some is all that matters
	}
	return c, nil
}

// maxTokens is the most that is believed of a call.
const maxTokens = 100_000_000

// conversation reads turns as far as routing looks at them: who speaks, the
// text, and whether there is an image. Items without a role, such as calls of
// tools, are none.
func conversation(list gjson.Result) []llm.Message {
	var turns []llm.Message
	list.ForEach(func(_, v gjson.Result) bool {
		m := llm.Message{Role: text(v.Get("role"))}
		if m.Role == "" {
			return true
		}
		content := v.Get("content")
		m.Content = text(content)
		if !content.IsArray() {
			turns = append(turns, m)
			return true
		}
		var texts []string
		content.ForEach(func(_, part gjson.Result) bool {
			if strings.Contains(text(part.Get("type")), "image") {
				m.Parts = append(m.Parts, llm.Part{Kind: llm.PartImage})
			} else if t := text(part.Get("text")); t != "" {
				texts = append(texts, t)
			}
			return true
		})
		m.Content = strings.Join(texts, "\n")
		turns = append(turns, m)
		return true
	})
	return turns
}

// readUsage reads the finer counts, under the names of either of OpenAI's APIs.
func readUsage(v gjson.Result) llm.Usage {
	return llm.Usage{
		In:       first(v, "prompt_tokens", "input_tokens").Int(),
		CachedIn: first(v, "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens").Int(),
		Out:      first(v, "completion_tokens", "output_tokens").Int(),
	}
}
