package openai

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// pieces are a stream's data up to its end, with the vendor's oddities.
func pieces() []string {
	return []string{
		`{"id":"c","model":"gpt-x-mini-2025","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}`,
		`{"id":"c","model":"gpt-x-mini-2025","choices":[{"index":0,"delta":{"content":"Li"}, "oddity" : 1.0 }]}`,
		`{"id":"c","choices":[{"index":0,"delta":{"content":"ma."}}]}`,
		`{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"id":"c","choices":[],"usage":{"prompt_tokens":1200,"completion_tokens":300,"total_tokens":1500,"prompt_tokens_details":{"cached_tokens":1024},"completion_tokens_details":{"reasoning_tokens":256}}}`,
	}
}

// events writes each as an event and sends it at once.
func events(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		_, _ = fmt.Fprintf(w, "data: %s\n\n", d)
		_ = http.NewResponseController(w).Flush()
	}
}

// heard collects what is emitted.
type heard struct {
	data []string
	text strings.Builder
}

func (h *heard) emit(c llm.Chunk) error {
	h.data = append(h.data, string(c.Data))
	h.text.WriteString(c.Text)
	return nil
}

func streamed(emit llm.Emit) llm.Request {
	r := question()
	r.Body = []byte(`{"model":"small","messages":[{"role":"user","content":"Capital of Peru?"}]}`)
	r.Emit = emit
	return r
}

func TestStream(t *testing.T) {
	t.Parallel()
	p := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		want := `{"model":"m-1","messages":[{"role":"user","content":"Capital of Peru?"}],"stream":true,"stream_options":{"include_usage":true}}`
		if string(body) != want || r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("%s, accepting %q", body, r.Header.Get("Accept"))
		}
		_, _ = io.WriteString(w, ": PROCESSING\n\n")
		events(w, append(pieces(), "[DONE]")...)
	})
	var h heard
	got, err := p.Complete(t.Context(), streamed(h.emit))
	if err != nil || !reflect.DeepEqual(got, lima()) {
		t.Errorf("%+v, %v", got, err)
	}
	if !reflect.DeepEqual(h.data, pieces()) {
		t.Errorf("the pieces were not relayed as they came: %q", h.data)
	}
}

func TestHowStreamsEnd(t *testing.T) {
	t.Parallel()
	all := pieces()
	half, finished := all[:2], all[:4]
	hello := llm.Response{Model: "gpt-x-mini-2025", Text: "Li"}
	noUsage := lima()
	noUsage.Usage = llm.Usage{}
	abort := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	done := func(w http.ResponseWriter) { events(w, "[DONE]") }
	write := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
	}
	for name, c := range map[string]struct {
		pieces []string
		end    func(http.ResponseWriter)
		n      int
		want   llm.Response
		kind   llm.ErrorKind // "": it is no error
		says   string
	}{
		"done":                         {pieces: all, end: done, want: lima()},
		"done, with room":              {pieces: all, end: write("data:  [DONE] \n\n"), want: lima()},
		"no done":                      {pieces: all, end: write(""), want: lima()},
		"no usage":                     {pieces: finished, end: done, want: noUsage},
		"no finish reason":             {pieces: all[:3], end: done, want: noUsage},
		"cut off after the end":        {pieces: finished, end: abort, want: noUsage},
		"one of several cut off":       {pieces: finished, end: abort, n: 2, want: noUsage, kind: llm.ErrorUnavailable, says: "cut off"},
		"cut off":                      {pieces: half, end: abort, want: hello, kind: llm.ErrorUnavailable, says: "cut off"},
		"ends half-way":                {pieces: half, end: write(""), want: hello, kind: llm.ErrorUnavailable, says: "cut off"},
		"ends within a line":           {pieces: half, end: write("data: {\"choices\":[{\"index\":0,\"del"), want: hello, kind: llm.ErrorMalformed, says: "not JSON"},
		"nothing at all":               {end: write(""), kind: llm.ErrorUnavailable, says: "cut off"},
		"nothing but heartbeats":       {end: write(": a\n\ndata:\n\n"), kind: llm.ErrorUnavailable, says: "cut off"},
		"done, and nothing else":       {end: done, kind: llm.ErrorMalformed, says: "no answer"},
		"malformed":                    {pieces: half, end: write("data: {]\n\n"), want: hello, kind: llm.ErrorMalformed, says: "{]"},
		"no object":                    {pieces: half, end: write("data: 7\n\n"), want: hello, kind: llm.ErrorMalformed, says: "not a JSON object"},
		"error":                        {pieces: half, end: write("data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n"), want: hello, kind: llm.ErrorRateLimited, says: "slow down"},
		"named error":                  {pieces: half, end: write("event: error\ndata: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}\n\n"), want: hello, kind: llm.ErrorUnavailable, says: "busy"},
		"error, before all":            {end: write("data: {\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}\n\n"), kind: llm.ErrorRejected, says: "too long"},
		"error instead of a stream":    {end: write(`{"error":{"message":"no","type":"invalid_request_error"}}`), kind: llm.ErrorRejected, says: "no"},
		"error as a finish reason":     {pieces: half, end: write("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n"), want: hello, kind: llm.ErrorUnavailable, says: "failed"},
		"the key, echoed":              {pieces: half, end: write("data: {\"error\":{\"message\":\"key " + key + "\"}}\n\n"), want: hello, kind: llm.ErrorUnavailable, says: "[key]"},
		"the key, in a malformed line": {pieces: half, end: write("data: " + key + "\n\n"), want: hello, kind: llm.ErrorMalformed, says: "[key]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
				if len(c.pieces) > 0 {
					events(w, c.pieces...)
				}
				c.end(w)
			})
			var h heard
			r := streamed(h.emit)
			r.N = c.n
			got, err := p.Complete(t.Context(), r)
			if c.kind == "" && err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
			if c.kind != "" {
				if failed := mustFail(t, err, c.kind); !strings.Contains(err.Error()+failed.Said, c.says) {
					t.Errorf("%q is not in %v, %s", c.says, err, failed.Said)
				}
			}
			if len(h.data) != len(c.pieces) {
				t.Errorf("%d pieces were emitted of %d", len(h.data), len(c.pieces))
			}
		})
	}
}

func TestAWholeAnswerWhereAStreamWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"application/json", "text/event-stream", "text/plain"} {
		p := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, "\n "+recorded)
		})
		var h heard
		got, err := p.Complete(t.Context(), streamed(h.emit))
		if err != nil || !reflect.DeepEqual(got, lima()) || h.text.String() != "Lima." {
			t.Errorf("%s: %+v, %v, heard %q", contentType, got, err, h.text.String())
		}
		if strings.Join(h.data, "") != "" {
			t.Errorf("%s: pieces that nobody wrote have data: %q", contentType, h.data)
		}
	}
}

// TestEndlessCallsAreRefused, which are no text and take memory all the same.
func TestEndlessCallsAreRefused(t *testing.T) {
	t.Parallel()
	calls := strings.Repeat(`{"index":9007199254740993,"id":"x","function":{"arguments":""}},{"index":9007199254740993,"id":"y"},`, 1000)
	p := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			events(w, `{"choices":[{"index":0,"delta":{"tool_calls":[`+calls+`{}]}}]}`)
		}
	})
	_, err := p.Complete(t.Context(), streamed(func(llm.Chunk) error { return nil }))
	mustFail(t, err, llm.ErrorMalformed)
}

// tape plays a body and notes whether it was heard to its end.
type tape struct {
	io.Reader
	ended bool
}

func (b *tape) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

func (b *tape) Close() error { return nil }

func (b *tape) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: b}, nil
}

// TestStreamsAreHeardOut: only a connection whose answer was read to its end
// can be used again.
func TestStreamsAreHeardOut(t *testing.T) {
	t.Parallel()
	// One read gives [DONE], and only the next one the end.
	b := &tape{Reader: io.MultiReader(strings.NewReader("data: "+pieces()[2]+"\n\ndata: [DONE]\n\n"), strings.NewReader("\n"))}
	p := provider(t, Options{Name: "acme", BaseURL: "http://vendor.test", Client: &http.Client{Transport: b}})
	if _, err := p.Complete(t.Context(), streamed(func(llm.Chunk) error { return nil })); err != nil || !b.ended {
		t.Errorf("heard to the end: %t, %v", b.ended, err)
	}
}

// TestConnectionsOfStreamsAreReused, and a vendor that keeps the stream open
// after [DONE] does not keep the answer.
func TestConnectionsOfStreamsAreReused(t *testing.T) {
	t.Parallel()
	var opened, calls atomic.Int64
	over := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events(w, append(pieces(), "[DONE]")...)
		if calls.Add(1) > 20 {
			select {
			case <-over:
			case <-r.Context().Done():
			}
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	p := provider(t, Options{BaseURL: server.URL, APIKey: key})
	for range 21 {
		if _, err := p.Complete(t.Context(), streamed(func(llm.Chunk) error { return nil })); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for one caller", n)
	}
}
