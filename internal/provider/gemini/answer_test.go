package gemini

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/endpoint"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	usage := llm.Usage{In: 5, Out: 1}
	for name, c := range map[string]struct {
		body string
		want llm.Response
	}{
		"text": {fine, llm.Response{Model: "gemini-2.5-flash-001", Text: "Lima", FinishReason: "stop", Usage: usage}},
		"thoughts": {`{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Li","thoughtSignature":"c2ln"},{"text":"ma"}]},"finishReason":"STOP"}],
			"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":3,"thoughtsTokenCount":40,"toolUsePromptTokenCount":7,"totalTokenCount":150}}`,
			llm.Response{Text: "Lima", FinishReason: "stop", Usage: llm.Usage{In: 107, CachedIn: 60, Out: 43, Reasoning: 40}}},
		"calls": {`{"candidates":[{"content":{"parts":[{"text":"so "},{"functionCall":{"id":"fc1","name":"a","args":{"x": [1, "é"]}}},{"functionCall":{"id":"fc2","name":"b"}}]},"finishReason":"STOP"}]}`,
			llm.Response{Text: "so ", FinishReason: "tool_calls", ToolCalls: []llm.ToolCall{{ID: "fc1", Name: "a", Arguments: `{"x":[1,"é"]}`}, {ID: "fc2", Name: "b", Arguments: "{}"}}}},
		"a picture":         {`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}},{"text":"see"}]},"finishReason":"STOP"}]}`, llm.Response{Text: "see", FinishReason: "stop"}},
		"two candidates":    {`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"b"}]},"finishReason":"SAFETY"}]}`, llm.Response{Text: "a", FinishReason: "stop"}},
		"no reason":         {`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, llm.Response{Text: "a", FinishReason: "stop"}},
		"nothing to say":    {`{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}`, llm.Response{FinishReason: "stop"}},
		"a new reason":      {`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"BOREDOM"}]}`, llm.Response{Text: "a", FinishReason: "stop"}},
		"the limit":         {`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"MAX_TOKENS"}]}`, llm.Response{Text: "a", FinishReason: "length"}},
		"thought to death":  {`{"candidates":[{"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":5,"thoughtsTokenCount":9}}`, llm.Response{FinishReason: "length", Usage: llm.Usage{In: 5, Out: 9, Reasoning: 9}}},
		"unsafe":            {`{"candidates":[{"finishReason":"SAFETY"}]}`, llm.Response{FinishReason: "content_filter"}},
		"recited":           {`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"RECITATION"}]}`, llm.Response{Text: "a", FinishReason: "content_filter"}},
		"prohibited":        {`{"candidates":[{"finishReason":"PROHIBITED_CONTENT"}]}`, llm.Response{FinishReason: "content_filter"}},
		"counts gone wrong": {`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"cachedContentTokenCount":9,"candidatesTokenCount":-1}}`, llm.Response{FinishReason: "stop", Usage: llm.Usage{In: 5, CachedIn: 5}}},
	} {
		got, err := newVendor(t, says(200, c.body)).Complete(t.Context(), question("hello"))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, c.want)
		}
		if name == "no reason" {
			continue // that is a stream that broke off
		}
		chunks, streamed, err := heard(t, newVendor(t, streams(strings.ReplaceAll(c.body, "\n", " "))), question("hello"))
		if err != nil || !reflect.DeepEqual(streamed, c.want) {
			t.Errorf("%s, streamed: %+v, %v\nwant %+v", name, streamed, err, c.want)
		}
		if len(chunks) == 0 {
			t.Fatalf("%s: no piece came", name)
		}
		if last := chunks[len(chunks)-1]; last.FinishReason != c.want.FinishReason || last.Usage != nil && *last.Usage != c.want.Usage {
			t.Errorf("%s, streamed: ends with %+v", name, last)
		}
	}
}

// TestSeveralAnswers: one without a number is the first, or where its place in
// the list says; fewer may come than were asked for, and none that were not.
func TestSeveralAnswers(t *testing.T) {
	t.Parallel()
	const a, b = `{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"`, `{"content":{"parts":[{"functionCall":{"id":"c","name":"f"}}]},"finishReason":"STOP"`
	call := []llm.ToolCallDelta{{ID: "c", Name: "f", Arguments: "{}"}}
	for name, c := range map[string]struct {
		candidates string
		want       []llm.Other
		err        string
	}{
		"numbered":        {a + `},` + b + `,"index":1}`, []llm.Other{{Index: 1, First: true, ToolCalls: call, FinishReason: "tool_calls"}}, ""},
		"not numbered":    {a + `},` + b + `}`, []llm.Other{{Index: 1, First: true, ToolCalls: call, FinishReason: "tool_calls"}}, ""},
		"not in order":    {b + `,"index":1},` + a + `,"index":0}`, []llm.Other{{Index: 1, First: true, ToolCalls: call, FinishReason: "tool_calls"}}, ""},
		"one is missing":  {a + `},` + b + `,"index":2}`, []llm.Other{{Index: 2, First: true, ToolCalls: call, FinishReason: "tool_calls"}}, ""},
		"only one":        {a + `}`, nil, ""},
		"one too many":    {a + `},` + a + `,"index":3},` + a + `,"index":-1}`, nil, ""},
		"one is withheld": {a + `},{"finishReason":"SAFETY","index":1}`, []llm.Other{{Index: 1, First: true, FinishReason: "content_filter"}}, ""},
		"one is none":     {a + `},{"finishReason":"MALFORMED_FUNCTION_CALL","index":1}`, nil, "MALFORMED_FUNCTION_CALL"},
	} {
		r := question("hello")
		r.N = 3
		body := `{"candidates":[` + c.candidates + `],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2}}`
		whole, err := newVendor(t, says(200, body)).Complete(t.Context(), r)
		chunks, streamed, broken := heard(t, newVendor(t, streams(body)), r)
		if c.err != "" {
			mustFail(t, err, llm.ErrorMalformed, c.err)
			mustFail(t, broken, llm.ErrorMalformed, c.err)
			continue
		}
		want := llm.Response{Text: "a", FinishReason: "stop", Usage: llm.Usage{In: 5, Out: 2}, Others: c.want}
		if err != nil || broken != nil || !reflect.DeepEqual(whole, want) || !reflect.DeepEqual(streamed, want) {
			t.Errorf("%s: %+v, %v, streamed %+v, %v\nwant %+v", name, whole, err, streamed, broken, want)
		}
		if last := chunks[len(chunks)-1]; len(last.Others) != len(c.want) || last.FinishReason != "stop" {
			t.Errorf("%s: ends with %+v", name, last)
		}
	}
	r := question("hello")
	r.N = 2
	cut := `{"candidates":[` + a + `},{"content":{"parts":[{"text":"b"}]},"index":1}]}`
	_, got, err := heard(t, newVendor(t, streams(cut)), r)
	if mustFail(t, err, llm.ErrorUnavailable, "ended before"); got.Text != "a" || len(got.Others) != 1 || got.Others[0].Text != "b" {
		t.Errorf("what had come is lost: %+v", got)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	const usage = `"usageMetadata":{"promptTokenCount":5,"thoughtsTokenCount":3}`
	for name, c := range map[string]struct {
		body  string
		kind  llm.ErrorKind
		words string
	}{
		"a blocked prompt":   {`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},` + usage + `}`, llm.ErrorRejected, "PROHIBITED_CONTENT"},
		"a malformed call":   {`{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"call(print"}],` + usage + `}`, llm.ErrorMalformed, "call(print"},
		"an unexpected call": {`{"candidates":[{"finishReason":"UNEXPECTED_TOOL_CALL"}],` + usage + `}`, llm.ErrorMalformed, "UNEXPECTED_TOOL_CALL"},
		"no more to say":     {`{"candidates":[{"finishReason":"OTHER"}],` + usage + `}`, llm.ErrorMalformed, "OTHER"},
	} {
		whole, err := newVendor(t, says(200, c.body)).Complete(t.Context(), question("hello"))
		mustFail(t, err, c.kind, c.words)
		_, streamed, err := heard(t, newVendor(t, streams(c.body)), question("hello"))
		mustFail(t, err, c.kind, c.words)
		for _, got := range []llm.Response{whole, streamed} {
			if got.Usage != (llm.Usage{In: 5, Out: 3, Reasoning: 3}) {
				t.Errorf("%s: what it cost is lost: %+v", name, got)
			}
		}
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	piece := func(text string) string {
		return fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":%q}]}}],"usageMetadata":{"promptTokenCount":5}}`, text)
	}
	const end = `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2}}`
	const call = `{"candidates":[{"content":{"parts":[{"functionCall":{"id":"%s","name":"%s","args":{}}}]}}]}`
	for name, c := range map[string]struct {
		events []string
		texts  []string
		calls  int
		finish string
	}{
		"pieces":           {[]string{piece("Li"), piece("ma"), end}, []string{"Li", "ma", ""}, 0, "stop"},
		"reason in each":   {[]string{strings.Replace(piece("Li"), `}}],`, `},"finishReason":"STOP"}],`, 1), piece("ma"), end}, []string{"Li", "ma", ""}, 0, "stop"},
		"thoughts between": {[]string{piece("Li"), `{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}`, piece("ma"), end}, []string{"Li", "ma", ""}, 0, "stop"},
		"calls":            {[]string{piece("so"), fmt.Sprintf(call, "1", "a"), fmt.Sprintf(call, "2", "b"), end}, []string{"so", "", "", ""}, 2, "tool_calls"},
		"usage by itself":  {[]string{piece("Lima"), `{"candidates":[{"finishReason":"STOP"}]}`, `{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2}}`}, []string{"Lima", ""}, 0, "stop"},
	} {
		chunks, got, err := heard(t, newVendor(t, streams(c.events...)), question("hello"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var texts []string
		for _, chunk := range chunks {
			texts = append(texts, chunk.Text)
		}
		if !reflect.DeepEqual(texts, c.texts) || got.Text != strings.Join(texts, "") || len(got.ToolCalls) != c.calls || got.FinishReason != c.finish {
			t.Errorf("%s: %q, %+v", name, texts, got)
		}
		if got.Usage != (llm.Usage{In: 5, Out: 2}) {
			t.Errorf("%s: usage %+v", name, got.Usage)
		}
	}
}

// TestAListInsteadOfEvents is what the method answers when alt=sse gets lost
// on the way.
func TestAListInsteadOfEvents(t *testing.T) {
	t.Parallel()
	list := "[" + strings.ReplaceAll(fine, `"finishReason":"STOP"`, `"index":0`) + "\n,\n" + fine + "]"
	chunks, got, err := heard(t, newVendor(t, says(200, list)), question("hello"))
	if err != nil || got.Text != "LimaLima" || len(chunks) != 3 {
		t.Errorf("%+v, %+v, %v", chunks, got, err)
	}
}

func TestIDsAreMadeUpWhereTheyAreMissingOrOdd(t *testing.T) {
	t.Parallel()
	body := `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a"}},{"functionCall":{"name":"a"}},{"functionCall":{"id":"x.y","name":"a"}},
		{"functionCall":{"id":"` + strings.Repeat("z", 41) + `","name":"a"}}]},"finishReason":"STOP"}]}`
	got, err := newVendor(t, says(200, body)).Complete(t.Context(), question("hello"))
	if err != nil || len(got.ToolCalls) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	seen := map[string]bool{}
	for _, call := range got.ToolCalls {
		if !portable(call.ID) || !strings.HasPrefix(call.ID, "call_") || seen[call.ID] {
			t.Errorf("%+v", got.ToolCalls)
		}
		seen[call.ID] = true
	}
}

func TestOneCallAtATime(t *testing.T) {
	t.Parallel()
	body := `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a"}},{"functionCall":{"name":"b"}}]},"finishReason":"STOP"}]}`
	r := question("hello")
	r.SerialTools = true
	got, err := newVendor(t, says(200, body)).Complete(t.Context(), r)
	if err != nil || len(got.ToolCalls) != 1 || got.ToolCalls[0].Name != "a" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	failure := func(code int, status, details string) string {
		return fmt.Sprintf(`{"error":{"code":%d,"message":"words of the vendor","status":%q,"details":[%s]}}`, code, status, details)
	}
	for name, c := range map[string]struct {
		status int
		body   string
		kind   llm.ErrorKind
		wait   time.Duration
	}{
		"wrong key":        {400, failure(400, "INVALID_ARGUMENT", `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}`), llm.ErrorAuth, 0},
		"no key":           {403, failure(403, "PERMISSION_DENIED", ``), llm.ErrorAuth, 0},
		"wrong country":    {400, failure(400, "FAILED_PRECONDITION", ``), llm.ErrorAuth, 0},
		"bad request":      {400, failure(400, "INVALID_ARGUMENT", ``), llm.ErrorRejected, 0},
		"no such model":    {404, failure(404, "NOT_FOUND", ``), llm.ErrorRejected, 0},
		"too fast":         {429, failure(429, "RESOURCE_EXHAUSTED", `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}`), llm.ErrorRateLimited, 34500 * time.Millisecond},
		"odd wait":         {429, failure(429, "RESOURCE_EXHAUSTED", `{"retryDelay":"soon"},{"retryDelay":"-1s"}`), llm.ErrorRateLimited, 0},
		"endless wait":     {429, failure(429, "RESOURCE_EXHAUSTED", `{"retryDelay":"999999s"}`), llm.ErrorRateLimited, 24 * time.Hour},
		"overloaded":       {503, failure(503, "UNAVAILABLE", ``), llm.ErrorUnavailable, 0},
		"broken":           {500, failure(500, "INTERNAL", ``), llm.ErrorUnavailable, 0},
		"a list":           {503, "[" + failure(503, "UNAVAILABLE", ``) + "\n]", llm.ErrorUnavailable, 0},
		"in a 200":         {200, failure(429, "RESOURCE_EXHAUSTED", `{"retryDelay":"2s"}`), llm.ErrorRateLimited, 2 * time.Second},
		"in a 200, status": {200, failure(0, "INVALID_ARGUMENT", ``), llm.ErrorRejected, 0},
		"in a 200, denied": {200, failure(0, "PERMISSION_DENIED", ``), llm.ErrorAuth, 0},
		"in a 200, full":   {200, failure(0, "RESOURCE_EXHAUSTED", ``), llm.ErrorRateLimited, 0},
		"in a 200, plain":  {200, `{"error":{"message":"words of the vendor"}}`, llm.ErrorUnavailable, 0},
	} {
		t.Log(name)
		_, err := newVendor(t, says(c.status, c.body)).Complete(t.Context(), question("hello"))
		if failed := mustFail(t, err, c.kind, "words of the vendor", "gemini"); failed.RetryAfter != c.wait || c.status != 200 && failed.Status != c.status {
			t.Errorf("%s: %+v", name, failed)
		}
		chunks, _, err := heard(t, newVendor(t, says(c.status, c.body)), question("hello"))
		if failed := mustFail(t, err, c.kind, "words of the vendor"); failed.RetryAfter != c.wait || len(chunks) != 0 {
			t.Errorf("%s, streamed: %+v, %v", name, failed, chunks)
		}
	}
}

func TestStreamsThatBreak(t *testing.T) {
	t.Parallel()
	begun := strings.ReplaceAll(fine, `"finishReason":"STOP"`, `"index":0`)
	for name, c := range map[string]struct {
		events []string
		kind   llm.ErrorKind
		words  string
	}{
		"ends":          {[]string{begun}, llm.ErrorUnavailable, "ended before"},
		"nonsense":      {[]string{begun, `{"candidates":`}, llm.ErrorMalformed, "not one of"},
		"fails":         {[]string{begun, `{"error":{"code":503,"message":"too many guests","status":"UNAVAILABLE"}}`}, llm.ErrorUnavailable, "too many guests"},
		"never ends":    {[]string{begun, strings.Replace(begun, "Lima", strings.Repeat("long", endpoint.MaxAnswer/4), 1)}, llm.ErrorMalformed, "larger"},
		"calls wrongly": {[]string{begun, `{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`}, llm.ErrorMalformed, "MALFORMED_FUNCTION_CALL"},
	} {
		t.Log(name)
		_, got, err := heard(t, newVendor(t, streams(c.events...)), question("hello"))
		if mustFail(t, err, c.kind, c.words); !strings.HasPrefix(got.Text, "Lima") || got.Usage.In != 5 || got.FinishReason != "" {
			t.Errorf("%s: what had come is lost: %.100s, %+v", name, got.Text, got.Usage)
		}
	}
}

func TestAListenerWhoLeaves(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for _, after := range []int{0, 1} {
		r, pieces := question("hello"), 0
		r.Emit = func(llm.Chunk) error {
			if pieces++; pieces > after {
				return gone
			}
			return nil
		}
		got, err := newVendor(t, streams(fine)).Complete(t.Context(), r)
		if mustFail(t, err, llm.ErrorCanceled); !errors.Is(err, gone) || got.Text != "Lima" {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(fine))
	f.Add([]byte(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":[1]}}]}}],"usageMetadata":{"promptTokenCount":-5}}`))
	f.Add([]byte(`{"error":{"code":429,"details":[{"retryDelay":"1s"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := New(Options{APIKey: testKey})
		if err != nil {
			t.Fatal(err)
		}
		a := p.newAnswer(question("hello"))
		chunk, err := a.take(body)
		r := a.response()
		if chunk.Text != r.Text || len(chunk.ToolCalls) != len(r.ToolCalls) {
			t.Fatalf("%+v is not the sum of %+v", r, chunk)
		}
		if u := r.Usage; u.In < 0 || u.CachedIn > u.In || u.Reasoning > u.Out || u.Out < 0 {
			t.Fatalf("%+v", u)
		}
		if _, ended := a.end(); err == nil && ended == nil && a.response().FinishReason == "" {
			t.Fatalf("%s ends without a reason", body)
		}
	})
}
