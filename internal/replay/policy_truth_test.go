package replay

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/routing"
)

// served has a strategy that serves decide rows, with its exploration, and
// logs what it decided as the fact does.
func served(t *testing.T, s routing.Strategy, rows []Row, seed uint64) Log {
	t.Helper()
	items := ready(rows, []string{"strong", "weak"})
	f := newField([]string{"strong", "weak"}, items)
	return logOf(t, s, &f, items, seed)
}

func logOf(t *testing.T, s routing.Strategy, f *field, items []item, seed uint64) Log {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 21))
	var lines strings.Builder
	for i := range items {
		plan, err := s.Plan(items[i].request(r.Float64()), f.candidates)
		if err != nil {
			t.Fatal(err)
		}
		planned := plan.Choices[0]
		outcome := items[i].results[f.index(planned.Model.ID)]
		d := Decision{ID: items[i].row.ID, UserID: fmt.Sprint("user", i%97), Strategy: s.Name(), PlannedModel: planned.Model.ID, Propensity: planned.Probability,
			Complexity: plan.Complexity, BaselineModel: f.names[f.strong], Model: planned.Model.ID, Status: "ok", Cache: "miss",
			TokensIn: 100, TokensOut: 50, CostNanos: int64(math.Round(outcome.Cost * 1e9)), Quality: &outcome.Quality}
		for _, c := range plan.Choices {
			d.Candidates = append(d.Candidates, LoggedCandidate{Model: c.Model.ID, Quality: c.Quality, Prior: &c.Prior,
				CostNanos: int64(c.Cost), Probability: c.Probability})
		}
		line, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	l, err := ReadLog(strings.NewReader(lines.String()), "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// knowing is the hybrid after it has learned from other rows.
func knowing(t *testing.T) routing.Hybrid {
	t.Helper()
	rows := synthetic(2000, 8)
	items := ready(rows, []string{"strong", "weak"})
	f := newField([]string{"strong", "weak"}, items)
	s := newStream(options(t, Hybrid), &f, 1)
	for i := range items {
		if err := s.serve(&items[i]); err != nil {
			t.Fatal(err)
		}
	}
	tries := routing.Exploration{Width: 0.1, FloorStart: 0.05, FloorEnd: 0.05} // enough for what any target asks of few decisions
	return routing.Hybrid{Learned: routing.Learned{Prior: shipped(t), Model: s.model, Explore: tries}}
}

func value[T any](x T) *T { return &x }

// TestPolicyAgainstTheTruth evaluates targets on the decisions of the hybrid,
// and holds the estimates against what the targets get on the same rows, of
// which every outcome is known.
func TestPolicyAgainstTheTruth(t *testing.T) {
	t.Parallel()
	targets := map[string]Target{
		"half to the strong":     {Strategy: Logged, StrongShare: value(0.5)},
		"the prior at a price":   {Strategy: Prior, StrongShare: value(0.4)},
		"nearly all its quality": {Strategy: Logged, QualityTarget: value(0.9)},
		"only one":               {Strategy: Logged, Lambda: value(0.0), Models: []string{"weak"}},
	}
	const runs = 12
	covered := map[string]int{}
	hybrid := knowing(t)
	for seed := range uint64(runs) {
		rows := synthetic(2000, 100+seed)
		l := served(t, hybrid, rows, seed)
		for name, target := range targets {
			r, err := EvaluatePolicy(l, target, PolicyOptions{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			truth := truthOf(t, l, target, *r.Lambda, rows)
			if within(r.Cost.DoublyRobust, truth.cost) && within(r.Quality.DoublyRobust, truth.quality) {
				covered[name]++
			}
		}
	}
	for name := range targets {
		if covered[name] < runs-3 { // both intervals, at 95 %
			t.Errorf("%s: only %d of %d estimates of cost and quality cover the truth", name, covered[name], runs)
		}
	}
}

// TestPolicyOnRouteLLM is the same on recorded outcomes of real models, which
// the directory BUSU_ROUTING_DATA holds: the hybrid learns from a third of the
// requests and decides the rest. Without it there is nothing to check.
func TestPolicyOnRouteLLM(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("BUSU_ROUTING_DATA")
	if dir == "" {
		return
	}
	rows := routeLLM(t, dir)
	rand.New(rand.NewPCG(1, 22)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	names, err := modelsOf(rows)
	if err != nil {
		t.Fatal(err)
	}
	items := ready(rows, names)
	f := newField(names, items)
	s := newStream(options(t, Hybrid), &f, 1)
	learned := len(items) / 3
	for i := range items[:learned] {
		if err := s.serve(&items[i]); err != nil {
			t.Fatal(err)
		}
	}
	hybrid := routing.Hybrid{Learned: routing.Learned{Prior: shipped(t), Model: s.model, Explore: routing.DefaultExploration()}}
	const runs = 10
	logs := make([]Log, runs)
	for seed := range logs {
		logs[seed] = logOf(t, hybrid, &f, items[learned:], uint64(seed))
	}
	for _, share := range []float64{0.2, 0.35, 0.5, 0.7} {
		covered, off, half := 0, 0.0, 0.0
		for _, l := range logs {
			target := Target{Strategy: Logged, StrongShare: &share}
			r, err := EvaluatePolicy(l, target, PolicyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			truth := truthOf(t, l, target, *r.Lambda, rows[learned:])
			q := r.Quality.DoublyRobust
			off += math.Abs(q.Estimate-truth.quality) / runs
			half += (q.High - q.Low) / 2 / runs
			if within(q, truth.quality) && within(r.Cost.DoublyRobust, truth.cost) {
				covered++
			}
		}
		t.Logf("%.2f to the strong model: quality off by %.4f in the mean, intervals of ± %.4f; %d of %d cover quality and cost", share, off, half, covered, runs)
		if covered < runs-3 {
			t.Errorf("%.2f to the strong model: only %d of %d estimates cover the truth", share, covered, runs)
		}
	}
}

func within(i Interval, x float64) bool { return i.Low-1e-12 <= x && x <= i.High+1e-12 }

func truthOf(t *testing.T, l Log, target Target, lambda float64, rows []Row) (p point) {
	t.Helper()
	for i := range l.Decisions {
		v, err := target.view(&l.Decisions[i])
		if err != nil {
			t.Fatal(err)
		}
		o := rows[i].Outcomes[v.options[v.best(lambda)].model]
		p.cost += o.Cost / float64(len(rows))
		p.quality += o.Quality / float64(len(rows))
	}
	return p
}
