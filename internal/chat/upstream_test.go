package chat_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

func listen(llm.Chunk) error { return nil }

// TestUpstreamChangesWhatItMust, and not a byte else: names nobody knows, the
// order, the spelling of numbers and strings, and white space.
func TestUpstreamChangesWhatItMust(t *testing.T) {
	t.Parallel()
	const odd = "\n \"seed\" : 1.50e2,\t\"x\":{\"model\":\"m\",\"stream\":false,\"max_tokens\":1}, \"big\":123456789012345678901234567890,\"s\":\"\\u0041\\/<>&\u2028\""
	const usage = `"stream_options":{"include_usage":true}`
	newLimit, noOptions := chat.Dialect{NewLimit: true}, chat.Dialect{NoStreamOptions: true}
	for name, c := range map[string]struct {
		body    string
		dialect chat.Dialect
		stream  bool
		want    string
	}{
		"the model":                {body: `{` + odd + `, "model" :"a" }`, want: `{` + odd + `, "model" :"up \"1\"" }`},
		"a model in escapes":       {body: `{"mod\u0065l":"a"}`, want: `{"mod\u0065l":"up \"1\""}`},
		"no model":                 {body: ` { "a":1} `, want: ` { "a":1,"model":"up \"1\""} `},
		"nothing":                  {body: `{}`, want: `{"model":"up \"1\""}`},
		"stream":                   {body: `{"model":"a",` + odd + `}`, stream: true, want: `{"model":"up \"1\"",` + odd + `,"stream":true,` + usage + `}`},
		"stream set":               {body: `{"stream":true,"model":"a"}`, stream: true, want: `{"stream":true,"model":"up \"1\"",` + usage + `}`},
		"stream not set":           {body: `{"stream": false,"model":"a"}`, stream: true, want: `{"stream": true,"model":"up \"1\"",` + usage + `}`},
		"stream null":              {body: `{"stream":null,"stream_options":null,"model":"a"}`, stream: true, want: `{"stream":true,` + usage + `,"model":"up \"1\""}`},
		"options":                  {body: `{"model":"a","stream":true,"stream_options":{ "x":1}}`, stream: true, want: `{"model":"up \"1\"","stream":true,"stream_options":{ "x":1,"include_usage":true}}`},
		"empty options":            {body: `{"model":"a","stream":true,"stream_options":{ }}`, stream: true, want: `{"model":"up \"1\"","stream":true,"stream_options":{ "include_usage":true}}`},
		"no usage":                 {body: `{"model":"a","stream":true,"stream_options":{"x":1,"include_usage" :false}}`, stream: true, want: `{"model":"up \"1\"","stream":true,"stream_options":{"x":1,"include_usage" :true}}`},
		"usage":                    {body: `{"model":"a","stream":true,` + usage + `}`, stream: true, want: `{"model":"up \"1\"","stream":true,` + usage + `}`},
		"no stream after all":      {body: `{"model":"a","stream":true,` + usage + `}`, want: `{"model":"up \"1\"","stream":false,"stream_options":null}`},
		"options without a stream": {body: `{"model":"a",` + usage + `}`, want: `{"model":"up \"1\"",` + usage + `}`},
		"options that are refused": {body: `{"model":"a","stream":true,` + usage + `}`, stream: true, dialect: noOptions, want: `{"model":"up \"1\"","stream":true,"stream_options":null}`},
		"options that would be":    {body: `{"model":"a"}`, stream: true, dialect: noOptions, want: `{"model":"up \"1\"","stream":true}`},
		"the old limit":            {body: `{"model":"a","max_completion_tokens":5.0}`, want: `{"model":"up \"1\"","max_tokens":5.0}`},
		"the new limit":            {body: `{"model":"a","max_tokens" : 5}`, dialect: newLimit, want: `{"model":"up \"1\"","max_completion_tokens" : 5}`},
		"the old limit already":    {body: `{"model":"a","max_tokens":5}`, want: `{"model":"up \"1\"","max_tokens":5}`},
		"the new limit already":    {body: `{"model":"a","max_completion_tokens":5}`, dialect: newLimit, want: `{"model":"up \"1\"","max_completion_tokens":5}`},
		"one limit is null":        {body: `{"model":"a","max_tokens":null,"max_completion_tokens":5}`, want: `{"model":"up \"1\"","max_completion_tokens":null,"max_tokens":5}`},
		"the other limit is null":  {body: `{"max_tokens":5,"max_completion_tokens":null,"model":"a"}`, dialect: newLimit, want: `{"max_completion_tokens":5,"max_tokens":null,"model":"up \"1\""}`},
		"what looks like a member": {body: `{"a":"\",\"model\":\"x","model":"a"}`, want: `{"a":"\",\"model\":\"x","model":"up \"1\""}`},
		"members of other objects": {body: `{"messages":[{"model":"a","stream":1}],"model":"a"}`, want: `{"messages":[{"model":"a","stream":1}],"model":"up \"1\""}`},
	} {
		r := llm.Request{Model: `up "1"`, Body: []byte(c.body)}
		if c.stream {
			r.Emit = listen
		}
		got, err := chat.Upstream(r, c.dialect)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
		if string(r.Body) != c.body {
			t.Errorf("%s: the caller's body was changed", name)
		}
	}
	for _, body := range []string{``, `[]`, `null`, `"a"`} {
		if got, err := chat.Upstream(llm.Request{Body: []byte(body)}, chat.Dialect{}); err == nil {
			t.Errorf("%s became %s", body, got)
		}
	}
}

// TestUpstreamSaysTheSame: whatever is replaced, the body parses to the same
// request as before.
func TestUpstreamSaysTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := requests().Draw(t, "request")
		written, err := chat.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Body, r.Model = written, "up"
		if rapid.Bool().Draw(t, "stream") {
			r.Emit = listen
		}
		sent, err := chat.Upstream(r, chat.Dialect{NewLimit: rapid.Bool().Draw(t, "new")})
		if err != nil {
			t.Fatal(err)
		}
		p, err := chat.Parse(sent)
		if err != nil {
			t.Fatalf("%v of %s", err, sent)
		}
		if p.Model != "up" || p.Stream != (r.Emit != nil) || p.IncludeUsage != (r.Emit != nil) || p.MaxTokens != r.MaxTokens {
			t.Fatalf("%+v of %s", p, sent)
		}
		again, err := chat.Encode(p.Request)
		r.Body, r.Emit = nil, nil
		if want, _ := chat.Encode(r); err != nil || string(again) != string(want) {
			t.Fatalf("%v\n got %s\nwant %s", err, again, want)
		}
	})
}

func TestEncodeRefusesWhatCannotBeSaid(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	part := func(p llm.Part) llm.Request {
		return llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{p}}}}
	}
	for name, r := range map[string]llm.Request{
		"another vendor's part": part(llm.Part{Kind: "chat/video_url"}),
		"an empty image":        part(llm.Part{Kind: llm.PartImage}),
		"sound at a URL":        part(llm.Part{Kind: llm.PartAudio, URL: "https://h/a.mp3"}),
		"an uploaded file":      part(llm.Part{Kind: llm.PartFile, Name: "a"}),
		"no number":             {Temperature: &nan},
		"a broken schema":       {Tools: []llm.Tool{{Name: "f", Parameters: json.RawMessage(`{"a":`)}}},
		"more than a schema":    {Tools: []llm.Tool{{Name: "f", Parameters: json.RawMessage(`{}},"model":"x","y":{"z":{}`)}}},
		"an unknown format":     {ResponseFormat: llm.ResponseFormat{Type: "grammar"}},
	} {
		if got, err := chat.Encode(r); err == nil {
			t.Errorf("%s became %s", name, got)
		}
	}
}

func TestEncodeAsksForPieces(t *testing.T) {
	t.Parallel()
	r := llm.Request{Model: "m", MaxTokens: 5, Emit: listen}
	for want, d := range map[string]chat.Dialect{
		`{"model":"m","messages":[],"max_completion_tokens":5,"stream":true,"stream_options":{"include_usage":true}}`: {NewLimit: true},
		`{"model":"m","messages":[],"max_tokens":5,"stream":true}`:                                                    {NoStreamOptions: true},
	} {
		if got, err := chat.Upstream(r, d); err != nil || string(got) != want {
			t.Errorf("%s, %v", got, err)
		}
	}
}

func TestWithModel(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"input":"a", "model":"x","dimensions":2.0}`: `{"input":"a", "model":"up","dimensions":2.0}`,
		`{"input":["a"],"stream":true}`:               `{"input":["a"],"stream":true,"model":"up"}`,
	} {
		if got, err := chat.WithModel([]byte(body), "up"); err != nil || string(got) != want {
			t.Errorf("%s, %v", got, err)
		}
	}
	if got, err := chat.WithModel(nil, "up"); err == nil || !strings.Contains(err.Error(), "not a JSON object") {
		t.Errorf("%s, %v", got, err)
	}
}
