package simulated

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// A simulated judge knows how good simulated answers are.
func TestJudgesByTheTruth(t *testing.T) {
	t.Parallel()
	p := New(Options{Seed: 3})
	for _, prompt := range corpus(30) {
		answers := map[string]string{}
		for _, name := range Models() {
			r, err := p.Complete(t.Context(), ask(name, prompt))
			if err != nil {
				t.Fatal(err)
			}
			answers[name] = r.Text
		}
		for _, pair := range [][2]string{{Small, Large}, {Large, Small}, {Medium, Medium}} {
			shown, err := json.Marshal(map[string]any{
				"conversation": []map[string]string{{"role": "user", "text": "Something else."}, {"role": "user", "text": prompt}, {"role": "tool", "text": "x"}},
				"answer_a":     answers[pair[0]], "answer_b": answers[pair[1]],
			})
			if err != nil {
				t.Fatal(err)
			}
			// The conversation is first in what a judge is shown.
			text := `{"conversation":` + member(t, shown, "conversation") + `,"answer_a":` + member(t, shown, "answer_a") + `,"answer_b":` + member(t, shown, "answer_b") + `}`
			r, err := p.Complete(t.Context(), llm.Request{Model: Medium, ResponseFormat: llm.ResponseFormat{Type: llm.ResponseJSON},
				Messages: []llm.Message{{Role: llm.RoleSystem, Content: "Judge."}, {Role: llm.RoleUser, Content: text}}})
			if err != nil {
				t.Fatal(err)
			}
			var said struct{ A, B float64 }
			if err := json.Unmarshal([]byte(r.Text), &said); err != nil {
				t.Fatalf("%q: %v", r.Text, err)
			}
			a, _ := p.Truth(prompt, pair[0])
			b, _ := p.Truth(prompt, pair[1])
			if math.Abs(said.A-a.Score) > .001 || math.Abs(said.B-b.Score) > .001 {
				t.Errorf("%v is judged %+v, in truth %v and %v", pair, said, a.Score, b.Score)
			}
		}
	}
}

func member(t *testing.T, object []byte, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatal(err)
	}
	return string(members[name])
}

func TestJudgesStrangersHalf(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	r, err := p.Complete(t.Context(), ask(Large, `{"conversation":[],"answer_a":"Paris.","answer_b":""}`))
	if err != nil || r.Text != `{"a": 0.500, "b": 0.500}` {
		t.Errorf("it says %q (%v)", r.Text, err)
	}
	for _, prompt := range []string{`{"conversation":[]}`, `{"conversation":[],"answer_a":"Paris.","answer_b":"","more":1}`, `{"conversation":"x"`} {
		if r, err := p.Complete(t.Context(), ask(Large, prompt)); err != nil || r.Text[0] == '{' && r.Text[:4] == `{"a"` {
			t.Errorf("%s is judged: %q (%v)", prompt, r.Text, err)
		}
	}
}
