package trafficlog

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

const (
	asked    = `"model":"gpt-4o","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"What is 2 + 2?"}]`
	answered = `"object":"chat.completion","created":1790000000,"model":"gpt-4o-2024-08-06","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8}}`
	payload  = `{"id":"x","call_type":"acompletion","response_cost":0.0001234,"status":"success","prompt_tokens":20,"completion_tokens":5,"startTime":1790000000.25,"model":"gpt-4o","custom_llm_provider":"openai","cache_hit":null,"end_user":"ann","messages":[{"role":"user","content":"What is 2 + 2?"}],"model_parameters":{"tools":[{}],"response_format":{"type":"json_schema"},"max_tokens":77}}`
	spend    = `{"request_id":"x","call_type":"acompletion","spend":1e-05,"prompt_tokens":20,"completion_tokens":5,"startTime":"2026-09-21 14:13:20.250","model":"openai/gpt-4o","user":"ann","cache_hit":"None","messages":"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is 2 + 2?\"},{\"type\":\"image_url\"}]}]","response":{}}`
)

// TestShapes has the same call come in all shapes.
func TestShapes(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"a batch":             `{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{` + asked + `},"response":{"status_code":200,"body":{` + answered + `}},"error":null}`,
		"a request":           `{"request":{` + asked + `},"response":{` + answered + `}}`,
		"a request's body":    `{"timestamp":"2026-09-21T14:13:20Z","request":{"url":"/v1","body":{` + asked + `}},"response":{"status":200,"body":{` + answered + `}}}`,
		"side by side":        `{` + asked + `,"usage":{"prompt_tokens":20,"completion_tokens":5},"timestamp":1790000000000}`,
		"responses":           `{"request":{"model":"gpt-4o","input":[{"role":"user","content":[{"type":"input_text","text":"What is 2 + 2?"}]},{"type":"reasoning"}]},"response":{"created_at":1790000000,"usage":{"input_tokens":20,"output_tokens":5}}}`,
		"responses, a text":   `{"body":{"model":"gpt-4o","input":"What is 2 + 2?"},"response":{"usage":{"input_tokens":20,"output_tokens":5},"created_at":1790000000}}`,
		"LiteLLM's payload":   payload,
		"inside its event":    `{"standard_logging_object":` + payload + `}`,
		"LiteLLM's spend log": spend,
		"as the proxy got it": strings.Replace(spend, `"messages":`, `"messages":{},"proxy_server_request":`, 1),
		"and as it got it":    strings.NewReplacer(`"messages":"[`, `"messages":"{}","proxy_server_request":"{\"messages\":[`, `]","response"`, `]}","response"`).Replace(spend),
	} {
		if name == "as the proxy got it" {
			line = strings.NewReplacer(`"proxy_server_request":"[`, `"proxy_server_request":"{\"body\":{\"messages\":[`, `]","response"`, `]}}","response"`).Replace(line)
		}
		c, err := Parse([]byte(line))
		if err != nil {
			t.Errorf("%s: %v in %s", name, err, line)
			continue
		}
		if got := llm.LastUser(c.Ask.Messages); got != "What is 2 + 2?" || strings.TrimPrefix(c.Model, "openai/") != "gpt-4o" || c.Usage.In != 20 || c.Usage.Out != 5 {
			t.Errorf("%s: %q of %s, %+v", name, got, c.Model, c.Usage)
		}
		if at := c.At.Truncate(time.Second); !at.Equal(time.Unix(1790000000, 0)) {
			t.Errorf("%s: at %v", name, c.At)
		}
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	if c.User != "ann" || c.Provider != "openai" || c.Billed == nil || *c.Billed != 123400 || len(c.Ask.Tools) != 1 ||
		c.Ask.ResponseFormat.Type != llm.ResponseJSONSchema || c.Ask.MaxTokens != 77 || c.At.Nanosecond() == 0 {
		t.Errorf("%+v", c)
	}
	if c, err = Parse([]byte(spend)); err != nil || *c.Billed != 10000 || len(c.Ask.Messages[0].Parts) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = Parse([]byte(`{"request":{` + asked + `,"user":"bob"},"response":{` + answered + `}}`)); err != nil || c.Usage.CachedIn != 8 || c.User != "bob" || c.Served != "gpt-4o-2024-08-06" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestCachedTokensAreOfThePrompt, whatever a log says.
func TestCachedTokensAreOfThePrompt(t *testing.T) {
	t.Parallel()
	for told, want := range map[string]int64{"8": 8, "800": 20, "-8": 0} {
		c, err := Parse([]byte(`{"request":{` + asked + `},"response":{` + strings.Replace(answered, `"cached_tokens":8`, `"cached_tokens":`+told, 1) + `}}`))
		if err != nil || c.Usage.CachedIn != want {
			t.Errorf("%s cached tokens of 20 count as %d (%v), want %d", told, c.Usage.CachedIn, err, want)
		}
	}
}

// TestUnusable names the reason of every line that is none.
func TestUnusable(t *testing.T) {
	t.Parallel()
	swap := func(line, old, new string) string {
		if !strings.Contains(line, old) {
			t.Fatalf("%s is not in %s", old, line)
		}
		return strings.Replace(line, old, new, 1)
	}
	batch := `{"custom_id":"1","body":{` + asked + `},"response":{"status_code":200,"body":{` + answered + `}}}`
	for line, reason := range map[string]string{
		`{`:           "no JSON",
		`[` + batch:   "no JSON",
		`[]`:          "not an object: one call a line is wanted",
		`{"level":3}`: "neither OpenAI's shape nor LiteLLM's",
		`{"custom_id":"1","response":{"body":{` + answered + `}}}`:                           "an answer without its request: join a batch's output with its input by custom_id",
		`{"custom_id":"1","body":{` + asked + `}}`:                                           reasonNoUsage,
		swap(batch, `"status_code":200`, `"status_code":500`):                                reasonFailed,
		swap(batch, `"custom_id":"1"`, `"error":{"message":"x"}`):                            reasonFailed,
		swap(batch, `"prompt_tokens":20`, `"prompt_tokens":0`):                               reasonNoUsage,
		swap(batch, `"usage"`, `"usages"`):                                                   reasonNoUsage,
		swap(batch, `"role":"user"`, `"role":"assistant"`):                                   reasonNobodyAsks,
		swap(payload, `"cache_hit":null`, `"cache_hit":true`):                                reasonCached,
		swap(spend, `"cache_hit":"None"`, `"cache_hit":"True"`):                              reasonCached,
		swap(payload, `"status":"success"`, `"status":"failure"`):                            reasonFailed,
		swap(payload, `acompletion`, `aembedding`):                                           "not a chat: aembedding",
		swap(payload, `[{"role":"user","content":"What is 2 + 2?"}]`, `{}`):                  reasonUnstored,
		swap(payload, `What is 2 + 2?`, `redacted-by-litellm`):                               reasonUnstored,
		swap(payload, `"completion_tokens":5`, `"completion_tokens":-5`):                     reasonNoUsage,
		swap(payload, `"completion_tokens":5`, `"completion_tokens":1e300`):                  reasonNoUsage,
		swap(payload, `"messages":[{"role":"user","content":"What is 2 + 2?"}]`, `"top":""`): reasonUnstored,
	} {
		_, err := Parse([]byte(line))
		var why *UnusableError
		if !errors.As(err, &why) || err.Error() != reason {
			t.Errorf("%s: %v, want %q", line, err, reason)
		}
	}
}

// TestRead numbers lines, passes over blank ones, takes one that does not end,
// and stops when told to.
func TestRead(t *testing.T) {
	t.Parallel()
	var got []string
	err := Read(strings.NewReader(payload+"\n\n  \r\nnot\n"+spend), func(n int, c Call, why *UnusableError) error {
		if why != nil {
			got = append(got, fmt.Sprint(n, " ", why.Reason))
		} else {
			got = append(got, fmt.Sprint(n, " ", c.Model))
		}
		return nil
	})
	if want := "[1 gpt-4o 4 no JSON 5 openai/gpt-4o]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v (%v), want %s", got, err, want)
	}
	stop := errors.New("enough")
	if err := Read(strings.NewReader(payload+"\n"+payload), func(n int, _ Call, _ *UnusableError) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("it goes on: %v", err)
	}
}

// TestLongLines keeps what follows a line that is too long.
func TestLongLines(t *testing.T) {
	t.Parallel()
	in := &repeated{line: `{"pad":"`, fill: maxLine + 10, end: "\"}\n" + payload + "\n"}
	var got []string
	err := Read(in, func(n int, c Call, why *UnusableError) error {
		if why != nil {
			got = append(got, why.Reason)
		} else {
			got = append(got, c.Model)
		}
		return nil
	})
	if want := "[longer than 64 MiB gpt-4o]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v (%v), want %s", got, err, want)
	}
}

// repeated is a reader of a long line that nobody has to hold.
type repeated struct {
	line string
	fill int
	end  string
}

func (r *repeated) Read(p []byte) (n int, err error) {
	if n = copy(p, r.line); n > 0 {
		r.line = r.line[n:]
		return n, nil
	}
	if n = min(r.fill, copy(p, filling)); n > 0 {
		r.fill -= n
		return n, nil
	}
	if n = copy(p, r.end); n > 0 {
		r.end = r.end[n:]
		return n, nil
	}
	return 0, io.EOF
}

var filling = strings.Repeat("x", 1<<16)

func FuzzParse(f *testing.F) {
	f.Add([]byte(payload))
	f.Add([]byte(spend))
	f.Add([]byte(`{"request":{` + asked + `},"response":{` + answered + `}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := Parse(line)
		var why *UnusableError
		if err != nil && !errors.As(err, &why) {
			t.Errorf("%v says no reason", err)
		}
		if err == nil && (c.Usage.In <= 0 || c.Usage.Out < 0 || c.Usage.CachedIn < 0 || c.Usage.CachedIn > c.Usage.In || len(c.Ask.Messages) == 0) {
			t.Errorf("a call of %+v", c.Usage)
		}
	})
}
