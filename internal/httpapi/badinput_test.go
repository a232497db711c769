package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// badInput is a body that must be refused, with the fields that must be named,
// comma-separated, for those that can be read.
type badInput struct {
	name   string
	body   string
	status int
	fields string
}

// unreadable bodies are refused as a whole.
func unreadable() []badInput {
	huge := `{"prompt": "` + strings.Repeat("a", 10<<20) + `"}`
	return []badInput{
		{"empty", "", 400, ""},
		{"blank", " \n\t ", 400, ""},
		{"word", "hello", 400, ""},
		{"form", "prompt=hello", 400, ""},
		{"single quotes", `{'prompt': 'hello'}`, 400, ""},
		{"cut off", `{"prompt": "hello"`, 400, ""},
		{"cut off in a string", `{"prompt": "hello`, 400, ""},
		{"two values", `{"prompt": "a"} {"prompt": "b"}`, 400, ""},
		{"comma at the end", `{"prompt": "a",}`, 400, ""},
		{"comment", `{"prompt": "a"} // hello`, 400, ""},
		{"NaN", `{"prompt": "a", "temperature": NaN}`, 400, ""},
		{"Infinity", `{"prompt": "a", "max_tokens": -Infinity}`, 400, ""},
		{"leading zero", `{"prompt": "a", "max_tokens": 010}`, 400, ""},
		{"byte order mark", "\ufeff" + `{"prompt": "a"}`, 400, ""},
		{"raw newline in a string", "{\"prompt\": \"a\nb\"}", 400, ""},
		{"raw NUL in a string", "{\"prompt\": \"a\x00b\"}", 400, ""},
		{"NUL bytes", strings.Repeat("\x00", 100), 400, ""},
		{"invalid UTF-8 in the prompt", "{\"prompt\": \"\xff\xfe\"}", 400, ""},
		{"invalid UTF-8 in an id", "{\"prompt\": \"a\", \"user_id\": \"\xc3(\"}", 400, ""},
		{"invalid UTF-8 in a name", "{\"prompt\": \"a\", \"\x80\": 1}", 400, ""},
		{"overlong UTF-8", "{\"prompt\": \"\xc0\xaf\"}", 400, ""},
		{"surrogates in UTF-8", "{\"prompt\": \"\xed\xa0\x80\"}", 400, ""},
		{"UTF-16", "{\x00\"\x00}\x00", 400, ""},
		{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00", 400, ""},
		{"list", `[{"prompt": "a"}]`, 400, ""},
		{"string", `"prompt"`, 400, ""},
		{"number", `42`, 400, ""},
		{"true", `true`, 400, ""},
		{"null", `null`, 400, ""},
		{"deep list", strings.Repeat("[", 100_000), 400, ""},
		{"deeper than any schema", `{"prompt": ` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`, 400, ""},
		{"deep list, closed", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), 400, ""},
		{"deep in a field", `{"prompt": ` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + "}", 400, ""},
		{"10 MB", huge, 413, ""},
		{"a byte more than 4 MiB", strings.Repeat(" ", 4<<20-1) + "{}", 413, ""},
	}
}

func badPrompts() []badInput {
	return []badInput{
		{"no prompt", `{}`, 422, "prompt"},
		{"prompt empty", `{"prompt": ""}`, 422, "prompt"},
		{"prompt null", `{"prompt": null}`, 422, "prompt"},
		{"prompt and messages null", `{"prompt": null, "messages": null}`, 422, "prompt"},
		{"prompt number", `{"prompt": 5}`, 422, "prompt"},
		{"prompt true", `{"prompt": true}`, 422, "prompt"},
		{"prompt list", `{"prompt": ["a"]}`, 422, "prompt"},
		{"prompt object", `{"prompt": {"text": "a"}}`, 422, "prompt"},
		{"prompt deep", `{"prompt": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 422, "prompt"},
		{"prompt of 200,001 characters", `{"prompt": "` + strings.Repeat("é", 200_001) + `"}`, 422, "prompt"},
		{"prompt with NUL", `{"prompt": "a\u0000b"}`, 422, "prompt"},
		{"prompt with a high half", `{"prompt": "cut \ud83d"}`, 422, "prompt"},
		{"prompt with a low half", `{"prompt": "\uDE00 cut"}`, 422, "prompt"},
		{"prompt with two high halves", `{"prompt": "\ud83d\ud83d\ude00"}`, 422, "prompt"},
		{"prompt with a high half and an escape", `{"prompt": "\ud83d\n"}`, 422, "prompt"},
		{"prompt twice", `{"prompt": "a", "prompt": "b"}`, 422, "prompt"},
		{"prompt twice, once escaped", `{"prompt": "a", "pro\u006dpt": "b"}`, 422, "prompt"},
		{"prompt and messages", `{"prompt": "a", "messages": [{"role": "user", "content": "b"}]}`, 422, "messages,prompt"},
	}
}

func badMessages() []badInput {
	turn := `{"role": "user", "content": "a"}`
	half := `{"role": "user", "content": "` + strings.Repeat("a", 100_001) + `"}`
	return []badInput{
		{"no messages", `{"messages": []}`, 422, "messages"},
		{"messages text", `{"messages": "a"}`, 422, "messages"},
		{"messages object", `{"messages": ` + turn + `}`, 422, "messages"},
		{"message number", `{"messages": [` + turn + `, 5]}`, 422, "messages[1]"},
		{"message null", `{"messages": [null]}`, 422, "messages[0]"},
		{"message list", `{"messages": [[]]}`, 422, "messages[0]"},
		{"message empty", `{"messages": [{}]}`, 422, "messages[0].content,messages[0].role"},
		{"role missing", `{"messages": [{"content": "a"}]}`, 422, "messages[0].role"},
		{"role unknown", `{"messages": [{"role": "robot", "content": "a"}]}`, 422, "messages[0].role"},
		{"role number", `{"messages": [{"role": 1, "content": "a"}]}`, 422, "messages[0].role"},
		{"content missing", `{"messages": [{"role": "user"}]}`, 422, "messages[0].content"},
		{"content null", `{"messages": [{"role": "user", "content": null}]}`, 422, "messages[0].content"},
		{"content parts", `{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}`, 422, "messages[0].content"},
		{"content with NUL", `{"messages": [{"role": "user", "content": "\u0000"}]}`, 422, "messages[0].content"},
		{"message with more", `{"messages": [{"role": "user", "content": "a", "name": "b"}]}`, 422, "messages[0].name"},
		{"message with a role twice", `{"messages": [{"role": "system", "role": "user", "content": "a"}]}`, 422, "messages[0].role"},
		{"several messages wrong", `{"messages": [{"role": "x", "content": "a"}, ` + turn + `, {"role": "user", "content": 1, "x": 1}]}`, 422,
			"messages[0].role,messages[2].content,messages[2].x"},
		{"no user", `{"messages": [{"role": "system", "content": "a"}]}`, 422, "messages"},
		{"last user empty", `{"messages": [` + turn + `, {"role": "user", "content": ""}]}`, 422, "messages"},
		{"200,002 characters in all", `{"messages": [` + half + `, ` + half + `]}`, 422, "messages"},
		{"1,001 messages", `{"messages": [` + strings.Repeat(turn+",", 1000) + turn + `]}`, 422, "messages"},
	}
}

// badFields go with a prompt that is right.
func badFields() []badInput {
	var all []badInput
	for field, values := range map[string][]string{
		"max_tokens": {`0`, `-1`, `32001`, `1.5`, `-0`, `"5"`, `true`, `[]`, `{}`, `1e999`, `-1e999`, `1e18`, `1e-9`,
			`9223372036854775808`, `-9223372036854775809`, strings.Repeat("9", 5000)},
		"temperature": {`-0.001`, `2.001`, `1e999`, `-1e999`, `"1"`, `true`, `[0]`, `{}`, strings.Repeat("9", 5000)},
		"user_id": {`5`, `true`, `[]`, `{}`, `"` + strings.Repeat("a", 257) + `"`, `"` + strings.Repeat("é", 129) + `"`,
			`"a\u0000"`, `"\ud83d"`},
		"session_id":    {`5`, `"` + strings.Repeat("a", 257) + `"`, `"\u0000"`},
		"strategy":      {`"nope"`, `""`, `"Complexity"`, `"auto:complexity"`, `5`, `[]`, `"` + strings.Repeat("x", 100_000) + `"`},
		"model":         {`"nope"`, `""`, `"small\u0000"`, `5`, `{}`},
		"cache":         {`"always"`, `""`, `true`},
		"max_cost_usd":  {`0`, `-1`, `"1"`, `true`, `[]`, `1e999`, `1e-10`, `0.0000000001`, strings.Repeat("9", 5000)},
		"min_quality":   {`-0.1`, `1.1`, `"0.9"`, `true`, `1e999`},
		"models":        {`"small"`, `[]`, `{}`, `5`, `["nope"]`, `["small", 5]`, `["small", ""]`, "[" + strings.Repeat(`"small",`, 100) + `"small"]`},
		"stream":        {`"yes"`, `1`, `[]`},
		"experiment_id": {`5`, `"` + strings.Repeat("a", 257) + `"`},
		"metadata":      {`"a"`, `5`, `[]`, `[["a", "b"]]`, `true`, metadataOf(17), metadataOf(20_000)},
	} {
		for i, value := range values {
			fields := field
			if field == "experiment_id" && i > 0 {
				fields += ",user_id"
			}
			all = append(all, badInput{fmt.Sprintf("%s %.40s", field, value), `{"prompt": "a", "` + field + `": ` + value + `}`, 422, fields})
		}
	}
	return append(all,
		badInput{"experiment without user", `{"prompt": "a", "experiment_id": "e"}`, 422, "user_id"},
		badInput{"experiment with an empty user", `{"prompt": "a", "experiment_id": "e", "user_id": ""}`, 422, "user_id"},
		badInput{"unknown experiment", `{"prompt": "a", "experiment_id": "e", "user_id": "u"}`, 422, "experiment_id"},
		badInput{"metadata number", `{"prompt": "a", "metadata": {"ok": "1", "n": 1}}`, 422, "metadata.n"},
		badInput{"metadata null", `{"prompt": "a", "metadata": {"n": null}}`, 422, "metadata.n"},
		badInput{"metadata nested", `{"prompt": "a", "metadata": {"n": {"x": "y"}, "m": ["z"]}}`, 422, "metadata.m,metadata.n"},
		badInput{"metadata without a name", `{"prompt": "a", "metadata": {"": "x"}}`, 422, "metadata."},
		badInput{"metadata long value", `{"prompt": "a", "metadata": {"k": "` + strings.Repeat("a", 513) + `"}}`, 422, "metadata.k"},
		badInput{"metadata NUL in value", `{"prompt": "a", "metadata": {"k": "\u0000"}}`, 422, "metadata.k"},
		badInput{"metadata NUL in name", `{"prompt": "a", "metadata": {"k\u0000": "a"}}`, 422, "metadata.k\x00"},
		badInput{"metadata twice", `{"prompt": "a", "metadata": {"k": "a", "k": "b"}}`, 422, "metadata.k"},
		badInput{"unknown fields", `{"prompt": "a", "promt": "b", "Prompt": "c", "n": null, "": 1}`, 422, ",Prompt,n,promt"},
		badInput{"unknown field twice", `{"prompt": "a", "x": 1, "x": 2}`, 422, "x"},
		badInput{"many at once", `{"messages": [{"role": "x"}], "max_tokens": -5, "temperature": 9, "user_id": 1, "session_id": [],
			"strategy": "s", "model": "m", "cache": "c", "stream": 1, "experiment_id": "e", "metadata": {"a": 1}, "zzz": 1}`, 422,
			"cache,max_tokens,messages[0].content,messages[0].role,metadata.a,model,session_id,strategy,stream,temperature,user_id,zzz"},
	)
}

// metadataOf gives n pairs.
func metadataOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `, "k%d": "v"`, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ", ") + "}"
}

// TestBadInput: 4xx with every bad field named, nothing recorded, no provider
// called. /recommendation reads the same body.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := serve(t)
	t.Cleanup(func() {
		intents, facts := s.Ledger.counts()
		if calls := s.Provider.calls.Load(); intents+facts > 0 || calls > 0 {
			t.Errorf("%d intents, %d facts and %d calls of the provider, want none", intents, facts, calls)
		}
	})
	for _, bad := range slices.Concat(unreadable(), badPrompts(), badMessages(), badFields()) {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/complete", "/recommendation"} {
				p := s.post(t, path, bad.body).want(t, bad.status).problem(t)
				if got := strings.Join(p.fields(), ","); got != bad.fields {
					t.Errorf("%s names %q, want %q", path, got, bad.fields)
				}
				if p.Detail == "" || len(p.Detail) > 1000 {
					t.Errorf("the detail is %.100q and %d bytes long", p.Detail, len(p.Detail))
				}
			}
		})
	}
}

func TestTooLargeWithoutLength(t *testing.T) {
	t.Parallel()
	s := serve(t)
	body := strings.Repeat(" ", 10<<20)
	p := s.sendFrom(t, "POST", "/complete", struct{ io.Reader }{strings.NewReader(body)}).want(t, 413).problem(t)
	if !strings.HasSuffix(p.Type, ":too-large") {
		t.Errorf("type %s", p.Type)
	}
	if intents, _ := s.Ledger.counts(); intents > 0 {
		t.Error("an intent was recorded")
	}
}

// TestTooLargeIsRefusedBeforeItIsSent to those that ask first, as curl does.
func TestTooLargeIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := serve(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/complete", untouchable{t})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 10 << 20
	r.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != 413 {
		t.Errorf("status %d", response.StatusCode)
	}
}

// untouchable is a body that must not be sent.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was asked for")
	return 0, io.EOF
}

// TestManyFaultsStaySmall: an answer is not much longer for a body of nothing
// but faults, and the same every time.
func TestManyFaultsStaySmall(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var body strings.Builder
	body.WriteString(`{"prompt": "a"`)
	for i := range 50_000 {
		fmt.Fprintf(&body, `, "unknown field number %d": 0`, i)
	}
	body.WriteString(`, "` + strings.Repeat("é", 10_000) + `": 0}`)
	first := s.post(t, "/complete", body.String()).want(t, 422)
	p := first.problem(t)
	if len(p.Errors) != 100 || len(first.Body) > 20_000 || !strings.HasSuffix(p.Detail, "and 49998 more") {
		t.Errorf("%d errors in %d bytes: %s", len(p.Errors), len(first.Body), p.Detail)
	}
	again := s.post(t, "/complete", body.String()).problem(t)
	if !slices.Equal(p.fields(), again.fields()) {
		t.Error("the same body is refused for other fields")
	}
}

// TestDetailReads pins what people see who look at the detail only.
func TestDetailReads(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for body, want := range map[string]string{
		``:                      `the body is empty: send a JSON object such as {"prompt": "…"}`,
		`[]`:                    `the body is a list, not a JSON object`,
		`{"prompt": "a"`:        `the body is not JSON: unexpected end of JSON input (at byte 14)`,
		"{\"prompt\": \"\xff\"": `the body is not valid UTF-8`,
		`{}`:                    `prompt is missing (or send messages)`,
		`{"prompt": "a", "max_tokens": 0, "promt": ""}`:   `max_tokens is 0, must be a whole number from 1 to 32000; promt is not a known field`,
		`{"prompt": "a", "temperature": "hot"}`:           `temperature is "hot", must be a number from 0 to 2`,
		`{"prompt": "a", "model": "gpt"}`:                 `model is "gpt", must be one of: large, medium, small`,
		`{"prompt": "a", "a": 1, "b": 1, "c": 1, "d": 1}`: `a is not a known field; b is not a known field; c is not a known field; and 1 more`,
	} {
		if got := s.post(t, "/complete", body).problem(t).Detail; got != want {
			t.Errorf("%s is refused with\n%s, want\n%s", body, got, want)
		}
	}
}

// TestLimitsAreInclusive: what is just allowed is answered.
func TestLimitsAreInclusive(t *testing.T) {
	t.Parallel()
	s := serve(t)
	key, value := strings.Repeat("é", 64), strings.Repeat("é", 512)
	pairs := ""
	for i := range 15 {
		pairs += fmt.Sprintf(`"k%d": "", `, i)
	}
	turn := `{"role": "user", "content": "a"}`
	for name, body := range map[string]string{
		"200,000 characters":         `{"prompt": "` + strings.Repeat("a", 200_000) + `"}`,
		"200,000 escaped characters": `{"prompt": "` + strings.Repeat(`\ud83d\uDE00`, 200_000) + `"}`,
		"one character":              `{"prompt": " "}`,
		"escapes":                    `{"prompt": "\\ud83d \"\u00e9\uFFFD\ud83d\ude00\\"}`,
		"1,000 messages":             `{"messages": [` + strings.Repeat(turn+",", 999) + turn + `]}`,
		"an empty system prompt":     `{"messages": [{"role": "system", "content": ""}, ` + turn + `]}`,
		"one token":                  `{"prompt": "a", "max_tokens": 1}`,
		"32,000 tokens":              `{"prompt": "a", "max_tokens": 32000}`,
		"1e3 tokens":                 `{"prompt": "a", "max_tokens": 1e3}`,
		"5.0 tokens":                 `{"prompt": "a", "max_tokens": 5.0}`,
		"coldest":                    `{"prompt": "a", "temperature": 0}`,
		"hottest":                    `{"prompt": "a", "temperature": 2.0}`,
		"ids of 256 bytes":           `{"prompt": "a", "user_id": "` + strings.Repeat("é", 128) + `", "session_id": "` + strings.Repeat("a", 256) + `"}`,
		"empty ids":                  `{"prompt": "a", "user_id": "", "session_id": "", "experiment_id": ""}`,
		"16 pairs":                   `{"prompt": "a", "metadata": {` + pairs + `"` + key + `": "` + value + `"}}`,
		"no pairs":                   `{"prompt": "a", "metadata": {}}`,
		"everything":                 `{"prompt": "a", "strategy": "complexity", "cache": "bypass", "stream": false}`,
		"white space around":         "\r\n\t " + `{"prompt": "a"}` + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.post(t, "/complete", body, "Content-Type: application/json").want(t, 200)
			s.post(t, "/recommendation", body, "Content-Type: application/json").want(t, 200)
		})
	}
}

// TestNullIsLeftOut: serializers of many languages write null for what is not
// set.
func TestNullIsLeftOut(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.post(t, "/complete", `{"prompt": null, "messages": [{"role": "user", "content": "a"}], "max_tokens": null, "temperature": null,
		"user_id": null, "session_id": null, "experiment_id": null, "strategy": null, "model": null, "cache": null,
		"stream": null, "metadata": null}`).want(t, 200)
	s.post(t, "/complete", `{"prompt": "a", "messages": null}`).want(t, 200)
}

// TestContentTypeDoesNotMatter: curl -d sends another one.
func TestContentTypeDoesNotMatter(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.post(t, "/complete", `{"prompt": "a"}`, "Content-Type: application/x-www-form-urlencoded").want(t, 200)
}
