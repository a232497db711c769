package simulated

import (
	"fmt"
	"math"
	"testing"
)

// corpus makes prompts from easy to hard, n of each form.
func corpus(n int) []string {
	forms := []string{
		"What is the capital of country %d?",
		"Translate to French: I have %d apples.",
		"Rewrite politely: you sent %d letters too late.",
		"Summarise: sales rose by %d per cent because the weather was good, and fell again in autumn.",
		"A shop sells %d mugs at 7 euros and 12 plates at 9 euros. How much does it earn after 15 per cent discount?",
		"Write a poem about %d owls.",
		"Write SQL to join tables orders and customers and select the top %d per month.",
		"Implement a thread-safe function in Go that keeps the %d most recent values; explain the edge cases.",
		"Analyse the liability of a landlord in case %d: the contract has a clause on risk, and the statute another.",
		"Prove that for every n > %d the constraints are consistent; derive the minimum and justify each step without assuming continuity.",
	}
	var prompts []string
	for i := range n {
		for _, form := range forms {
			prompts = append(prompts, fmt.Sprintf(form, i))
		}
	}
	return prompts
}

func mustTruth(t *testing.T, p *Provider, prompt, model string) Verdict {
	t.Helper()
	v, ok := p.Truth(prompt, model)
	if !ok {
		t.Fatalf("no model %s", model)
	}
	return v
}

func TestTruthIsDeterministic(t *testing.T) {
	t.Parallel()
	a, b, c := New(Options{Seed: 5}), New(Options{Seed: 5, Speed: 3, FailureRate: 1}), New(Options{Seed: 6})
	changed := 0
	for _, prompt := range corpus(50) {
		for _, name := range Models() {
			v := mustTruth(t, a, prompt, name)
			if w := mustTruth(t, b, " "+prompt+"\n", name); v != w {
				t.Fatalf("%q, %s: %+v and %+v", prompt, name, v, w)
			}
			if mustTruth(t, c, prompt, name) != v {
				changed++
			}
		}
	}
	if changed == 0 {
		t.Error("the seed changes nothing")
	}
	if _, ok := a.Truth("hello", "gigantic"); ok {
		t.Error("an unknown model has a truth")
	}
}

// TestTruthStaysPut pins a few values: another process, and another version of
// this program, must know the same truth, or feedback would be wrong.
func TestTruthStaysPut(t *testing.T) {
	t.Parallel()
	p := New(Options{Seed: 1})
	got := fmt.Sprintf("%x %x", draw(1, "luck", "a", "b"), draw(2, "luck", "ab"))
	if want := "61bedd47199225ad 143fa7202b3bca79"; got != want {
		t.Errorf("draws %s, want %s", got, want)
	}
	if d := p.Difficulty("What is the capital of Peru?"); d > .2 {
		t.Errorf("difficulty of a capital: %v", d)
	}
}

func TestVerdictsAreInRange(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	odd := []string{"", " ", "\xff\xfe", "?", "東京はどこですか", "```\n{}\n```", string(make([]byte, 200_000))}
	for _, prompt := range append(corpus(100), odd...) {
		for _, name := range Models() {
			v := mustTruth(t, p, prompt, name)
			if !(v.Difficulty >= 0 && v.Difficulty <= 1) {
				t.Errorf("%.40q: difficulty %v", prompt, v.Difficulty)
			}
			if v.Good && (v.Score < .6 || v.Score > 1) || !v.Good && (v.Score < 0 || v.Score > .4) || math.IsNaN(v.Score) {
				t.Errorf("%.40q: score %v, good %v", prompt, v.Score, v.Good)
			}
		}
	}
}

func TestChanceFallsWithDifficultyAndRisesWithTheModel(t *testing.T) {
	t.Parallel()
	all := models()
	for i, m := range all {
		for d := 0.0; d < 1; d += .01 {
			if m.chance(d+.01) >= m.chance(d) {
				t.Errorf("%s: chance does not fall at %v", m.name, d)
			}
			if i > 0 && all[i-1].chance(d) >= m.chance(d) {
				t.Errorf("%s is no better than %s at %v", m.name, all[i-1].name, d)
			}
		}
	}
}

// TestSuccessFallsOverACorpus looks at outcomes, not at the formula.
func TestSuccessFallsOverACorpus(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	const bins = 5
	var n [bins]int
	good := map[string]*[bins]int{Small: {}, Medium: {}, Large: {}}
	for _, prompt := range corpus(3000) {
		bin := min(int(p.Difficulty(prompt)*bins), bins-1)
		n[bin]++
		for _, name := range Models() {
			if mustTruth(t, p, prompt, name).Good {
				good[name][bin]++
			}
		}
	}
	for _, name := range Models() {
		for bin := 1; bin < bins; bin++ {
			before := float64(good[name][bin-1]) / float64(n[bin-1])
			after := float64(good[name][bin]) / float64(n[bin])
			if after > before+.01 {
				t.Errorf("%s: success rises from %.3f to %.3f in bin %d", name, before, after, bin)
			}
		}
	}
}

// TestOutcomesCanBeLearned splits by difficulty: sending the easy half to the
// small model and the hard half to the large one must beat a random mix.
func TestOutcomesCanBeLearned(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	prompts, good := corpus(500), map[bool]int{}
	count := func(split bool, v Verdict) {
		if v.Good {
			good[split]++
		}
	}
	for i, prompt := range prompts {
		byDifficulty, byCoin := Small, Small
		if p.Difficulty(prompt) > .38 {
			byDifficulty = Large
		}
		if i%2 == 0 {
			byCoin = Large
		}
		count(true, mustTruth(t, p, prompt, byDifficulty))
		count(false, mustTruth(t, p, prompt, byCoin))
	}
	gain := float64(good[true]-good[false]) / float64(len(prompts))
	t.Logf("gain %.3f", gain)
	if gain < .08 {
		t.Errorf("a split by difficulty gains only %.3f over a coin", gain)
	}
}

func TestHarderWordsAreHarder(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	for _, pair := range [][2]string{
		{"What is the capital of Chile?", "Prove that the capital of Chile cannot be reached in exactly three steps."},
		{"Write a Go function that adds two numbers.", "Implement a distributed, idempotent, concurrent queue in Go without locks; prove the invariant."},
		{"Translate: good morning", "Assess the liability under this clause and justify every step: good morning"},
	} {
		if easy, hard := p.Difficulty(pair[0]), p.Difficulty(pair[1]); hard < easy+.2 {
			t.Errorf("%.2f %q\n%.2f %q", easy, pair[0], hard, pair[1])
		}
	}
}
