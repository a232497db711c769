package demo

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/provider/simulated"
)

func take(g *Generator, n int) []Prompt {
	prompts := make([]Prompt, n)
	for i := range prompts {
		prompts[i] = g.Next()
	}
	return prompts
}

func TestSameSeedSameTraffic(t *testing.T) {
	t.Parallel()
	a, b, c := take(New(7, 50), 500), take(New(7, 50), 500), take(New(8, 50), 500)
	differ := 0
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("prompt %d differs under the same seed: %+v and %+v", i, a[i], b[i])
		}
		if a[i] != c[i] {
			differ++
		}
	}
	if differ < 450 {
		t.Errorf("another seed changes only %d of 500 prompts", differ)
	}
}

func TestTrafficIsVaried(t *testing.T) {
	t.Parallel()
	const n = 10_000
	texts, users, byKind := map[string]int{}, map[string]int{}, map[string]int{}
	for _, p := range take(New(1, 200), n) {
		texts[p.Text]++
		users[p.UserID]++
		byKind[p.Kind]++
	}
	if len(texts) < 6000 {
		t.Errorf("%d distinct prompts of %d", len(texts), n)
	}
	if len(users) < 150 || len(users) > 200 {
		t.Errorf("%d users of 200 seen", len(users))
	}
	if first := users["user-0001"]; first < n/20 || first > n/4 {
		t.Errorf("the busiest user asks %d of %d", first, n)
	}
	for _, kind := range Kinds() {
		if byKind[kind] < n/100 {
			t.Errorf("kind %s: only %d of %d", kind, byKind[kind], n)
		}
	}
}

func TestOneUserIsEnough(t *testing.T) {
	t.Parallel()
	for _, users := range []int{-1, 0, 1} {
		for _, p := range take(New(1, users), 50) {
			if p.UserID != "user-0001" {
				t.Fatalf("%d users: %s", users, p.UserID)
			}
		}
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	slot := regexp.MustCompile(`\{[a-z]+[0-9]*\}`)
	seen, total := map[string]bool{}, 0
	for _, k := range kinds() {
		total += len(k.templates)
		for _, template := range k.templates {
			if seen[template] {
				t.Errorf("%s: template twice: %s", k.name, template)
			}
			seen[template] = true
			for seed := range uint64(20) {
				text := newFiller(rand.New(rand.NewPCG(seed, 0))).fill(template)
				if left := slot.FindString(text); left != "" {
					t.Fatalf("%s: slot %s is not known: %s", k.name, left, text)
				}
				if !utf8.ValidString(text) || strings.TrimSpace(text) != text || len(text) > 4000 {
					t.Errorf("%s: bad text %q", k.name, text)
				}
			}
		}
	}
	if total < 120 {
		t.Errorf("only %d templates", total)
	}
	t.Logf("%d templates of %d kinds", total, len(kinds()))
}

func TestSlotsKeepTheirValue(t *testing.T) {
	t.Parallel()
	f := newFiller(rand.New(rand.NewPCG(3, 0)))
	for range 50 {
		a, b, ok := strings.Cut(f.fill("{city}|{city}"), "|")
		if !ok || a != b {
			t.Fatalf("%q and %q", a, b)
		}
	}
	if got := f.fill(`if {x} { return {"a": 1} } {`); got != `if {x} { return {"a": 1} } {` {
		t.Errorf("braces that are no slots changed: %q", got)
	}
}

// TestDifficultyOverKinds prints how hard the traffic is for the simulated
// models, and holds it to what makes routing worth while.
func TestDifficultyOverKinds(t *testing.T) {
	t.Parallel()
	type sums struct {
		n                 int
		difficulty        float64
		small, mid, large int
	}
	p := simulated.New(simulated.Options{})
	byKind, all := map[string]*sums{}, &sums{}
	for _, kind := range Kinds() {
		byKind[kind] = &sums{}
	}
	good := func(text, model string) int {
		if v, ok := p.Truth(text, model); ok && v.Good {
			return 1
		}
		return 0
	}
	for _, prompt := range take(New(1, 200), 20_000) {
		for _, s := range []*sums{byKind[prompt.Kind], all} {
			s.n++
			s.difficulty += p.Difficulty(prompt.Text)
			s.small += good(prompt.Text, simulated.Small)
			s.mid += good(prompt.Text, simulated.Medium)
			s.large += good(prompt.Text, simulated.Large)
		}
	}
	share := func(count, n int) float64 { return float64(count) / float64(n) }
	row := func(name string, s *sums) {
		t.Logf("%-15s %6d  %5.2f   %5.2f  %6.2f  %5.2f", name, s.n, s.difficulty/float64(s.n),
			share(s.small, s.n), share(s.mid, s.n), share(s.large, s.n))
	}
	t.Logf("%-15s %6s  %5s   %5s  %6s  %5s", "kind", "n", "diff.", "small", "medium", "large")
	for _, kind := range Kinds() {
		row(kind, byKind[kind])
	}
	row("all", all)

	within := func(what string, got, low, high float64) {
		if got < low || got > high {
			t.Errorf("%s: %.3f is outside [%.2f, %.2f]", what, got, low, high)
		}
	}
	within("small, overall", share(all.small, all.n), .58, .72)
	within("medium, overall", share(all.mid, all.n), .76, .86)
	within("large, overall", share(all.large, all.n), .90, .96)
	mean := func(kind string) float64 { return byKind[kind].difficulty / float64(byKind[kind].n) }
	within("difficulty of facts", mean("fact"), 0, .2)
	within("difficulty of translations", mean("translation"), 0, .3)
	for _, hard := range []string{"reasoning", "analysis", "debugging", "code"} {
		within("difficulty of "+hard, mean(hard), .55, 1)
	}
}
