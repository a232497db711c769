package httpapi_test

import (
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

// script is a provider that streams words, waiting for a sign before each,
// and ends with err, where there is one.
type script struct {
	words []string
	sign  chan struct{} // nil: at once
	err   error
	ended chan error // what the context said when the call ended
}

func (s *script) Complete(ctx context.Context, r llm.Request) (response llm.Response, err error) {
	defer func() {
		if s.ended != nil {
			s.ended <- ctx.Err()
		}
	}()
	for _, w := range s.words {
		if s.sign != nil {
			select {
			case <-s.sign:
			case <-ctx.Done():
				return response, &llm.ProviderError{Kind: llm.ErrorCanceled, Err: ctx.Err()}
			}
		}
		response.Text += w
		if err := emit(r, llm.Chunk{Text: w}); err != nil {
			return response, err
		}
	}
	if s.err != nil {
		return response, s.err
	}
	response.FinishReason, response.Usage = llm.FinishStop, llm.Usage{In: 10, Out: 5}
	return response, errors.Join(emit(r, llm.Chunk{FinishReason: llm.FinishStop}), emit(r, llm.Chunk{Usage: &response.Usage}))
}

func emit(r llm.Request, c llm.Chunk) error {
	if r.Emit == nil {
		return nil
	}
	return r.Emit(c)
}

func playing(s *script) func(*setup) { return func(c *setup) { c.provider = s } }

// open posts a body and gives the answer as soon as it has begun.
func (s *stack) open(t *testing.T, path, body string, headers ...string) (*http.Response, *sse.Reader) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response, sse.NewReader(response.Body)
}

func nextEvent(t *testing.T, r *sse.Reader) (name string, data map[string]any) {
	t.Helper()
	e, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatalf("%v in %.300s", err, e.Data)
	}
	return e.Name, data
}

// TestPiecesComeAsTheyAreMade: each before the next one exists, and the end
// when the fact is recorded.
func TestPiecesComeAsTheyAreMade(t *testing.T) {
	t.Parallel()
	sign := make(chan struct{})
	s := serve(t, playing(&script{words: []string{"Pa", "ris."}, sign: sign}))
	first := make(chan struct{})
	go func() { sign <- struct{}{}; close(first) }()
	response, events := s.open(t, "/complete", `{"prompt": "What is the capital of France?", "stream": true, "user_id": "ada"}`)
	<-first
	h := response.Header
	if response.StatusCode != 200 || h.Get("Content-Type") != "text/event-stream" || h.Get("X-Busu-Model") != "small" ||
		h.Get("X-Busu-Strategy") != "complexity" || h.Get("X-Busu-Cache") != "miss" || h.Get("X-Busu-Cost-Usd") != "" {
		t.Errorf("status %d, headers %v", response.StatusCode, h)
	}
	for _, word := range []string{"Pa", "ris."} {
		if name, data := nextEvent(t, events); name != "delta" || data["text"] != word {
			t.Errorf("%s: %v, want %q", name, data, word)
		}
		if word == "Pa" {
			if _, facts := s.Ledger.counts(); facts != 0 {
				t.Error("recorded before the end")
			}
			sign <- struct{}{}
		}
	}
	name, data := nextEvent(t, events)
	f := s.Ledger.only(t)
	if name != "completion" || data["response"] != "Paris." || data["request_id"] != f.ID.String() || data["tokens_out"] != 5.0 || data["finish_reason"] != "stop" {
		t.Errorf("%s: %v", name, data)
	}
	validateSchema(t, "Completion", data)
	if f.Status != event.StatusOK || f.TokensOut != 5 || f.TTFTUS > f.LatencyUS || h.Get("X-Request-Id") != f.ID.String() {
		t.Errorf("recorded %+v", f)
	}
	if _, err := events.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("then %v", err)
	}
}

// refusing is a provider whose model will not answer.
type refusing struct{}

func (refusing) Complete(_ context.Context, r llm.Request) (llm.Response, error) {
	err := errors.Join(emit(r, llm.Chunk{Refusal: "No."}), emit(r, llm.Chunk{FinishReason: llm.FinishStop}))
	return llm.Response{Refusal: "No.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 10, Out: 2}}, err
}

// TestRefusalsAreAnswers: callers who know no refusals see what was said.
func TestRefusalsAreAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *setup) { c.provider = refusing{} })
	var a answer
	s.post(t, "/complete", `{"prompt": "Help me with a crime."}`, asJSON).want(t, 200).decode(t, &a)
	if a.Response != "No." {
		t.Errorf("%+v", a)
	}
	_, events := s.open(t, "/complete", `{"prompt": "Help me with a crime.", "stream": true}`)
	if name, data := nextEvent(t, events); name != "delta" || data["text"] != "No." {
		t.Errorf("%s: %v", name, data)
	}
}

// TestBrokenStreamsSaySo, and look like no whole answer.
func TestBrokenStreamsSaySo(t *testing.T) {
	t.Parallel()
	s := serve(t, playing(&script{words: []string{"Pa"}, err: &llm.ProviderError{Kind: llm.ErrorUnavailable, Err: errors.New("secret-reset")}}))
	response, events := s.open(t, "/complete", `{"prompt": "What is the capital of France?", "stream": true}`)
	if name, data := nextEvent(t, events); response.StatusCode != 200 || name != "delta" || data["text"] != "Pa" {
		t.Errorf("%d, %s: %v", response.StatusCode, name, data)
	}
	name, data := nextEvent(t, events)
	if name != "error" || data["status"] != 502.0 || strings.Contains(data["detail"].(string), "secret") {
		t.Errorf("%s: %v", name, data)
	}
	validateSchema(t, "Problem", data)
	if _, err := events.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("then %v", err)
	}
	if f := s.Ledger.only(t); f.Status != event.StatusError || f.TokensOut == 0 || f.CostNanos == 0 {
		t.Errorf("recorded %+v", f)
	}
}

// TestStreamsThatNeverBegan fail as any request.
func TestStreamsThatNeverBegan(t *testing.T) {
	t.Parallel()
	s := serve(t, playing(&script{err: &llm.ProviderError{Kind: llm.ErrorUnavailable, Err: errors.New("down")}}))
	s.post(t, "/complete", `{"prompt": "a", "stream": true}`).want(t, 502)
	s.post(t, "/complete", `{"prompt": "", "stream": true}`).want(t, 422)
}

// TestClientWhoLeavesAStream: the provider hears of it, and what came is
// recorded and paid for.
func TestClientWhoLeavesAStream(t *testing.T) {
	t.Parallel()
	sign, ended := make(chan struct{}, 1), make(chan error, 1)
	s := serve(t, playing(&script{words: []string{"Pa", "ris."}, sign: sign, ended: ended}))
	sign <- struct{}{}
	response, events := s.open(t, "/complete", `{"prompt": "What is the capital of France?", "stream": true}`)
	nextEvent(t, events)
	_ = response.Body.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the provider's context says %v", err)
	}
	if f := <-s.Ledger.recorded; f.Status != event.StatusCanceled || f.TokensOut == 0 || f.CostNanos == 0 || !f.Estimated {
		t.Errorf("recorded %+v", f)
	}
}

// TestStreamThatCannotBeRecordedHasNoEnd.
func TestStreamThatCannotBeRecordedHasNoEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, playing(&script{words: []string{"Paris."}}), func(c *setup) { c.ledger.refuseFacts = errDisk })
	_, events := s.open(t, "/complete", `{"prompt": "a", "stream": true}`)
	nextEvent(t, events)
	if name, data := nextEvent(t, events); name != "error" || data["status"] != 503.0 {
		t.Errorf("%s: %v", name, data)
	}
}
