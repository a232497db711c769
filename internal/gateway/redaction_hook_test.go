package gateway_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

// hook answers in a test's words.
type hook struct {
	asked  []string
	answer func(texts []string) ([]string, map[string]string, error)
}

func (h *hook) Redact(_ context.Context, project string, texts []string) ([]string, map[string]string, error) {
	h.asked = append([]string{project}, texts...)
	return h.answer(texts)
}

func TestHook(t *testing.T) {
	t.Parallel()
	named := func(texts []string) ([]string, map[string]string, error) {
		out := slices.Clone(texts)
		for i := range out {
			out[i] = strings.ReplaceAll(out[i], "Ada", "[PERSON_1]")
		}
		return out, map[string]string{"[PERSON_1]": "Ada"}, nil
	}
	for name, c := range map[string]struct {
		answer func([]string) ([]string, map[string]string, error)
		fails  bool
	}{
		"good": {named, false},
		"away": {func([]string) ([]string, map[string]string, error) { return nil, nil, errors.New("away") }, true},
		"less": {func([]string) ([]string, map[string]string, error) { return nil, nil, nil }, true},
		"wrong": {func(texts []string) ([]string, map[string]string, error) {
			return texts, map[string]string{"[EMAIL_1]": "Eve"}, nil
		}, true},
	} {
		for _, open := range []bool{false, true} {
			b, h := newBench(), &hook{answer: c.answer}
			b.Redaction = redaction(t)
			b.Redaction.Hook, b.Redaction.Open = h, open
			b.provider.answers["cheap-2026"] = answering(llm.Response{Text: "[PERSON_1] [EMAIL_1]", FinishReason: llm.FinishStop})
			answer, err := b.Complete(t.Context(), asking("Ada is "+ada))
			if !slices.Equal(h.asked, []string{"default", "Ada is [EMAIL_1]"}) {
				t.Errorf("%s: the hook was asked %q", name, h.asked)
			}
			if c.fails && !open {
				if !errors.Is(err, gateway.ErrRedaction) || strings.Contains(err.Error(), "Ada") || strings.Contains(err.Error(), "Eve") {
					t.Errorf("%s: %v", name, err)
				}
				b.trace.want(t)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			sent, text := "[PERSON_1] is [EMAIL_1]", "Ada "+ada
			if c.fails {
				sent, text = "Ada is [EMAIL_1]", "[PERSON_1] "+ada
			}
			if got := b.provider.asked.Messages[0].Content; got != sent || answer.Text != text || slices.Contains(answer.Fact.Degraded, "redaction") != c.fails {
				t.Errorf("%s, open %t: sent %q, answered %q, degraded %v", name, open, got, answer.Text, answer.Fact.Degraded)
			}
		}
	}
}
