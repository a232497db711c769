package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// listener takes the pieces of one call and adds them up.
type listener struct {
	t        *testing.T
	returned atomic.Bool
	hear     func(sum) error // called with each piece; nil: goes on listening

	mu  sync.Mutex
	sum sum
}

// sum is what pieces add up to.
type sum struct {
	pieces   int
	text     string
	refusal  string
	calls    []llm.ToolCall
	finishes []string
	usage    *llm.Usage // the last told
	data     []string
	events   []string
}

func (l *listener) emit(c llm.Chunk) error {
	if l.returned.Load() {
		l.t.Error("Emit was called after Complete had returned")
	}
	if !l.mu.TryLock() {
		l.t.Error("Emit was called while an earlier call of it was running")
		l.mu.Lock()
	}
	defer l.mu.Unlock()
	l.sum.add(l.t, c)
	if l.hear == nil {
		return nil
	}
	return l.hear(l.sum)
}

func (s *sum) add(t *testing.T, c llm.Chunk) {
	s.pieces++
	s.text += c.Text
	s.refusal += c.Refusal
	for _, d := range c.ToolCalls {
		switch {
		case d.Index == len(s.calls):
			s.calls = append(s.calls, llm.ToolCall{ID: d.ID, Name: d.Name})
			if d.ID == "" || d.Name == "" {
				t.Errorf("the first piece of call %d is without id or name: %+v", d.Index, d)
			}
		case d.Index < 0 || d.Index > len(s.calls):
			t.Errorf("call %d came when there were %d", d.Index, len(s.calls))
			continue
		case d.ID != "" || d.Name != "":
			t.Errorf("id or name of call %d came again: %+v", d.Index, d)
		}
		s.calls[d.Index].Arguments += d.Arguments
	}
	if c.FinishReason != "" {
		s.finishes = append(s.finishes, c.FinishReason)
	}
	if c.Usage != nil {
		u := *c.Usage
		s.usage = &u
	}
	if c.Data != nil {
		if !json.Valid(c.Data) {
			t.Errorf("a piece's data is not JSON: %q", c.Data)
		}
		s.data = append(s.data, string(c.Data))
		s.events = append(s.events, c.Event)
	}
}

// call makes one streamed call and checks what holds for all of them: the
// response is the sum of the pieces, whether the call went well or not.
func (s suite) call(ctx context.Context, t *testing.T, p llm.Provider, r llm.Request, hear func(sum) error) (llm.Response, sum, error) {
	t.Helper()
	l := &listener{t: t, hear: hear}
	r.Emit = l.emit
	got, err := p.Complete(ctx, r)
	l.returned.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.sum
	if got.Text != heard.text || got.Refusal != heard.refusal || !slices.Equal(got.ToolCalls, heard.calls) {
		t.Errorf("the response is not the sum of its pieces: %d and %d bytes of text\n%.1000s\n%.1000s",
			len(got.Text), len(heard.text), fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", heard))
	}
	if heard.usage != nil && got.Usage != *heard.usage {
		t.Errorf("the response has the usage %+v, the last piece told %+v", got.Usage, *heard.usage)
	}
	if got.Body != nil {
		t.Errorf("an answer in pieces has a body: %s", got.Body)
	}
	if err == nil && (len(heard.finishes) != 1 || heard.finishes[0] != got.FinishReason) {
		t.Errorf("the response ended with %q, its pieces with %q", got.FinishReason, heard.finishes)
	}
	return got, heard, err
}

// mustBe compares an answer with what the vendor was told to say.
func (s suite) mustBe(t *testing.T, got llm.Response, err error, want Answer) {
	t.Helper()
	if err != nil {
		t.Fatalf("the call failed: %v", err)
	}
	if got.Text != want.Text() {
		t.Errorf("text %q, want %q", got.Text, want.Text())
	}
	if got.FinishReason != want.Finish {
		t.Errorf("finish reason %q, want %q", got.FinishReason, want.Finish)
	}
	if got.Usage != want.Usage {
		t.Errorf("usage %+v, want %+v", got.Usage, want.Usage)
	}
	if want.Model != "" && got.Model != want.Model {
		t.Errorf("model %q, want %q", got.Model, want.Model)
	}
	s.mustCall(t, got.ToolCalls, want.ToolCalls)
}

func (s suite) mustCall(t *testing.T, got, want []llm.ToolCall) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d tool calls, want %d: %+v", len(got), len(want), got)
	}
	ids := map[string]bool{}
	for i := range got {
		same := got[i].Name == want[i].Name && sameJSON(got[i].Arguments, want[i].Arguments)
		if !same || !s.Lacks.ToolIDs && got[i].ID != want[i].ID {
			t.Errorf("tool call %+v, want %+v", got[i], want[i])
		}
		if got[i].ID == "" || ids[got[i].ID] {
			t.Errorf("tool call %d has no id of its own: %+v", i, got)
		}
		ids[got[i].ID] = true
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// mustFail checks what holds for every failure, and returns it.
func (s suite) mustFail(t *testing.T, err error, kinds ...llm.ErrorKind) *llm.ProviderError {
	t.Helper()
	failed, ok := errors.AsType[*llm.ProviderError](err)
	if !ok {
		t.Fatalf("not a provider error: %v", err)
	}
	if !slices.Contains(kinds, failed.Kind) {
		t.Errorf("the failure is %s, want %v: %v", failed.Kind, kinds, err)
	}
	if failed.Provider != s.Name {
		t.Errorf("the failure names the provider %q, want %q", failed.Provider, s.Name)
	}
	mustBePresentable(t, err)
	return failed
}

// mustBePresentable: no key, one line, short enough for a log.
func mustBePresentable(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v", err, err)
	if strings.Contains(text, key) || strings.Contains(text, key[:12]) {
		t.Errorf("the key is in the error: %.500s", text)
	}
	if len(text) > 4000 || bytes.ContainsAny([]byte(text), "\r\n\x00\x1b") {
		t.Errorf("the error is too long, or not one printable line: %.500q", text)
	}
}
