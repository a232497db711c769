package anthropic

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/providertest"
)

const key = "sk-ant-test-0123456789abcdef"

// vendor starts a fake vendor and a provider that talks to it.
func vendor(t *testing.T, o Options, handler http.HandlerFunc) *Provider {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	o.BaseURL, o.APIKey = server.URL, key
	return provider(t, o)
}

func question() llm.Request {
	return llm.Request{Model: "claude-haiku-4-5", Messages: []llm.Message{{Role: llm.RoleUser, Content: "Capital of Peru?"}}}
}

func lima() providertest.Answer {
	return providertest.Answer{Model: "claude-haiku-4-5-20251001", Pieces: []string{"Li", "ma."}, Finish: llm.FinishStop, Usage: llm.Usage{In: 9, Out: 5}}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	p := vendor(t, Options{MaxTokens: 77, Headers: map[string]string{"anthropic-beta": "own", "x-more": "m"}}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		want := `{"model":"claude-haiku-4-5","max_tokens":77,"messages":[{"role":"user","content":[{"type":"text","text":"Capital of Peru?"}]}]}`
		if r.Method != http.MethodPost || r.URL.Path != "/v1/messages" || string(body) != want {
			t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
		for name, want := range map[string]string{"x-api-key": key, "anthropic-version": "2023-06-01", "anthropic-beta": "own", "x-more": "m",
			"content-type": "application/json", "accept": "application/json", "authorization": ""} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		_, _ = io.WriteString(w, whole(lima()))
	})
	r := question()
	r.Headers = map[string]string{"anthropic-beta": "x"} // of a caller who speaks another language
	got, err := p.Complete(t.Context(), r)
	want := llm.Response{Model: "claude-haiku-4-5-20251001", Text: "Lima.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 9, Out: 5}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestCallersHeaders: those of the format go on, and no others, least of all a
// key of the caller's.
func TestCallersHeaders(t *testing.T) {
	t.Parallel()
	p := vendor(t, Options{Headers: map[string]string{"Anthropic-Beta": "own"}}, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{"anthropic-version": "2027-01-01", "anthropic-beta": "own,a,b", "x-api-key": key, "cookie": "", "accept": "application/json"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		_, _ = io.WriteString(w, whole(lima()))
	})
	r := llm.Request{Format: llm.FormatMessages, Model: "m", Body: []byte(`{"model":"x"}`),
		Headers: map[string]string{"anthropic-version": "2027-01-01", "anthropic-beta": "a,b", "x-api-key": "callers", "cookie": "c", "accept": "text/html"}}
	if _, err := p.Complete(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// TestEventsAsTheyAre: who asks in the vendor's language hears every event,
// pings and thoughts too, by its name and untouched.
func TestEventsAsTheyAre(t *testing.T) {
	t.Parallel()
	sent := append(frames(lima())[:3:3], "event: new_event\ndata: {\"type\": \"new_event\", \"x\":1.50}\n\n")
	sent = append(sent, frames(lima())[3:]...)
	p := vendor(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("accept %q", r.Header.Get("Accept"))
		}
		_, _ = io.WriteString(w, strings.Join(sent, ""))
	})
	var heard []string
	var text string
	r := llm.Request{Format: llm.FormatMessages, Model: "m", Body: []byte(`{"model":"x","stream":true}`), Emit: func(c llm.Chunk) error {
		heard = append(heard, "event: "+c.Event+"\ndata: "+string(c.Data)+"\n\n")
		text += c.Text
		return nil
	}}
	got, err := p.Complete(t.Context(), r)
	if err != nil || !slices.Equal(heard, sent) || text != "Lima." || got.Text != "Lima." || got.Usage.Out != 5 {
		t.Errorf("%v, %+v\nheard %q\nwant  %q", err, got, heard, sent)
	}
}

// TestNothingToSayIsNotSaid: who asks in another language hears what adds to
// the answer, and what it costs so far.
func TestNothingToSayIsNotSaid(t *testing.T) {
	t.Parallel()
	p := vendor(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Join(frames(lima()), ""))
	})
	var heard []llm.Chunk
	r := question()
	r.Emit = func(c llm.Chunk) error { heard = append(heard, c); return nil }
	_, err := p.Complete(t.Context(), r)
	want := []llm.Chunk{{Usage: &llm.Usage{In: 9, Out: 1}}, {Text: "Li"}, {Text: "ma."}, {FinishReason: llm.FinishStop, Usage: &llm.Usage{In: 9, Out: 5}}}
	if err != nil || !reflect.DeepEqual(heard, want) {
		t.Errorf("%v, heard %+v", err, heard)
	}
}

// TestEndWithoutTheWord: a stream that has said why it ends has ended.
func TestEndWithoutTheWord(t *testing.T) {
	t.Parallel()
	said := frames(lima())
	p := vendor(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Join(said[:len(said)-1], ""))
	})
	r := question()
	r.Emit = func(llm.Chunk) error { return nil }
	if got, err := p.Complete(t.Context(), r); err != nil || got.Text != "Lima." {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestWholeForAStream: an answer in one piece is no stream, however good.
func TestWholeForAStream(t *testing.T) {
	t.Parallel()
	p := vendor(t, Options{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, " "+whole(lima())) })
	r := question()
	r.Emit = func(llm.Chunk) error { t.Error("a piece came"); return nil }
	_, err := p.Complete(t.Context(), r)
	if failed, ok := errors.AsType[*llm.ProviderError](err); !ok || failed.Kind != llm.ErrorMalformed || !strings.Contains(err.Error(), "whole") {
		t.Errorf("%v", err)
	}
}

func TestOwnTimeout(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	p := vendor(t, Options{Timeout: 20 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(over) }) // before the server closes, which waits for its handlers
	_, err := p.Complete(t.Context(), question())
	if failed, ok := errors.AsType[*llm.ProviderError](err); !ok || failed.Kind != llm.ErrorTimeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestEmbeddingsAreRefused(t *testing.T) {
	t.Parallel()
	p := provider(t, Options{BaseURL: "http://127.0.0.1:1"})
	_, err := p.Complete(t.Context(), llm.Request{Format: llm.FormatEmbeddings, Model: "m"})
	if failed, ok := errors.AsType[*llm.ProviderError](err); !ok || failed.Kind != llm.ErrorRejected {
		t.Errorf("%v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{BaseURL: "api.anthropic.com"}, {BaseURL: "https://u:p@host"}, {BaseURL: "https://host/v1"}, {BaseURL: "https://host/v1/"},
		{APIKey: key + "\n"}, {APIKey: key + "é"},
	} {
		if p, err := New(o); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%+v: %v, %v", o, p, err)
		}
	}
	if p, err := New(Options{}); err != nil || p.address.String() != "https://api.anthropic.com/v1/messages" {
		t.Errorf("%v", err)
	}
}
