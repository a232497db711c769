package learning

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/busuhq/busu/internal/prompt"
)

// fitted is a prior of prompts on which large models are better at proofs.
func fitted(ridge Ridge) *Prior {
	var reader prompt.Reader
	var outcomes []Outcome
	texts, hard := prompts(400, rand.New(rand.NewPCG(1, 1)))
	for i, text := range texts {
		f, words := reader.Read(text)
		outcomes = append(outcomes, Outcome{Example: Example{Features: f, Words: slices.Clone(words)},
			Small: truth("small", hard[i]), Large: truth("large", hard[i])})
	}
	return FitPrior(outcomes, ridge, "a test")
}

func (p *Prior) expect(text string) Expected {
	var reader prompt.Reader
	f, words := reader.Read(text)
	var v Vector
	p.Vector(&v, &f, words)
	return p.Read(&v)
}

func TestPriorIsWhatItWasFittedOn(t *testing.T) {
	t.Parallel()
	p := fitted(Ridge{Words: 0.1, Counters: 0.1, Complexity: 0.1})
	for i, topic := range topics {
		e := p.expect(topic + " xy")
		for ability, model := range []string{"small", "large"} {
			if got, want := e.Quality(float64(ability)), truth(model, i == 0); math.Abs(got-want) > 0.1 {
				t.Errorf("%q: %s expected at %.2f, want %.2f", topic, model, got, want)
			}
		}
	}
}

func TestPriorKeepsItsBytes(t *testing.T) {
	t.Parallel()
	p := fitted(Ridge{Words: 0.1, Counters: 0.1, Complexity: 0.1})
	b := p.Encode()
	again, err := DecodePrior(b)
	if err != nil {
		t.Fatal(err)
	}
	if again.Source != "a test" {
		t.Errorf("its source reads %q", again.Source)
	}
	for _, text := range append(topics, "something else altogether") {
		a, b := p.expect(text), again.expect(text)
		if math.Abs(a.level-b.level) > 0.02 || math.Abs(a.uplift-b.uplift) > 0.02 {
			t.Errorf("%q: expects %+v, %+v when stored", text, a, b)
		}
	}
	if !bytes.Equal(again.Encode(), b) {
		t.Error("stored twice, it has other bytes")
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x40
		if _, err := DecodePrior(bad); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d changed: the error is %v, want ErrCorrupt", i, err)
		}
	}
}
