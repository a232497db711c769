package gateway_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

// sink notes what a caller gets, in the order of everything else.
type sink struct {
	*trace
	begun  event.CompletionRecorded
	text   string
	leaves int // after so many pieces; 0: never
}

func (s *sink) Begin(f *event.CompletionRecorded) {
	s.add("begin " + f.Model)
	s.begun = *f
}

func (s *sink) Emit(c llm.Chunk) error {
	s.add("piece " + c.Text)
	s.text += c.Text
	if s.leaves--; s.leaves == 0 {
		return errors.New("broken pipe")
	}
	return nil
}

// pieces streams words, ends with a finish and a usage, and then returns r and
// err.
func pieces(r llm.Response, err error, words ...string) func(context.Context, llm.Request) (llm.Response, error) {
	return func(_ context.Context, ask llm.Request) (llm.Response, error) {
		buffer := []byte(`{"role":"assistant"}`)
		if failed := ask.Emit(llm.Chunk{Data: buffer}); failed != nil {
			return llm.Response{}, failed
		}
		clear(buffer) // it was lent
		for _, w := range words {
			r.Text += w
			if failed := ask.Emit(llm.Chunk{Text: w}); failed != nil {
				return r, &llm.ProviderError{Kind: llm.ErrorCanceled, Err: failed}
			}
		}
		if err != nil {
			return r, err
		}
		r.FinishReason = llm.FinishStop
		if failed := ask.Emit(llm.Chunk{FinishReason: llm.FinishStop}); failed != nil {
			return r, failed
		}
		return r, ask.Emit(llm.Chunk{Usage: &r.Usage})
	}
}

var usage = llm.Usage{In: 13, CachedIn: 3, Out: 7, Reasoning: 2}

func (b *bench) stream(t *testing.T, s *sink) (gateway.Answer, error) {
	t.Helper()
	s.trace = b.trace
	r := question()
	r.Sink = s
	return b.Complete(t.Context(), r)
}

func TestStreamEndsAfterTheFact(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.provider.streams["cheap-2026"] = pieces(llm.Response{Usage: usage}, nil, "Pa", "ris.")
	s := new(sink)
	answer, err := b.stream(t, s)
	if err != nil {
		t.Fatal(err)
	}
	b.trace.want(t, "intent", "call cheap-2026", "begin cheap", "piece ", "piece Pa", "piece ris.", "fact")
	if len(answer.Tail) != 2 || answer.Tail[0].FinishReason != llm.FinishStop || *answer.Tail[1].Usage != usage {
		t.Errorf("the end is %+v", answer.Tail)
	}
	f := answer.Fact
	if f.Status != event.StatusOK || f.CostNanos != 5_925 || f.TokensOut != 7 || f.Estimated || f.FinishReason != llm.FinishStop {
		t.Errorf("recorded %+v", f)
	}
	if f.TTFTUS > f.LatencyUS || s.begun.ID != f.ID || s.begun.Strategy != "complexity" {
		t.Errorf("first piece after %d of %d µs, begun as %+v", f.TTFTUS, f.LatencyUS, s.begun)
	}
}

// TestStreamFallsBackUntilTheFirstWord: what the failed model sent before one
// is forgotten.
func TestStreamFallsBackUntilTheFirstWord(t *testing.T) {
	t.Parallel()
	b := newBench()
	broken := &llm.ProviderError{Kind: llm.ErrorUnavailable, Err: errors.New("reset")}
	b.provider.streams["cheap-2026"] = pieces(llm.Response{}, broken)
	b.provider.streams["dear-2026"] = pieces(llm.Response{Usage: usage}, nil, "Paris.")
	answer, err := b.stream(t, new(sink))
	if err != nil {
		t.Fatal(err)
	}
	b.trace.want(t, "intent", "call cheap-2026", "call dear-2026", "begin dear", "piece ", "piece Paris.", "fact")
	if f := answer.Fact; f.Model != "dear" || !slices.Equal(f.Fallbacks, []string{"cheap"}) || f.CostNanos != 135_900 {
		t.Errorf("recorded %+v", f)
	}
}

// TestStreamThatBreaksIsBilled and nobody else goes on with it.
func TestStreamThatBreaksIsBilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		usage     llm.Usage
		in, out   int64
		estimated bool
	}{
		"usage known":   {usage, 13, 7, true},
		"usage unknown": {llm.Usage{}, estimatedIn, 10, true},
	} {
		b := newBench()
		broken := &llm.ProviderError{Kind: llm.ErrorMalformed, Err: errors.New("no JSON")}
		b.provider.streams["cheap-2026"] = pieces(llm.Response{Usage: c.usage}, broken, strings.Repeat("word ", 8))
		answer, err := b.stream(t, new(sink))
		if !errors.Is(err, gateway.ErrProviders) {
			t.Fatalf("%s: %v", name, err)
		}
		f := answer.Fact
		if f.Status != event.StatusError || f.ErrorKind != "malformed" || f.TokensIn != c.in || f.TokensOut != c.out || f.CostNanos == 0 ||
			f.Estimated != c.estimated || f.Model != "cheap" || len(f.Fallbacks) > 0 {
			t.Errorf("%s: recorded %+v", name, f)
		}
	}
}

// TestCallerWhoLeavesAStream pays for what came.
func TestCallerWhoLeavesAStream(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.provider.streams["cheap-2026"] = pieces(llm.Response{}, nil, strings.Repeat("word ", 8), "more")
	answer, err := b.stream(t, &sink{leaves: 2})
	if !errors.Is(err, gateway.ErrCanceled) {
		t.Fatal(err)
	}
	f := answer.Fact
	if f.Status != event.StatusCanceled || f.ErrorKind != "canceled" || f.TokensOut != 10 || !f.Estimated || f.CostNanos == 0 {
		t.Errorf("recorded %+v", f)
	}
	b.trace.want(t, "intent", "call cheap-2026", "begin cheap", "piece ", "piece "+strings.Repeat("word ", 8), "fact")
}

// TestStreamWithoutAWord begins when it is over.
func TestStreamWithoutAWord(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.provider.streams["cheap-2026"] = pieces(llm.Response{}, nil)
	answer, err := b.stream(t, new(sink))
	if err != nil || answer.Fact.Status != event.StatusEmpty || len(answer.Tail) != 3 {
		t.Errorf("%v, %+v, the end is %+v", err, answer.Fact, answer.Tail)
	}
	if got := string(answer.Tail[0].Data); got != `{"role":"assistant"}` {
		t.Errorf("kept %q of what was lent", got)
	}
	b.trace.want(t, "intent", "call cheap-2026", "begin cheap", "fact")
}

func TestNobodyAnswersAStream(t *testing.T) {
	t.Parallel()
	b := newBench()
	for _, m := range []string{"cheap-2026", "dear-2026"} {
		b.provider.streams[m] = pieces(llm.Response{}, &llm.ProviderError{Kind: llm.ErrorRateLimited, Err: errors.New("no")})
	}
	answer, err := b.stream(t, new(sink))
	if !errors.Is(err, gateway.ErrProviders) || answer.Fact.CostNanos != 0 {
		t.Errorf("%v, %+v", err, answer.Fact)
	}
	b.trace.want(t, "intent", "call cheap-2026", "call dear-2026", "fact")
}

// TestEndlessEndIsRefused: what is held back is bounded.
func TestEndlessEndIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.provider.streams["cheap-2026"] = func(_ context.Context, ask llm.Request) (llm.Response, error) {
		for range 1000 {
			if err := ask.Emit(llm.Chunk{Data: make([]byte, 64<<10), FinishReason: llm.FinishStop}); err != nil {
				return llm.Response{Text: "x"}, err
			}
		}
		return llm.Response{}, nil
	}
	b.provider.streams["dear-2026"] = pieces(llm.Response{Usage: usage}, nil, "Paris.")
	if answer, err := b.stream(t, new(sink)); err != nil || answer.Fact.Model != "dear" {
		t.Errorf("%v, %+v", err, answer.Fact)
	}
}
