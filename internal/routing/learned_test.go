package routing

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/prompt"
)

// asked is a request as the gateway makes one.
func asked(text string, chance float64) Request {
	var reader prompt.Reader
	f, words := reader.Read(text)
	return Request{Prompt: f, Words: slices.Clone(words), TokensIn: prompt.EstimateTokens(text), MaxTokens: 1000, Chance: chance}
}

const (
	proof = "Prove that there are infinitely many primes."
	menu  = "Translate the menu of the day to Spanish."
)

// examples are the few prompts that these tests' prior knows.
func examplePrior() *learning.Prior {
	var outcomes []learning.Outcome
	for i := range 40 {
		for _, text := range []string{proof, menu} {
			r := asked(fmt.Sprintf("%s %c", text, 'a'+i%26), 0)
			o := learning.Outcome{Example: learning.Example{Features: r.Prompt, Words: r.Words}, Small: 0.8, Large: 0.85}
			if text == proof {
				o.Small, o.Large = 0.3, 0.9
			}
			outcomes = append(outcomes, o)
		}
	}
	return learning.FitPrior(outcomes, learning.PriorRidge(), "a test")
}

// known is what a strategy goes by after n verdicts, by which the small model
// is good at proofs and bad at menus: the opposite of what the prior expects.
func known(t testing.TB, n int, lambda float64) Learned {
	t.Helper()
	l := Learned{Prior: examplePrior(), Model: learning.New(nil, learning.Assumed()), Explore: DefaultExploration()}
	r := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		id := []string{"small", "large"}[r.IntN(2)]
		text, quality := proof, 1.0
		if i%2 == 0 {
			text = menu
			if id == "small" {
				quality = 0
			}
		}
		ask := asked(text, 0)
		var v learning.Vector
		l.Prior.Vector(&v, &ask.Prompt, ask.Words)
		verdict := learning.Verdict{Vector: &v, Model: id, Quality: quality, Candidates: []string{"small", "large"}, Propensity: 0.5}
		plan, err := Hybrid{l}.Plan(ask, pair())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range plan.Choices {
			if c.Model.ID == id {
				verdict.Prior = c.Prior
			}
		}
		if err := l.Model.Learn(verdict); err != nil {
			t.Fatal(err)
		}
	}
	l.Model.Controller.Lambda = lambda
	return l
}

func pair() []Candidate {
	return []Candidate{model("large", llm.TierComplex, 25), model("small", llm.TierSimple, 1)}
}

func planned(t *testing.T, s Strategy, r Request, candidates []Candidate) Plan {
	t.Helper()
	plan, err := s.Plan(r, candidates)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestHybridIsTaught has verdicts turn round what the prior expects.
func TestHybridIsTaught(t *testing.T) {
	t.Parallel()
	const lambda = 25 // quality per dollar: the large model must gain 0.1 to 0.2
	fresh, taught := Hybrid{known(t, 0, lambda)}, Hybrid{known(t, 600, lambda)}
	for _, tt := range []struct {
		s    Strategy
		text string
		want string
	}{{fresh, proof, "large"}, {fresh, menu, "small"}, {taught, proof, "small"}, {taught, menu, "large"}, {Learning(taught), proof, "small"}, {Learning(taught), menu, "large"}} {
		plan := planned(t, tt.s, asked(tt.text, 0), pair())
		if got := plan.Choices[0].Model.ID; got != tt.want {
			t.Errorf("%s, %d verdicts: %q goes to %s, want %s\n%s", tt.s.Name(), taught.Model.Applied(), tt.text, got, tt.want, plan.Reason())
		}
	}
}

// TestPropensitiesAreExact draws many chances: what is planned comes as often
// as the plan says.
func TestPropensitiesAreExact(t *testing.T) {
	t.Parallel()
	candidates := append(pair(), model("medium", llm.TierModerate, 5))
	s := Hybrid{known(t, 30, 5)}
	const draws = 20_000
	drawn, stated := map[string]float64{}, map[string]float64{}
	for i := range draws {
		plan := planned(t, s, asked(proof, (float64(i)+0.5)/draws), candidates)
		drawn[plan.Choices[0].Model.ID] += 1.0 / draws
		total := 0.0
		for _, c := range plan.Choices {
			stated[c.Model.ID] = c.Probability
			total += c.Probability
		}
		if math.Abs(total-1) > 1e-12 {
			t.Fatalf("propensities add up to %v", total)
		}
	}
	for id, p := range stated {
		if math.Abs(drawn[id]-p) > 2.0/draws {
			t.Errorf("%s was planned in %.4f of all cases, its propensity is %.4f", id, drawn[id], p)
		}
		if _, floor := s.Explore.at(30); p < floor {
			t.Errorf("%s has a propensity of %v, under the floor", id, p)
		}
	}
}

// TestLearnedPlansAreSound checks what every plan of every strategy keeps,
// over prompts, prices and chances.
func TestLearnedPlansAreSound(t *testing.T) {
	t.Parallel()
	free := model("free", llm.TierSimple, 0)
	unknown := Candidate{Model: llm.Model{ID: "unknown", Tier: llm.TierComplex}, Price: pricing.Price{Unknown: true}}
	lists := [][]Candidate{
		pair(), {free}, {unknown}, {free, unknown}, append(pair(), free, unknown),
		{model("dear", "odd", math.MaxInt64/1_000_000_000), free},
	}
	texts := []string{"", "x", "😀😀😀", proof, strings.Repeat("aGVsbG8gd29ybGQ", 1000), strings.Repeat("word ", 40_000)}
	for _, n := range []int{0, 100} {
		for _, lambda := range []float64{0, 10, math.MaxFloat64} {
			l := known(t, n, lambda)
			for _, s := range []Strategy{Learning{l}, Hybrid{l}, Shipped{Prior: l.Prior, Lambda: lambda}} {
				for i, text := range texts {
					for _, candidates := range lists {
						checkLearned(t, s, asked(text, float64(i)/6), candidates)
					}
				}
			}
		}
	}
}

func checkLearned(t *testing.T, s Strategy, r Request, candidates []Candidate) {
	t.Helper()
	plan := planned(t, s, r, candidates)
	total := 0.0
	seen := map[string]bool{}
	for _, c := range plan.Choices {
		if !(c.Quality > 0 && c.Quality < 1) || !(c.Probability >= 0 && c.Probability <= 1) {
			t.Errorf("%s: %s has quality %v, propensity %v", s.Name(), c.Model.ID, c.Quality, c.Probability)
		}
		total += c.Probability
		seen[c.Model.ID] = true
	}
	if len(seen) != len(candidates) || math.Abs(total-1) > 1e-9 {
		t.Errorf("%s: %d choices of %d, propensities add up to %v", s.Name(), len(seen), len(candidates), total)
	}
	if plan.Choices[0].Probability <= 0 {
		t.Errorf("%s planned what it never chooses: %+v", s.Name(), plan.Choices[0])
	}
	if plan.Strategy != s.Name() || plan.Reason() == "" || plan.Confidence == "" {
		t.Errorf("%s: the plan says %q, %q, %q", s.Name(), plan.Strategy, plan.Confidence, plan.Reason())
	}
}

// TestChanceIsOptional plans the best where none is given, or one that is
// none.
func TestChanceIsOptional(t *testing.T) {
	t.Parallel()
	s := Hybrid{known(t, 0, 0)}
	for _, chance := range []float64{0, -1, 1, 2, math.NaN(), math.Inf(1)} {
		plan := planned(t, s, asked(proof, chance), pair())
		if plan.Choices[0].Model.ID != "large" {
			t.Errorf("at a chance of %v, %s is planned, want the best", chance, plan.Choices[0].Model.ID)
		}
	}
}

func TestLearnedStrategiesKeepToContextWindows(t *testing.T) {
	t.Parallel()
	l := known(t, 0, 0)
	for _, s := range []Strategy{Learning{l}, Hybrid{l}, Shipped{Prior: l.Prior}} {
		r := asked(proof, 0.99)
		r.TokensIn = 5000
		plan := planned(t, s, r, []Candidate{window(pair()[0], 4000), window(pair()[1], 8000)})
		if ids(plan) != "small" || plan.Choices[0].Probability != 1 {
			t.Errorf("%s plans %q for a prompt that only small can hold", s.Name(), ids(plan))
		}
		var tooSmall *ContextError
		if _, err := s.Plan(r, []Candidate{window(pair()[0], 4000)}); !errors.As(err, &tooSmall) {
			t.Errorf("%s: the error is %v, want a ContextError", s.Name(), err)
		}
		if _, err := s.Plan(r, nil); !errors.Is(err, ErrNoCandidate) {
			t.Errorf("%s: the error is %v, want ErrNoCandidate", s.Name(), err)
		}
	}
}

// TestUnknownPricesAreDearest holds a model of an unknown price against a
// known one that is expected to do as well.
func TestUnknownPricesAreDearest(t *testing.T) {
	t.Parallel()
	unknown := Candidate{Model: llm.Model{ID: "unknown", Tier: llm.TierComplex}, Price: pricing.Price{Unknown: true}}
	s := Hybrid{known(t, 0, 1)}
	if got := ids(planned(t, s, asked(proof, 0), append([]Candidate{unknown}, pair()...))); !strings.HasPrefix(got, "large unknown") {
		t.Errorf("planned %q, want the large model whose price is known, then the other", got)
	}
	if got := ids(planned(t, s, asked(proof, 0), []Candidate{unknown, model("free", llm.TierComplex, 0)})); got != "free unknown" {
		t.Errorf("planned %q, want the free one", got)
	}
}

func TestLearnedReason(t *testing.T) {
	t.Parallel()
	fresh, taught := known(t, 0, 25), known(t, 600, 25)
	taught.Explore, fresh.Explore = Exploration{}, Exploration{}
	tried := known(t, 0, 25)
	tests := []struct {
		name string
		s    Strategy
		ask  Request
		list []Candidate
		want []string
	}{
		{"cheap", Hybrid{fresh}, asked(menu, 0), pair(), []string{"Short routine language task: small is predicted to reach 0.", "of large's quality at 1/25 of its cost; no similar answer was rated yet."}},
		{"dear", Hybrid{fresh}, asked(proof, 0), pair(), []string{"Proof or derivation: large is predicted to reach ", "of small's quality at 25.0 times its cost"}},
		{"rated", Hybrid{taught}, asked(menu, 0), pair(), []string{"similar rated answers."}},
		{"one", Hybrid{fresh}, asked(menu, 0), pair()[:1], []string{"Short routine language task: large is the only model that can take it."}},
		{"tried", Hybrid{tried}, asked(menu, 0.9999), pair(), []string{"large is tried out (chance ", "predicted to reach 1."}},
	}
	for _, tt := range tests {
		plan := planned(t, tt.s, tt.ask, tt.list)
		for _, want := range tt.want {
			if !strings.Contains(plan.Reason(), want) {
				t.Errorf("%s: the reason is %q, want %q in it", tt.name, plan.Reason(), want)
			}
		}
	}
}

// TestControllerSteersHybrid closes the loop: plans, their view for the
// controller, λ, plans.
func TestControllerSteersHybrid(t *testing.T) {
	t.Parallel()
	s := Hybrid{known(t, 0, 0)}
	r := rand.New(rand.NewPCG(3, 3))
	texts := []string{proof, menu, "What is the capital of France?", "Compare the causes of both wars and justify your ranking.", "hi"}
	strong, n := 0.0, 6000
	for i := range n {
		plan := planned(t, s, asked(texts[r.IntN(len(texts))], r.Float64()), pair())
		d, ok := Decided(plan, "large")
		if !ok {
			t.Fatal("the plan says nothing of the price")
		}
		d.At = time.Unix(int64(i), 0)
		s.Model.Controller.Observe(learning.Goal{StrongShare: 0.3}, d)
		if i >= n/2 && plan.Choices[0].Model.ID == "large" {
			strong += 2 / float64(n)
		}
	}
	if math.Abs(strong-0.3) > 0.04 {
		t.Errorf("%.3f of the requests went to the large model, want 0.3", strong)
	}
	if _, ok := Decided(planned(t, s, asked(proof, 0), pair()), "nobody"); ok {
		t.Error("a plan without the baseline says something of the price")
	}
}

func BenchmarkHybrid(b *testing.B) {
	l := known(b, 100, 5)
	var ten []Candidate
	for i := range 10 {
		ten = append(ten, model(fmt.Sprint("model-", i), llm.Tiers()[i%3], int64(i+1)))
	}
	for i := range 10 {
		ask := asked(proof, 0)
		var v learning.Vector
		l.Prior.Vector(&v, &ask.Prompt, ask.Words)
		if err := l.Model.Learn(learning.Verdict{Vector: &v, Model: ten[i].Model.ID, Quality: 1, Prior: 0.5}); err != nil {
			b.Fatal(err)
		}
	}
	text := "A train travels 60 miles per hour for 2.5 hours, then twice as fast for 30 minutes. How far did it travel in total?"
	for name, candidates := range map[string][]Candidate{"2": pair(), "10": ten} {
		b.Run(name, func(b *testing.B) {
			var reader prompt.Reader
			room := make([]Choice, 0, len(candidates))
			b.ReportAllocs()
			for b.Loop() {
				f, words := reader.Read(text)
				r := Request{Prompt: f, Words: words, TokensIn: 30, MaxTokens: 1000, Chance: 0.4, Choices: room}
				if _, err := (Hybrid{l}).Plan(r, candidates); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A decision needs nothing from the heap, once its reader is warm and it has
// room for its choices.
func TestDecisionsAllocateNothing(t *testing.T) {
	l := known(t, 100, 5)
	candidates := pair()
	var reader prompt.Reader
	room := make([]Choice, 0, len(candidates))
	for _, s := range []Strategy{Complexity{}, Learning{l}, Hybrid{l}} {
		allocated := testing.AllocsPerRun(100, func() {
			f, words := reader.Read(proof)
			r := Request{Prompt: f, Words: words, TokensIn: 30, MaxTokens: 1000, Chance: 0.4, Choices: room}
			if _, err := s.Plan(r, candidates); err != nil {
				t.Fatal(err)
			}
		})
		if allocated > 0 {
			t.Errorf("%s allocates %v times", s.Name(), allocated)
		}
	}
}
