package simulated

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// collected asks for pieces and keeps them.
func collected(t *testing.T, p *Provider, r llm.Request) ([]llm.Chunk, llm.Response) {
	t.Helper()
	var chunks []llm.Chunk
	r.Emit = func(c llm.Chunk) error {
		chunks = append(chunks, c)
		return nil
	}
	response, err := p.Complete(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return chunks, response
}

// requests are of every kind that is answered in pieces.
func requests() map[string]llm.Request {
	tool := llm.Tool{Name: "get_weather", Parameters: []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)}
	all := map[string]llm.Request{
		"text":   ask(Small, "Plan a week in Oslo with a schedule, a budget and a checklist."),
		"stop":   ask(Small, "Plan a week in Oslo with a schedule, a budget and a checklist."),
		"length": ask(Medium, "Plan a week in Oslo with a schedule, a budget and a checklist."),
		"call":   ask(Large, "Call get_weather for Oslo, please."),
		"cut":    ask(Large, "Call get_weather for Oslo, please."),
		"json":   ask(Small, "Where is Oslo?"),
		"none":   ask(Small, "Where is Oslo?"),
		"calls":  ask(Large, "Call get_weather and get_time for Oslo, please."),
		"late":   ask(Small, "Plan a week in Oslo with a schedule, a budget and a checklist."),
	}
	change := func(name string, with func(*llm.Request)) {
		r := all[name]
		with(&r)
		all[name] = r
	}
	change("stop", func(r *llm.Request) { r.Stop = []string{"nowhere", "model was"} })
	change("length", func(r *llm.Request) { r.MaxTokens = 12 })
	change("call", func(r *llm.Request) { r.Tools = []llm.Tool{tool} })
	change("calls", func(r *llm.Request) { r.Tools = []llm.Tool{tool, {Name: "get_time"}} })
	change("late", func(r *llm.Request) { r.Stop, r.MaxTokens = []string{"text stands"}, 8 })
	change("cut", func(r *llm.Request) { r.Tools, r.MaxTokens = []llm.Tool{tool}, 6 })
	change("json", func(r *llm.Request) { r.ResponseFormat.Type = llm.ResponseJSON })
	change("none", func(r *llm.Request) { r.Stop = []string{"["} })
	for name, r := range all {
		r.Format = llm.FormatMessages
		all["messages "+name] = r
	}
	return all
}

func TestPiecesAddUpToTheWhole(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	for name, r := range requests() {
		whole, err := p.Complete(t.Context(), r)
		if err != nil {
			t.Fatal(name, err)
		}
		chunks, response := collected(t, p, r)
		sum, usage := llm.Response{Model: r.Model}, (*llm.Usage)(nil)
		for _, c := range chunks {
			add(&sum, c)
			if c.Usage != nil {
				usage = c.Usage
			}
			if (r.Format == llm.FormatMessages) != (c.Data != nil) {
				t.Errorf("%s: data %q", name, c.Data)
			}
			if countTokens(c.Text) > 1 {
				t.Errorf("%s: a piece of several tokens: %q", name, c.Text)
			}
		}
		whole.Body = nil
		if !reflect.DeepEqual(response, whole) {
			t.Errorf("%s: in pieces %+v\nas a whole %+v", name, response, whole)
		}
		if usage == nil || *usage != whole.Usage {
			t.Errorf("%s: the pieces say the usage is %+v, want %+v", name, usage, whole.Usage)
		}
		if sum.Usage = whole.Usage; !reflect.DeepEqual(sum, whole) {
			t.Errorf("%s: the pieces add up to %+v, want %+v", name, sum, whole)
		}
	}
}

func TestFinishReasons(t *testing.T) {
	t.Parallel()
	p, all := New(Options{}), requests()
	for name, want := range map[string]string{"text": llm.FinishStop, "stop": llm.FinishStop, "length": llm.FinishLength,
		"call": llm.FinishToolCalls, "calls": llm.FinishToolCalls, "late": llm.FinishLength, "cut": llm.FinishLength, "none": llm.FinishStop} {
		got, err := p.Complete(t.Context(), all[name])
		if err != nil || got.FinishReason != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if limit := all[name].MaxTokens; limit > 0 && got.Usage.Out != int64(limit) {
			t.Errorf("%s: %d tokens, the limit is %d", name, got.Usage.Out, limit)
		}
	}
	whole, _ := p.Complete(t.Context(), all["text"])
	stopped, _ := p.Complete(t.Context(), all["stop"])
	if before, _, found := strings.Cut(whole.Text, "model was"); !found || stopped.Text != before || stopped.Usage.Out != countTokens(before) {
		t.Errorf("%q does not stop where %q says", stopped.Text, whole.Text)
	}
}

// TestStreamsKeepThePace runs in a bubble, where waiting costs nothing.
func TestStreamsKeepThePace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, r := range requests() {
			p := New(Options{Speed: 2})
			pace := p.pace(mustModel(t, r.Model), question(r.Messages))
			start, first := time.Now(), time.Duration(0)
			r.Emit = func(c llm.Chunk) error {
				if first == 0 && !c.Empty() {
					first = time.Since(start)
				}
				time.Sleep(pace.perToken / 8) // a slow listener does not slow the model
				return nil
			}
			response, err := p.Complete(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			near := func(got time.Duration, tokens int64, slack time.Duration) bool {
				want := pace.total(tokens) / 2
				return got >= want && got <= want+slack+time.Microsecond
			}
			if response.Usage.Out > 3 && !near(first, 1, 2*pace.perToken) || !near(time.Since(start), response.Usage.Out, pace.perToken) {
				t.Errorf("%s: first piece after %v, all %d tokens after %v; pace %+v", name, first, response.Usage.Out, time.Since(start), pace)
			}
		}
	})
}

func mustModel(t *testing.T, name string) model {
	t.Helper()
	m, ok := modelNamed(name)
	if !ok {
		t.Fatal(name)
	}
	return m
}

func TestContextEndsAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, r := range requests() {
			if strings.HasSuffix(name, "none") {
				continue // nothing is left to end
			}
			ctx, cancel := context.WithCancel(t.Context())
			var text string
			pieces := 0
			r.Emit = func(c llm.Chunk) error {
				text += c.Text
				if !c.Empty() {
					pieces++
				}
				if pieces == 3 {
					cancel()
				}
				return nil
			}
			got, err := New(Options{Speed: 1}).Complete(ctx, r)
			if kindOfError(err) != llm.ErrorCanceled || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			if got.Text != text || got.FinishReason != "" || got.Usage.In == 0 || got.Usage.Out < 3 || got.Usage.Out > 6 || pieces != 3 {
				t.Errorf("%s: %+v after %q", name, got, text)
			}
		}
	})
}

func TestAListenerWhoLeavesEndsTheCall(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for name, r := range requests() {
		calls := 0
		r.Emit = func(llm.Chunk) error {
			calls++
			return gone
		}
		_, err := New(Options{}).Complete(t.Context(), r)
		if kindOfError(err) != llm.ErrorCanceled || !errors.Is(err, gone) || calls != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}

func TestFailuresComeBeforeAnyPiece(t *testing.T) {
	t.Parallel()
	r := ask(Small, "hello")
	r.Emit = func(llm.Chunk) error {
		t.Error("a piece of a failed call")
		return nil
	}
	if _, err := New(Options{FailureRate: 1}).Complete(t.Context(), r); kindOfError(err) != llm.ErrorUnavailable {
		t.Error(err)
	}
}
