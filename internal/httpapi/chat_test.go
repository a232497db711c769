package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/sse"
)

const chatPath = "/v1/chat/completions"

func ask(fields string) string {
	return `{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of France?"}]` + fields + `}`
}

type completion struct {
	ID      string
	Model   string
	Choices []struct {
		Message struct {
			Content   *string
			ToolCalls []struct {
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		Delta struct {
			Role    string
			Content string
		}
		FinishReason string `json:"finish_reason"`
	}
	Usage *struct {
		PromptTokens     int64       `json:"prompt_tokens"`
		CompletionTokens int64       `json:"completion_tokens"`
		CostUSD          json.Number `json:"cost_usd"`
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for model, want := range map[string]struct{ model, strategy string }{
		"auto": {"small", "complexity"}, "auto:complexity": {"small", "complexity"}, "large": {"large", "model"},
	} {
		r := s.post(t, chatPath, ask(`, "model": "`+model+`", "user": "ada", "metadata": {"team": "search"}`)).want(t, 200)
		var got completion
		r.decode(t, &got)
		f := <-s.Ledger.recorded
		if len(got.Choices) != 1 || *got.Choices[0].Message.Content == "" || got.Choices[0].FinishReason != "stop" ||
			got.Usage.PromptTokens != f.TokensIn || got.Usage.CompletionTokens != f.TokensOut {
			t.Errorf("%s: %s", model, r.Body)
		}
		if cost := r.Header.Get("X-Busu-Cost-Usd"); cost != got.Usage.CostUSD.String() || f.CostNanos == 0 {
			t.Errorf("%s: cost %s in the body, %s in the header, %d recorded", model, got.Usage.CostUSD, cost, f.CostNanos)
		}
		if r.Header.Get("X-Busu-Model") != want.model || f.Strategy != want.strategy || f.UserID != "ada" || f.Metadata["team"] != "search" ||
			r.Header.Get("X-Request-Id") != f.ID.String() {
			t.Errorf("%s: recorded %+v", model, f)
		}
	}
}

// frames posts a body and gives the events of the answer.
func (s *stack) frames(t *testing.T, path, body string) (events []sse.Event) {
	t.Helper()
	r := s.post(t, path, body).want(t, 200)
	reader := sse.NewReader(bytes.NewReader(r.Body))
	for {
		e, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		e.Data = bytes.Clone(e.Data)
		events = append(events, e)
	}
}

// TestChatStream: with and without the piece that tells the usage, the cost is
// in the last one.
func TestChatStream(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for options, asked := range map[string]bool{"": false, `, "stream_options": {"include_usage": true}`: true} {
		events := s.frames(t, chatPath, ask(`, "model": "auto", "stream": true`+options))
		f := <-s.Ledger.recorded
		if last := events[len(events)-1]; string(last.Data) != "[DONE]" {
			t.Fatalf("the last is %s", last.Data)
		}
		var text strings.Builder
		for i, e := range events[:len(events)-1] {
			var c completion
			if err := json.Unmarshal(e.Data, &c); err != nil || e.Name != "" || c.ID == "" {
				t.Fatalf("%v: %q %s", err, e.Name, e.Data)
			}
			isLast := i == len(events)-2
			if (c.Usage != nil) != isLast {
				t.Errorf("usage in piece %d of %d: %s", i, len(events), e.Data)
			}
			if usageOnly := len(c.Choices) == 0; usageOnly != (isLast && asked) {
				t.Errorf("piece %d of %d: %s", i, len(events), e.Data)
			}
			if len(c.Choices) > 0 {
				text.WriteString(c.Choices[0].Delta.Content)
			}
			if isLast && (c.Usage.CostUSD.String() == "" || c.Usage.CompletionTokens != f.TokensOut) {
				t.Errorf("the last piece is %s", e.Data)
			}
		}
		if text.Len() == 0 || f.Status != event.StatusOK {
			t.Errorf("%q, recorded %+v", &text, f)
		}
	}
}

// TestBytesPass: a vendor's whole answer reaches the client as it is, but for
// the cost, and the client's body the vendor.
func TestBytesPass(t *testing.T) {
	t.Parallel()
	answer := `{ "id":"x", "zzz": [1.50, {"b":1,"a":2}],"choices":[{"message":{"content":"Paris."}, "finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2} }`
	var body string
	s := serve(t, func(c *setup) {
		c.provider = providerFunc(func(_ context.Context, r llm.Request) (llm.Response, error) {
			body = string(r.Body)
			return llm.Response{Text: "Paris.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 3, Out: 2}, Body: []byte(answer)}, nil
		})
	})
	sent := ask(`, "model": "auto", "zzz": {"y": 1.50}, "logit_bias": {"5": -1}`)
	got := s.record(newRequest(chatPath, sent))
	if want := strings.Replace(answer, `"completion_tokens":2}`, `"completion_tokens":2,"cost_usd":`+got.Header.Get("X-Busu-Cost-Usd")+`}`, 1); string(got.Body) != want {
		t.Errorf("got  %s\nwant %s", got.Body, want)
	}
	if body != sent {
		t.Errorf("the vendor got %s", body)
	}
}

func newRequest(path, body string) *http.Request {
	r, err := http.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Host = "127.0.0.1"
	return r
}

// TestVendorsRefusal reaches the client as the vendor's own would.
func TestVendorsRefusal(t *testing.T) {
	t.Parallel()
	for kind, want := range map[llm.ErrorKind]int{llm.ErrorRejected: 400, llm.ErrorRateLimited: 429, llm.ErrorUnavailable: 502, llm.ErrorAuth: 502} {
		s := serve(t, func(c *setup) {
			c.provider = providerFunc(func(context.Context, llm.Request) (llm.Response, error) {
				return llm.Response{}, &llm.ProviderError{Provider: "simulated", Kind: kind, Err: errors.New("the vendor's words"), RetryAfter: 1500e6}
			})
		})
		for _, stream := range []string{"false", "true"} {
			r := s.post(t, chatPath, ask(`, "model": "auto", "stream": `+stream)).want(t, want)
			var e struct{ Error struct{ Message string } }
			r.decode(t, &e)
			if said := strings.Contains(e.Error.Message, "the vendor's words"); said != (kind == llm.ErrorRejected) {
				t.Errorf("%s: %s", kind, e.Error.Message)
			}
			if r.Header.Get("Retry-After") != "2" {
				t.Errorf("%s: Retry-After %q", kind, r.Header.Get("Retry-After"))
			}
		}
	}
}

// TestBrokenChatStream ends with an error and without [DONE].
func TestBrokenChatStream(t *testing.T) {
	t.Parallel()
	s := serve(t, playing(&script{words: []string{"Pa"}, err: &llm.ProviderError{Kind: llm.ErrorUnavailable, Err: errors.New("secret")}}))
	events := s.frames(t, chatPath, ask(`, "model": "auto", "stream": true`))
	var e struct {
		Error struct{ Message, Type string }
	}
	last := events[len(events)-1].Data
	if err := json.Unmarshal(last, &e); err != nil || e.Error.Type != "server_error" || bytes.Contains(last, []byte("secret")) || len(events) != 2 {
		t.Errorf("%v, %d events, the last %s", err, len(events), last)
	}
}

func TestBadChats(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, c := range map[string]struct {
		body   string
		status int
		param  string
		code   string
	}{
		"empty":          {"", 400, "", "malformed-request"},
		"no JSON":        {"{", 400, "", "malformed-request"},
		"list":           {"[]", 400, "", "malformed-request"},
		"no model":       {ask(""), 400, "model", "missing_required_parameter"},
		"model null":     {ask(`, "model": null`), 400, "model", "missing_required_parameter"},
		"unknown model":  {ask(`, "model": "gpt-9"`), 404, "model", "model_not_found"},
		"auto:unknown":   {ask(`, "model": "auto:zzz"`), 404, "model", "model_not_found"},
		"model twice":    {ask(`, "model": "small", "model": "large"`), 400, "model", "invalid_value"},
		"no messages":    {`{"model": "auto"}`, 400, "messages", "missing_required_parameter"},
		"messages empty": {`{"model": "auto", "messages": []}`, 400, "messages", "invalid_value"},
		"role":           {`{"model": "auto", "messages": [{"role": "robot", "content": "a"}]}`, 400, "messages[0].role", "invalid_value"},
		"temperature":    {ask(`, "model": "auto", "temperature": "hot"`), 400, "temperature", "invalid_type"},
		"max_tokens":     {ask(`, "model": "auto", "max_tokens": -1`), 400, "max_tokens", "invalid_value"},
		"user":           {ask(`, "model": "auto", "user": "` + strings.Repeat("u", 257) + `"`), 400, "user", "invalid_value"},
		"huge":           {strings.Repeat(" ", 5<<20), 413, "", "too-large"},
	} {
		r := s.post(t, chatPath, c.body)
		var e struct {
			Error struct{ Message, Param, Code string }
		}
		r.decode(t, &e)
		if r.Status != c.status || e.Error.Param != c.param || e.Error.Code != c.code || e.Error.Message == "" {
			t.Errorf("%s: %d, %+v, want %d, %s, %s", name, r.Status, e.Error, c.status, c.param, c.code)
		}
	}
	if intents, _ := s.Ledger.counts(); intents > 0 {
		t.Error("something was recorded")
	}
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	r := s.post(t, "/v1/embeddings", `{"model": "embedding", "input": ["one text", "another"], "user": "ada"}`).want(t, 200)
	var got struct {
		Data []struct{ Embedding []float64 }
	}
	r.decode(t, &got)
	f := s.Ledger.only(t)
	if len(got.Data) != 2 || len(got.Data[0].Embedding) == 0 || f.Model != "embedding" || f.Status != event.StatusOK || f.TokensIn == 0 ||
		f.TokensOut != 0 || f.SavingsNanos() != 0 || f.UserID != "ada" {
		t.Errorf("%.200s, recorded %+v", r.Body, f)
	}
	for body, status := range map[string]int{
		`{"model": "auto", "input": "a"}`: 400, `{"model": "small", "input": "a"}`: 400, `{"model": "gpt-9", "input": "a"}`: 404,
		`{"model": "embedding"}`: 400, `{"model": "embedding", "input": []}`: 400, `{"model": "embedding", "input": 5}`: 400, `{"input": "a"}`: 400,
	} {
		if got := s.post(t, "/v1/embeddings", body); got.Status != status {
			t.Errorf("%s: %d, want %d: %s", body, got.Status, status, got.Body)
		}
	}
	s.post(t, chatPath, ask(`, "model": "embedding"`)).want(t, 400)
	s.post(t, "/complete", `{"prompt": "a", "model": "embedding"}`).want(t, 422)
	s.post(t, "/v1/embeddings", `{"model": "large", "input": "a"}`).want(t, 400)
}

// TestSeveralAnswersOfATranslator: they come by index, whole and in pieces,
// each with its role once; the usage and the cost are one.
func TestSeveralAnswersOfATranslator(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *setup) {
		c.provider = providerFunc(func(_ context.Context, r llm.Request) (llm.Response, error) {
			usage := llm.Usage{In: 20, Out: 9}
			whole := llm.Response{Text: "Paris.", FinishReason: llm.FinishStop, Usage: usage,
				Others: []llm.Other{{Index: 1, First: true, Text: "Lima?", FinishReason: llm.FinishLength}}}
			if r.Emit == nil {
				return whole, nil
			}
			var err error
			for _, c := range []llm.Chunk{{Others: []llm.Other{{Index: 1, First: true, Text: "Li"}}}, {Text: "Paris."}, {Others: []llm.Other{{Index: 1, Text: "ma?"}}},
				{FinishReason: llm.FinishStop, Usage: &usage, Others: []llm.Other{{Index: 1, FinishReason: llm.FinishLength}}}} {
				err = errors.Join(err, r.Emit(c))
			}
			return whole, err
		})
	})
	const want = "assistant Paris. stop, assistant Lima? length"
	var whole struct {
		Choices []struct {
			Index   int
			Message struct{ Role, Content string }
			Reason  string `json:"finish_reason"`
		}
		Usage struct {
			Out int64 `json:"completion_tokens"`
		}
	}
	s.post(t, chatPath, ask(`, "model": "auto", "n": 2`)).want(t, 200).decode(t, &whole)
	if c := whole.Choices; len(c) != 2 || c[1].Index != 1 || whole.Usage.Out != 9 ||
		c[0].Message.Role+" "+c[0].Message.Content+" "+c[0].Reason+", "+c[1].Message.Role+" "+c[1].Message.Content+" "+c[1].Reason != want {
		t.Errorf("%+v", whole)
	}
	var heard [2]struct{ role, text, reason string }
	costs := 0
	for _, f := range s.frames(t, chatPath, ask(`, "model": "auto", "n": 2, "stream": true`)) {
		if string(f.Data) == "[DONE]" {
			continue
		}
		var piece struct {
			Choices []struct {
				Index  int
				Delta  struct{ Role, Content string }
				Reason string `json:"finish_reason"`
			}
			Usage *struct {
				CostUSD json.Number `json:"cost_usd"`
			}
		}
		if err := json.Unmarshal(f.Data, &piece); err != nil {
			t.Fatal(err)
		}
		for _, c := range piece.Choices {
			h := &heard[c.Index]
			h.role, h.text, h.reason = h.role+c.Delta.Role, h.text+c.Delta.Content, h.reason+c.Reason
		}
		if piece.Usage != nil && piece.Usage.CostUSD != "" {
			costs++
		}
	}
	if got := heard[0].role + " " + heard[0].text + " " + heard[0].reason + ", " + heard[1].role + " " + heard[1].text + " " + heard[1].reason; got != want || costs != 1 {
		t.Errorf("heard %s; %d pieces tell a cost", got, costs)
	}
}
