package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/learning"
)

const hardSubject = "gravel on the driveway"

// synthetic rows are about one of two things: the strong model is much better
// at the first, and no better at the second. The prior cannot know which.
func synthetic(n int, seed uint64) []Row {
	r := rand.New(rand.NewPCG(seed, 9))
	coin := func(p float64) float64 {
		if r.Float64() < p {
			return 1
		}
		return 0
	}
	rows := make([]Row, n)
	for i := range rows {
		subject, weak, strong := hardSubject, 0.3, 0.9
		if r.IntN(2) == 0 {
			subject, weak, strong = "herring in the harbour", 0.8, 0.8
		}
		rows[i] = Row{ID: fmt.Sprint(seed, "-", i), Dataset: fmt.Sprint("set", i%2), Domain: "d",
			Prompt: fmt.Sprintf("Tell about %s %c%c", subject, 'a'+r.IntN(26), 'a'+r.IntN(26)),
			Outcomes: map[string]Result{
				"strong": {Quality: coin(strong), Cost: 0.01}, "weak": {Quality: coin(weak), Cost: 0.0001},
			}}
	}
	return rows
}

func shipped(t testing.TB) *learning.Prior {
	t.Helper()
	p, err := learning.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func options(t testing.TB, strategy string) Options {
	return Options{Strategy: strategy, Feedback: Bandit, Logging: Own, StrongShare: 0.35, Rate: 1, Shipped: shipped(t)}
}

func evaluated(t *testing.T, data, train []Row, o Options) []Report {
	t.Helper()
	reports, err := Evaluate(context.Background(), data, train, o)
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

// TestLearnsFromReplay has the strategies that learn find out what the prior
// cannot know, and reach the best order there is.
func TestLearnsFromReplay(t *testing.T) {
	t.Parallel()
	best := oracle(synthetic(600, 1))
	for _, strategy := range []string{Learning, Hybrid} {
		for _, logging := range []string{Uniform, Own} {
			for _, feedback := range []string{Full, Bandit} {
				o := options(t, strategy)
				o.Logging, o.Feedback, o.Checkpoints = logging, feedback, []int{50, 5000}
				reports := evaluated(t, synthetic(600, 1), synthetic(3000, 2), o)
				if len(reports) != 2 || reports[0].Trained != 50 || reports[1].Trained != 3000 {
					t.Fatalf("%d reports, want one after 50 requests and one at the end, 3000", len(reports))
				}
				last := reports[1]
				if last.APGR < best-0.05 || last.DiffToPrior.Low <= 0 {
					t.Errorf("%s, %s, %s: APGR %.3f, %+.3f to the prior, from %.3f; the best is %.3f", strategy, logging, feedback, last.APGR, last.DiffToPrior.Estimate, last.DiffToPrior.Low, best)
				}
				if logging == Own && math.Abs(*last.OnlineStrongShare-0.35) > 0.05 {
					t.Errorf("%s: %.3f went to the strong model, want 0.35", strategy, *last.OnlineStrongShare)
				}
			}
		}
	}
}

// oracle is the APGR of who knows what the rows are about.
func oracle(rows []Row) float64 {
	var known []scored
	for _, it := range ready(rows, []string{"strong", "weak"}) {
		lead := 0.0
		if strings.Contains(it.row.Prompt, hardSubject) {
			lead = 1
		}
		known = append(known, scored{quality: []float64{lead, 0}, truth: it.results})
	}
	f := field{strong: 0, weak: 1}
	return newCurve(known, &f, order(known, &f, 1)).area()
}

// TestBearsNoise turns a fifth of the verdicts round.
func TestBearsNoise(t *testing.T) {
	t.Parallel()
	o := options(t, Hybrid)
	o.LabelNoise, o.Logging = 0.2, Uniform
	last := evaluated(t, synthetic(600, 1), synthetic(2000, 2), o)[0]
	if last.DiffToPrior.High < 0 {
		t.Errorf("with noise it learned to do worse than the prior: %+v", last.DiffToPrior)
	}
}

// TestBelievesWhatItIsTold turns every verdict round: then it learns the
// opposite of the truth. With no feedback at all, or little of it, it learns
// nothing, or less.
func TestBelievesWhatItIsTold(t *testing.T) {
	t.Parallel()
	trained := func(change func(*Options)) Report {
		o := options(t, Learning)
		o.Logging = Uniform
		change(&o)
		return evaluated(t, synthetic(600, 1), synthetic(2000, 2), o)[0]
	}
	told := trained(func(*Options) {})
	if lied := trained(func(o *Options) { o.LabelNoise = 1 }); lied.APGR > 1-told.APGR+0.05 {
		t.Errorf("APGR %.3f from the truth, %.3f from its opposite", told.APGR, lied.APGR)
	}
	if alone := trained(func(o *Options) { o.Rate = 0 }); math.Abs(alone.APGR-0.5) > 0.06 {
		t.Errorf("APGR %.3f without feedback, want chance", alone.APGR)
	}
	if short := trained(func(o *Options) { o.TrainSize = 5 }); short.Trained != 5 || *short.OnlineStrongShare == *told.OnlineStrongShare {
		t.Errorf("%d rows were learned from, want 5", short.Trained)
	}
}

// TestFoldsAreApart trains on the others only: what tells rows apart for
// certain must not help.
func TestFoldsAreApart(t *testing.T) {
	t.Parallel()
	rows := synthetic(500, 3)
	s := splits(ready(rows, []string{"strong", "weak"}), nil, 5)
	seen := map[string]int{}
	for k := range s {
		tested := map[string]bool{}
		for _, it := range s[k].test {
			tested[it.row.ID] = true
			seen[it.row.ID]++
		}
		for _, it := range s[k].train {
			if tested[it.row.ID] {
				t.Errorf("fold %d learns from %s, which it is tested on", k, it.row.ID)
			}
		}
		if len(s[k].test) < 60 || len(s[k].test)+len(s[k].train) != len(rows) {
			t.Errorf("fold %d has %d and %d rows", k, len(s[k].test), len(s[k].train))
		}
	}
	for _, r := range rows {
		if seen[r.ID] != 1 {
			t.Errorf("%s is tested %d times", r.ID, seen[r.ID])
		}
	}
}

// TestDeterministic repeats a seed, and changes it.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		o := options(t, Hybrid)
		o.Folds, o.Seed, o.Rate, o.LabelNoise, o.Checkpoints = 3, seed, 0.8, 0.1, []int{100}
		text, err := json.Marshal(evaluated(t, synthetic(400, 1), nil, o))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := run(1)
	if again := run(1); again != first {
		t.Error("one seed gives two results")
	}
	if run(2) == first {
		t.Error("two seeds give one result")
	}
}

// TestFixedPolicies holds what needs no strategy against sums by hand.
func TestFixedPolicies(t *testing.T) {
	t.Parallel()
	rows := synthetic(400, 4)
	var strong, weak float64
	for _, r := range rows {
		strong += r.Outcomes["strong"].Quality / 400
		weak += r.Outcomes["weak"].Quality / 400
	}
	f := evaluated(t, rows, nil, options(t, Complexity))[0].Fixed
	if math.Abs(f.Baseline.Quality-strong) > 1e-9 || math.Abs(f.Cheapest.Quality-weak) > 1e-9 {
		t.Errorf("baseline %.4f, cheapest %.4f, want %.4f, %.4f", f.Baseline.Quality, f.Cheapest.Quality, strong, weak)
	}
	if math.Abs(f.Mix.Quality-(weak+0.35*(strong-weak))) > 1e-6 || f.Mix.Cost != f.Policy.Cost {
		t.Errorf("the mix is %+v beside %+v", f.Mix, f.Policy)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	rows := synthetic(20, 1)
	other := synthetic(1, 2)
	delete(other[0].Outcomes, "weak")
	other[0].Outcomes["third"] = Result{}
	for name, tt := range map[string]struct {
		change      func(*Options)
		data, train []Row
	}{
		"nothing to learn from":  {func(*Options) {}, rows, nil},
		"both":                   {func(o *Options) { o.Folds = 5 }, rows, rows},
		"an unknown strategy":    {func(o *Options) { o.Strategy = "best" }, rows, rows},
		"unknown feedback":       {func(o *Options) { o.Feedback = "" }, rows, rows},
		"unknown logging":        {func(o *Options) { o.Logging = "mine" }, rows, rows},
		"a rate above 1":         {func(o *Options) { o.Rate = 1.5 }, rows, rows},
		"noise that is a NaN":    {func(o *Options) { o.LabelNoise = math.NaN() }, rows, rows},
		"one fold":               {func(o *Options) { o.Folds = 1 }, rows, nil},
		"a checkpoint before":    {func(o *Options) { o.Checkpoints = []int{0} }, rows, rows},
		"no rows":                {func(*Options) {}, nil, rows},
		"rows of several fields": {func(*Options) {}, rows, other},
	} {
		o := options(t, Hybrid)
		tt.change(&o)
		if _, err := Evaluate(context.Background(), tt.data, tt.train, o); err == nil {
			t.Errorf("%s: there is no error", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := options(t, Hybrid)
	o.Folds = 2
	if _, err := Evaluate(ctx, rows, nil, o); err == nil {
		t.Error("it goes on when nobody waits any more")
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	good := `{"id":"a","dataset":"d","prompt":"p","outcomes":{"m":{"quality":1,"cost":0.1},"n":{"quality":0,"cost":0}}}`
	if rows, err := Read(strings.NewReader(good + "\n" + good + "\n")); err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for _, bad := range []string{
		`{`, `{}`, strings.Replace(good, `"quality":1`, `"quality":1.5`, 1), strings.Replace(good, `"cost":0.1`, `"cost":-1`, 1),
		strings.Replace(good, `"prompt":"p"`, `"prompt":""`, 1), strings.Replace(good, `,"n":{"quality":0,"cost":0}`, ``, 1),
	} {
		if _, err := Read(strings.NewReader(good + "\n" + bad)); err == nil || !strings.Contains(err.Error(), "row 2") {
			t.Errorf("%s: the error is %v, want one that names row 2", bad, err)
		}
	}
}

// TestPriorIsNotFittedOnRouteLLM has the fit refuse other models' rows, and
// leave out what repeats test questions.
func TestPriorIsNotFittedOnRouteLLM(t *testing.T) {
	t.Parallel()
	if _, err := FitPrior(synthetic(10, 1), "x"); err == nil {
		t.Error("rows of other models are fitted")
	}
	rows := synthetic(10, 1)
	for i := range rows {
		rows[i].Outcomes = map[string]Result{}
		for _, m := range append(append([]string{}, smallModels...), largeModels...) {
			rows[i].Outcomes[m] = Result{Quality: 0.5}
		}
		rows[i].Overlap = i < 4
	}
	p, err := FitPrior(rows, "x")
	if err != nil || !strings.Contains(p.Source, "6 of 10 rows") {
		t.Errorf("fitted on %v (%v), want 6 of 10 rows", p, err)
	}
	for i := range rows {
		rows[i].Overlap = true
	}
	if _, err := FitPrior(rows, "x"); err == nil {
		t.Error("a prior is fitted on nothing")
	}
}

// TestOnRouteLLM scores the shipped prior on RouteLLM's recorded outcomes,
// which the directory BUSU_ROUTING_DATA holds. Without it there is nothing to
// check: the outcomes are not part of the repository.
func TestOnRouteLLM(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("BUSU_ROUTING_DATA")
	if dir == "" {
		return
	}
	rows := routeLLM(t, dir)
	for strategy, want := range map[string]float64{Complexity: 0.58, Prior: 0.595} {
		if got := evaluated(t, rows, nil, options(t, strategy))[0].APGR; got < want {
			t.Errorf("%s: APGR %.4f, want %.3f", strategy, got, want)
		}
	}
}

func routeLLM(t *testing.T, dir string) (rows []Row) {
	t.Helper()
	for _, set := range []string{"mmlu", "gsm8k", "mtbench"} {
		file, err := os.Open(filepath.Join(dir, "routellm_"+set+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		more, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, more...)
	}
	return rows
}
