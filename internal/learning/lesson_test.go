package learning

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/prompt"
)

// lessons are random ones, of both kinds.
func lessons(r *rand.Rand, n int) []Lesson {
	var reader prompt.Reader
	all := make([]Lesson, n)
	for i := range all {
		if i%10 == 9 {
			d := &Decisions{Goal: Goal{Quality: 0.9, BudgetNanos: r.Int64N(1e12), StrongShare: r.Float64()}}
			for range r.IntN(5) {
				d.Decided = append(d.Decided, Decided{At: time.UnixMilli(1e12 + r.Int64N(1e9)).UTC(), Turning: r.NormFloat64() * 100,
					Strong: r.Float64(), CostUSD: r.Float64(), Quality: r.Float64(), Baseline: r.Float64()})
			}
			all[i].Decisions = d
			continue
		}
		f, words := reader.Read(fmt.Sprintf("What is %d times %d, and why do word%d and word%d differ?", i, r.IntN(9), r.IntN(50), r.IntN(50)))
		all[i].Verdict = &Judged{Model: fmt.Sprint("model-", r.IntN(3)), Quality: r.Float64(), Prior: r.Float64(), Propensity: r.Float64(),
			Candidates: []string{"model-0", "model-1", "model-2"}, Features: prompt.Append(nil, &f, words),
			Predicted: r.Float64(), Baseline: []string{"", "model-2"}[r.IntN(2)]}
	}
	return all
}

func TestLessonsSurviveTheirCodec(t *testing.T) {
	t.Parallel()
	for _, l := range lessons(rand.New(rand.NewPCG(1, 1)), 200) {
		b := l.Encode()
		got, err := DecodeLesson(b)
		if err != nil || !reflect.DeepEqual(got, l) {
			t.Fatalf("%+v became %+v, %v", l, got, err)
		}
		for n := range b {
			if _, err := DecodeLesson(b[:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("the first %d of %d bytes are read: %v", n, len(b), err)
			}
		}
	}
}

// Whoever stops anywhere and goes on from a checkpoint and the lessons behind
// it comes to the same bytes as one who never stopped.
func TestCheckpointAndTailAreTheWhole(t *testing.T) {
	t.Parallel()
	prior, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 2))
	all := lessons(r, 2500) // past an ageing
	apply := func(m *Model, ls []Lesson) {
		for _, l := range ls {
			l, err := DecodeLesson(l.Encode())
			if err == nil {
				err = m.Apply(l, &prior.Scale)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	whole := New(nil, Assumed())
	apply(whole, all)
	for range 5 {
		cut := r.IntN(len(all))
		first := New(nil, Assumed())
		apply(first, all[:cut])
		m, err := Decode(first.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := DecodeController(first.Controller.Encode())
		if err != nil {
			t.Fatal(err)
		}
		m = m.At(c)
		apply(m, all[cut:])
		if !bytes.Equal(m.Encode(), whole.Encode()) {
			t.Errorf("from a checkpoint after %d lessons, others were learned", cut)
		}
	}
}

func TestApplyRefusesDamagedFeatures(t *testing.T) {
	t.Parallel()
	prior, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	m := New(nil, Assumed())
	before := m.Encode()
	l := lessons(rand.New(rand.NewPCG(3, 3)), 1)[0]
	l.Verdict.Features = l.Verdict.Features[1:]
	if err := m.Apply(l, &prior.Scale); !errors.Is(err, prompt.ErrFeatures) || !bytes.Equal(m.Encode(), before) {
		t.Errorf("the error is %v", err)
	}
}
