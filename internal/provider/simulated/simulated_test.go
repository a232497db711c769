package simulated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/llm"
)

func ask(model, prompt string) llm.Request {
	return llm.Request{Model: model, Messages: []llm.Message{{Role: llm.RoleUser, Content: prompt}}}
}

func kindOfError(err error) llm.ErrorKind {
	var failed *llm.ProviderError
	if errors.As(err, &failed) {
		return failed.Kind
	}
	return ""
}

func TestAnswersAreDeterministicAndSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	a, b := New(Options{Seed: 9}), New(Options{Seed: 9})
	for _, prompt := range corpus(20) {
		for _, name := range Models() {
			first, err := a.Complete(t.Context(), ask(name, prompt))
			if err != nil {
				t.Fatal(err)
			}
			second, _ := b.Complete(t.Context(), ask(name, prompt))
			if !reflect.DeepEqual(first, second) {
				t.Fatalf("%+v and %+v", first, second)
			}
			if !strings.Contains(first.Text, "[simulated model "+name+"] No model was called") {
				t.Errorf("the answer does not say what it is: %s", first.Text)
			}
			if first.FinishReason != llm.FinishStop || first.Usage.Out != countTokens(first.Text) || first.Usage.In < 8 {
				t.Errorf("%+v", first)
			}
		}
	}
}

func TestOddPromptsAreAnswered(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	for _, prompt := range []string{"", "%s %d 100%", "\xff`\"", strings.Repeat("東京", 5000), strings.Repeat("x", 300_000)} {
		r, err := p.Complete(t.Context(), ask(Large, prompt))
		if err != nil || !utf8.ValidString(r.Text) || len(r.Text) > 10_000 {
			t.Errorf("%.20q: %v, %.300s", prompt, err, r.Text)
		}
	}
	if r, _ := p.Complete(t.Context(), ask(Small, "%s %d")); !strings.Contains(r.Text, `"%s %d"`) {
		t.Errorf("a prompt is taken for a format: %s", r.Text)
	}
	if _, err := p.Complete(t.Context(), llm.Request{Model: Small}); err != nil {
		t.Errorf("no messages: %v", err)
	}
}

func TestTheLastUserTurnCounts(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	r := llm.Request{Model: Small, Messages: []llm.Message{
		{Role: llm.RoleSystem, Content: "You prove theorems."},
		{Role: llm.RoleUser, Content: "What is the capital of Peru?"},
		{Role: llm.RoleAssistant, Content: "Lima"},
	}}
	long, err := p.Complete(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	short, _ := p.Complete(t.Context(), ask(Small, "What is the capital of Peru?"))
	if long.Text != short.Text || long.Usage.In <= short.Usage.In {
		t.Errorf("%+v\n%+v", long, short)
	}
}

func TestObjectsAreJSONWhenGood(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	valid := map[bool]int{}
	for i := range 300 {
		prompt := fmt.Sprintf("Extract all fields of order %d as \"JSON\": 3 lemons, 4 mugs", i)
		r, err := p.Complete(t.Context(), ask(Small, prompt))
		if err != nil {
			t.Fatal(err)
		}
		good := mustTruth(t, p, prompt, Small).Good
		if json.Valid([]byte(r.Text)) != good {
			t.Fatalf("good is %v, but the answer is %s", good, r.Text)
		}
		valid[good]++
	}
	if valid[true] == 0 || valid[false] == 0 {
		t.Errorf("one side was not seen: %v", valid)
	}
}

func TestMaxTokensCaps(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	prompt := "Plan a week in Oslo with a schedule, a budget and a checklist."
	whole, err := p.Complete(t.Context(), ask(Large, prompt))
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int64{1, 2, 7, 50, whole.Usage.Out - 1, whole.Usage.Out, whole.Usage.Out + 1} {
		r := ask(Large, prompt)
		r.MaxTokens = int(limit)
		got, err := p.Complete(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		want := llm.FinishStop
		if limit < whole.Usage.Out {
			want = llm.FinishLength
		}
		if got.Usage.Out != min(limit, whole.Usage.Out) || got.FinishReason != want || !strings.HasPrefix(whole.Text, got.Text) {
			t.Errorf("limit %d: %+v", limit, got)
		}
	}
}

func TestUnknownModelIsRejected(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Name: "sim"}).Complete(t.Context(), ask("gigantic", "hello"))
	if kindOfError(err) != llm.ErrorRejected || !strings.Contains(err.Error(), "sim") || !strings.Contains(err.Error(), "gigantic") {
		t.Errorf("%v", err)
	}
}

func TestFailureRate(t *testing.T) {
	t.Parallel()
	p := New(Options{FailureRate: .2})
	failures := func() (failed []int) {
		for i, prompt := range corpus(100) {
			if _, err := p.Complete(t.Context(), ask(Small, prompt)); err != nil {
				if kindOfError(err) != llm.ErrorUnavailable {
					t.Fatal(err)
				}
				failed = append(failed, i)
			}
		}
		return failed
	}
	first := failures()
	if len(first) < 150 || len(first) > 250 {
		t.Errorf("%d of 1000 failed, want about 200", len(first))
	}
	if !slices.Equal(first, failures()) {
		t.Error("not the same ones the second time")
	}
}

// TestLatencyIsRealistic runs in a bubble, where waiting costs nothing.
func TestLatencyIsRealistic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		realistic, fast := New(Options{Speed: 1}), New(Options{Speed: 4})
		took := func(p *Provider, model, prompt string) time.Duration {
			start := time.Now()
			if _, err := p.Complete(t.Context(), ask(model, prompt)); err != nil {
				t.Fatal(err)
			}
			return time.Since(start)
		}
		medians := map[string]time.Duration{}
		for _, name := range Models() {
			var all []time.Duration
			for _, prompt := range corpus(40) {
				d := took(realistic, name, prompt)
				if quarter := took(fast, name, prompt); quarter-d/4 > time.Microsecond || d/4-quarter > time.Microsecond {
					t.Fatalf("%v at speed 1, %v at speed 4", d, quarter)
				}
				all = append(all, d)
			}
			slices.Sort(all)
			medians[name] = all[len(all)/2]
			t.Logf("%-6s p50 %v  p95 %v  max %v", name, medians[name], all[len(all)*95/100], all[len(all)-1])
		}
		for name, limits := range map[string][2]time.Duration{
			Small:  {250 * time.Millisecond, 600 * time.Millisecond},
			Medium: {500 * time.Millisecond, 1200 * time.Millisecond},
			Large:  {time.Second, 2500 * time.Millisecond},
		} {
			if medians[name] < limits[0] || medians[name] > limits[1] {
				t.Errorf("%s: median %v", name, medians[name])
			}
		}
	})
}

func TestContextEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Speed: .001})
		start := time.Now()
		late, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := p.Complete(late, ask(Large, "hello")); kindOfError(err) != llm.ErrorTimeout {
			t.Errorf("deadline: %v", err)
		}
		gone, leave := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, leave)
		_, err := p.Complete(gone, ask(Large, "hello"))
		if kindOfError(err) != llm.ErrorCanceled || !errors.Is(err, context.Canceled) {
			t.Errorf("cancellation: %v", err)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if _, err := New(Options{}).Complete(gone, ask(Large, "hello")); kindOfError(err) != llm.ErrorCanceled {
			t.Errorf("without waiting: %v", err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, prompt := range corpus(20) {
				if _, err := p.Complete(t.Context(), ask(Medium, prompt)); err != nil {
					t.Error(err)
				}
				p.Truth(prompt, Medium)
			}
		})
	}
	group.Wait()
}

func TestTokenCounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"": 0, "hello": 1, "hello world": 2, "internationalisation": 4, "12345": 2,
		"a,b": 3, "  ": 1, "東京都": 3, "x = 10;": 4, "hi ": 2,
	} {
		if got := countTokens(text); got != want {
			t.Errorf("%q: %d tokens, want %d", text, got, want)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add("hello, world 123", int64(2))
	f.Add("東京\xff ", int64(1))
	f.Fuzz(func(t *testing.T, text string, n int64) {
		total := countTokens(text)
		cut, shorter := cutTokens(text, n%10_000)
		if !strings.HasPrefix(text, cut) || shorter != (len(cut) < len(text)) {
			t.Fatalf("%q of %q, %v", cut, text, shorter)
		}
		if got, want := countTokens(cut), min(total, max(0, n%10_000)); got != want {
			t.Fatalf("cut to %d tokens of %d, want %d", got, total, want)
		}
	})
}

func BenchmarkComplete(b *testing.B) {
	p := New(Options{})
	prompts := corpus(1)
	for i := range b.N {
		if _, err := p.Complete(b.Context(), ask(Small, prompts[i%len(prompts)])); err != nil {
			b.Fatal(err)
		}
	}
}
