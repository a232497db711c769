package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/redact"
)

const (
	ada = "ada@example.org"
	bob = "bob@example.org"
)

func redaction(t *testing.T) *gateway.Redaction {
	t.Helper()
	rules, err := redact.Compile(redact.Patterns(), []redact.Expression{{Name: "QUOTE", Match: `«[^»]*»`}})
	if err != nil {
		t.Fatal(err)
	}
	return &gateway.Redaction{Rules: rules, Restore: true}
}

func asking(text string) gateway.Request {
	r := question()
	r.Ask.Messages = []llm.Message{{Role: llm.RoleUser, Content: text}}
	return r
}

// Off, or of other projects, it takes nothing and touches nothing.
func TestRedactionThatIsOffCostsNothing(t *testing.T) {
	r := asking("Write to " + ada)
	r.Ask.Body = []byte(`{"messages":[{"role":"user","content":"Write to ada@example.org"}]}`)
	taken := func(d *gateway.Redaction) float64 {
		g := newBench()
		g.Redaction = d
		n := testing.AllocsPerRun(200, func() {
			g.complete(t, r)
			g.trace.steps = g.trace.steps[:0]
		})
		if asked := g.provider.asked; &asked.Body[0] != &r.Ask.Body[0] || &asked.Messages[0] != &r.Ask.Messages[0] {
			t.Error("the request was copied")
		}
		return n
	}
	others := redaction(t)
	others.Projects = []string{"support"}
	if off, elsewhere := taken(nil), taken(others); raced == 0 && elsewhere != off {
		t.Errorf("%g allocations without, %g for other projects", off, elsewhere)
	}
}

// everything is a request with the same address wherever a text can be.
func everything() gateway.Request {
	r := question()
	r.Ask = llm.Request{MaxTokens: 50, Stop: []string{ada},
		Messages: []llm.Message{{Role: llm.RoleSystem, Content: ada}, {Role: llm.RoleUser, Content: "x " + ada, Parts: []llm.Part{{Kind: llm.PartText, Text: ada}, {Kind: llm.PartFile, Name: ada}}},
			{Role: llm.RoleAssistant, Refusal: ada, ToolCalls: []llm.ToolCall{{ID: "c1", Name: "mail", Arguments: `{"to":"\n` + ada + `","ada@example.org":1}`}}}},
		Tools:          []llm.Tool{{Name: "mail", Description: ada, Parameters: []byte(`{"properties":{"to":{"description":"such as ` + ada + `"}}}`)}},
		ResponseFormat: llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: "x", Schema: []byte(`{"description":"` + ada + `"}`)},
		Body: []byte(`{"model":"m","user":"` + ada + `","system":[{"type":"text","text":"` + ada + `"}],"messages":[{"role":"user","content":"x ada\u0040example.org"},
			{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"mail","input":{"to":"` + ada + `","` + ada + `":4111111111111111}}]},
			{"role":"assistant","tool_calls":[{"function":{"name":"mail","arguments":"{\"to\":\"` + ada + `\"}"}}]}],"new":{"prediction":["` + ada + `"]}}`),
	}
	return r
}

func TestNothingLeavesThatIsTakenOut(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Redaction = redaction(t)
	r := everything()
	before := fmt.Sprintf("%+v %s", r.Ask, r.Ask.Body)
	fact := b.complete(t, r).Fact
	sent := fmt.Sprintf("%+v %s %s %s", b.provider.asked, b.provider.asked.Body, b.provider.asked.Tools[0].Parameters, b.provider.asked.ResponseFormat.Schema)
	for _, what := range []string{"ada@", "ada\\u0040", "4111"} {
		if strings.Contains(sent, what) || strings.Contains(fmt.Sprintf("%+v", *fact), what) {
			t.Errorf("%s is in what was sent:\n%s", what, sent)
		}
	}
	if n := strings.Count(sent, "[EMAIL_1]"); n != 18 || strings.Contains(sent, "[EMAIL_2]") || !strings.Contains(sent, `"model":"m"`) || !strings.Contains(sent, "[CARD_1]") {
		t.Errorf("%d times in\n%s", n, sent)
	}
	if !json.Valid(b.provider.asked.Body) || !json.Valid([]byte(b.provider.asked.Messages[2].ToolCalls[0].Arguments)) {
		t.Errorf("what was sent is no JSON:\n%s", sent)
	}
	if after := fmt.Sprintf("%+v %s", r.Ask, r.Ask.Body); after != before {
		t.Errorf("the caller's own became\n%s", after)
	}
}

// Who asks the same but for what is taken out shares an answer, and gets the own
// values.
func TestCachesHoldPlaceholders(t *testing.T) {
	t.Parallel()
	b, _ := reusing(t)
	b.Redaction = redaction(t)
	given := llm.Response{Text: "To [EMAIL_1]", FinishReason: llm.FinishStop, Usage: usage,
		ToolCalls: []llm.ToolCall{{ID: "c1", Name: "mail", Arguments: `{"to":"[EMAIL_1]"}`}}}
	b.provider.answers["cheap-2026"] = answering(given)
	for _, address := range []string{ada, bob, ada} {
		r := asking("Write to " + address)
		r.Reuse = true
		answer := b.complete(t, r)
		if answer.Text != "To "+address || answer.ToolCalls[0].Arguments != `{"to":"`+address+`"}` {
			t.Errorf("%s got %+v", address, answer.Response)
		}
	}
	b.trace.want(t, "call cheap-2026")
	b.Redaction.Restore = false
	r := asking("Write to " + bob)
	r.Reuse = true
	if answer := b.complete(t, r); answer.Text != "To [EMAIL_1]" {
		t.Errorf("without restoring, it is %q", answer.Text)
	}
}

func TestPlansAreOfWhatIsLeft(t *testing.T) {
	t.Parallel()
	b := newBench()
	long := asking("«" + strings.Repeat("prove that the integral converges, step by step; ", 300) + "»")
	open, err := b.Plan(long)
	if err != nil {
		t.Fatal(err)
	}
	b.Redaction = redaction(t)
	closed, err := b.Plan(long)
	if err != nil || !(closed.Complexity < open.Complexity) || closed.Choices[0].Cost >= open.Choices[0].Cost {
		t.Errorf("%v: %g at %s, before %g at %s", err, closed.Complexity, closed.Choices[0].Cost, open.Complexity, open.Choices[0].Cost)
	}
	fact := b.complete(t, long).Fact
	if fact.Complexity != closed.Complexity || fact.TokensIn > 100 {
		t.Errorf("planned %g, recorded %g, %d tokens", closed.Complexity, fact.Complexity, fact.TokensIn)
	}
}

func TestSecondModelsAndJudgesSeeWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t)
		d.Redaction = redaction(t)
		d.run()
		defer d.end()
		d.complete(asking("Write to " + ada + " about the capital of France."))
		settle()
		if calls := d.models.calls(); len(calls) != 4 {
			t.Fatalf("called were %v", calls)
		}
		for _, r := range d.models.asked {
			if said := fmt.Sprintf("%+v", r); strings.Contains(said, ada) || !strings.Contains(said, "[EMAIL_1]") {
				t.Errorf("%s was asked %s", r.Model, said)
			}
		}
	})
}

// inThree cuts what a stream says in all ways into three.
func inThree(text string, each func(pieces ...string)) {
	for i := range len(text) + 1 {
		for j := i; j <= len(text); j++ {
			each(text[:i], text[i:j], text[j:])
		}
	}
}

// heard is what a caller hears of a stream, by the vendor's data and by the
// fields.
type heard struct {
	data []string
	text strings.Builder
	args strings.Builder
}

func (h *heard) Begin(*event.CompletionRecorded) {}

func (h *heard) Emit(c llm.Chunk) error {
	if c.Data != nil {
		h.data = append(h.data, string(c.Data))
	}
	h.text.WriteString(c.Text)
	for _, call := range c.ToolCalls {
		h.args.WriteString(call.Arguments)
	}
	return nil
}

func (h *heard) stream(t *testing.T, b *bench, r gateway.Request) {
	t.Helper()
	r.Sink = h
	answer := b.complete(t, r)
	for _, c := range answer.Tail {
		_ = h.Emit(c)
	}
}

func TestStreamsAreRestored(t *testing.T) {
	t.Parallel()
	const said, want = `to [EMAIL_1], [QUOTE_1] [EMAIL_12] [EMAIL_`, "to " + ada + `, «"\» [EMAIL_12] [EMAIL_`
	asked := asking("Write to " + ada + ` of «"\»`)
	b := newBench()
	b.Redaction = redaction(t)
	inThree(said, func(parts ...string) {
		b.provider.streams["cheap-2026"] = pieces(llm.Response{Usage: usage}, nil, parts...)
		h := new(heard)
		h.stream(t, b, asked)
		if h.text.String() != want {
			t.Fatalf("%q were heard as %q", parts, h.text.String())
		}
	})
}

// vendors streams what a vendor writes.
func vendors(decode func([]byte) (llm.Chunk, error), frames []string) func(context.Context, llm.Request) (llm.Response, error) {
	return func(_ context.Context, ask llm.Request) (llm.Response, error) {
		for _, f := range frames {
			c, err := decode([]byte(f))
			if err != nil {
				return llm.Response{}, err
			}
			if err := ask.Emit(c); err != nil {
				return llm.Response{}, err
			}
		}
		return llm.Response{Text: "x", FinishReason: llm.FinishStop, Usage: usage}, nil
	}
}

// Two answers beside each other and a call, as OpenAI streams them: each is
// whole, and comes in its order.
func TestChatStreamsAreRestored(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Redaction = redaction(t)
	inThree(`a [EMAIL_1] [QUOTE_1`, func(parts ...string) {
		var frames []string
		frame := func(index int, delta string, finish string) {
			frames = append(frames, fmt.Sprintf(`{"choices":[{"delta":%s,"index":%d,"finish_reason":%s}]}`, delta, index, finish))
		}
		for _, p := range parts {
			frame(0, fmt.Sprintf(`{"content":%q}`, p), "null")
			frame(1, fmt.Sprintf(`{"content":%q,"reasoning_content":"[EMAIL_1]"}`, p), "null")
			frame(0, fmt.Sprintf(`{"tool_calls":[{"index":2,"function":{"arguments":%q}}]}`, p), "null")
		}
		frame(0, "{}", `"stop"`)
		frame(1, `{"content":"!"}`, `"stop"`)
		b.provider.streams["cheap-2026"] = vendors(chat.DecodeChunk, frames)
		h := new(heard)
		h.stream(t, b, asking("Write to "+ada+` of «"»`))
		said := map[string]string{}
		ended := map[int]bool{}
		for _, data := range h.data {
			var d struct {
				Choices []struct {
					Index  int     `json:"index"`
					Finish *string `json:"finish_reason"`
					Delta  struct {
						Content   string `json:"content"`
						Reasoning string `json:"reasoning_content"`
						ToolCalls []struct {
							Function struct {
								Arguments string `json:"arguments"`
							} `json:"function"`
						} `json:"tool_calls"`
					} `json:"delta"`
				} `json:"choices"`
			}
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				t.Fatal(err)
			}
			for _, c := range d.Choices {
				if ended[c.Index] {
					t.Fatalf("%q: behind the end comes %s", parts, data)
				}
				ended[c.Index] = c.Finish != nil
				said[fmt.Sprint(c.Index)] += c.Delta.Content
				for _, call := range c.Delta.ToolCalls {
					said["call"] += call.Function.Arguments
				}
				if c.Delta.Reasoning != "" && c.Delta.Reasoning != "[EMAIL_1]" {
					t.Fatalf("a thought became %s", data)
				}
			}
		}
		want := "a " + ada + " [QUOTE_1"
		if said["0"] != want || said["1"] != want+"!" || said["call"] != want || h.text.String() != want {
			t.Fatalf("%q were heard as %v and %q", parts, said, h.text.String())
		}
	})
}

// Anthropic's pieces: blocks end one after the other.
func TestMessagesAreRestored(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Redaction = redaction(t)
	inThree(`a [EMAIL_1] [EMAIL`, func(parts ...string) {
		frames := []string{`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`}
		for _, p := range parts {
			frames = append(frames, fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%q}}`, p))
		}
		frames = append(frames, `{"type":"content_block_stop","index":0}`)
		for _, p := range parts {
			frames = append(frames, fmt.Sprintf(`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":%q}}`, p))
		}
		frames = append(frames, `{"type":"content_block_stop","index":1}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`)
		decode := func(data []byte) (llm.Chunk, error) {
			c := llm.Chunk{Data: data, Text: "."}
			if strings.Contains(string(data), "stop_reason") {
				c.FinishReason = llm.FinishStop
			}
			return c, nil
		}
		b.provider.streams["cheap-2026"] = vendors(decode, frames)
		h := new(heard)
		h.stream(t, b, asking("Write to "+ada))
		said, ended := map[int]string{}, map[int]bool{}
		for _, data := range h.data {
			var d struct {
				Type  string
				Index int
				Delta struct{ Text, Partial_json string }
			}
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				t.Fatal(err)
			}
			if d.Type == "content_block_delta" && ended[d.Index] {
				t.Fatalf("%q: behind its end comes %s", parts, data)
			}
			ended[d.Index] = ended[d.Index] || d.Type == "content_block_stop"
			said[d.Index] += d.Delta.Text + d.Delta.Partial_json
		}
		if want := "a " + ada + " [EMAIL"; said[0] != want || said[1] != want || h.text.String() != want {
			t.Fatalf("%q were heard as %v and %q", parts, said, h.text.String())
		}
	})
}
