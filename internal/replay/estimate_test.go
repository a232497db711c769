package replay

import (
	"math"
	"math/rand/v2"
	"testing"
)

// world is a simulated one in which everything is known: kinds of prompts, how
// good each model is at them, how likely the logging policy is to take it, and
// what the target takes.
type world struct {
	truth, logging [][]float64 // by kind and model
	target         []int       // by kind
	predicted      [][]float64
	users          int // 0: every decision is of another user
}

const kinds, models = 40, 3

// newWorld is one where predictions miss the truth by error.
func newWorld(seed uint64, err float64) world {
	r := rand.New(rand.NewPCG(seed, 11))
	w := world{}
	for range kinds {
		truth, logging, predicted := make([]float64, models), make([]float64, models), make([]float64, models)
		sum := 0.0
		for m := range models {
			truth[m] = 0.1 + 0.8*r.Float64()
			predicted[m] = truth[m] + err*(r.Float64()-0.2)
			logging[m] = 0.05 + r.Float64()
			sum += logging[m]
		}
		for m := range models {
			logging[m] /= sum
		}
		w.truth, w.logging, w.predicted = append(w.truth, truth), append(w.logging, logging), append(w.predicted, predicted)
		w.target = append(w.target, r.IntN(models))
	}
	return w
}

// value is what the target truly gets.
func (w world) value() (v float64) {
	for k, m := range w.target {
		v += w.truth[k][m] / kinds
	}
	return v
}

// log draws n decisions. Where there are users, each has a mood that lifts or
// lowers all of its verdicts.
func (w world) log(r *rand.Rand, n int) []Weighed {
	rows := make([]Weighed, n)
	moods := make([]float64, w.users)
	for i := range moods {
		moods[i] = 0.2 * (r.Float64() - 0.5)
	}
	for i := range rows {
		k, m := r.IntN(kinds), 0
		for chance := r.Float64(); m < models-1 && chance >= w.logging[k][m]; m++ {
			chance -= w.logging[k][m]
		}
		p, unit := w.truth[k][m], i
		if w.users > 0 {
			unit = r.IntN(w.users)
			p += moods[unit]
		}
		rows[i] = Weighed{Predicted: w.predicted[k][m], Expected: w.predicted[k][w.target[k]], Unit: unit}
		if r.Float64() < p {
			rows[i].Outcome = 1
		}
		if m == w.target[k] {
			rows[i].Weight = 1 / w.logging[k][m]
		}
	}
	return rows
}

// tally follows an estimate over many logs.
type tally struct{ n, sum, squares, covered float64 }

func (t *tally) add(i Interval, truth float64) {
	off := i.Estimate - truth
	t.n, t.sum, t.squares = t.n+1, t.sum+off, t.squares+off*off
	if i.Low <= truth && truth <= i.High {
		t.covered++
	}
}

func (t tally) bias() (bias, stderr float64) {
	bias = t.sum / t.n
	return bias, math.Sqrt((t.squares/t.n - bias*bias) / t.n)
}

func (t tally) coverage() float64 { return t.covered / t.n }

func (w world) simulate(seed uint64, logs, n int) (ips, normalised, robust tally) {
	r := rand.New(rand.NewPCG(seed, 12))
	truth := w.value()
	for range logs {
		e := Estimate(w.log(r, n))
		ips.add(e.IPS, truth)
		normalised.add(e.SelfNormalised, truth)
		robust.add(e.DoublyRobust, truth)
	}
	return ips, normalised, robust
}

// TestEstimatesAreUnbiased, whatever the predictions are worth.
func TestEstimatesAreUnbiased(t *testing.T) {
	t.Parallel()
	for _, miss := range []float64{0, 0.3, 3} {
		w := newWorld(1, miss)
		ips, _, robust := w.simulate(2, 1500, 300)
		for name, tally := range map[string]tally{"inverse propensity": ips, "doubly robust": robust} {
			if bias, stderr := tally.bias(); math.Abs(bias) > 4*stderr {
				t.Errorf("predictions off by %v, %s: biased by %.4f ± %.4f", miss, name, bias, stderr)
			}
		}
	}
}

// TestIntervalsCover holds the intervals of 95 % against the truth.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seed  uint64
		miss  float64
		users int
	}{{1, 0, 0}, {2, 0.3, 0}, {3, 3, 0}, {4, 0.3, 200}} {
		w := newWorld(tt.seed, tt.miss)
		w.users = tt.users
		ips, normalised, robust := w.simulate(tt.seed, 1000, 600)
		for name, tally := range map[string]tally{"inverse propensity": ips, "self-normalised": normalised, "doubly robust": robust} {
			if c := tally.coverage(); c < 0.93 || c > 0.97 {
				t.Errorf("predictions off by %v, %d users, %s: intervals of 95 %% cover %.3f", tt.miss, tt.users, name, c)
			}
		}
	}
}

// TestUsersAreUnits has few users with many decisions each: who takes these
// for independent is too sure.
func TestUsersAreUnits(t *testing.T) {
	t.Parallel()
	w := newWorld(5, 0)
	w.users = 40
	var naive, clustered tally
	r := rand.New(rand.NewPCG(5, 13))
	for range 200 {
		rows := w.log(r, 12000)
		clustered.add(Estimate(rows).DoublyRobust, w.value())
		for i := range rows {
			rows[i].Unit = i
		}
		naive.add(Estimate(rows).DoublyRobust, w.value())
	}
	if clustered.coverage() < 0.92 || naive.coverage() > 0.9 {
		t.Errorf("intervals over users cover %.3f, want 0.95; over requests %.3f, want less", clustered.coverage(), naive.coverage())
	}
}

// TestGoodPredictionsHelp: the doubly robust estimate varies less than that by
// inverse propensity where predictions are good.
func TestGoodPredictionsHelp(t *testing.T) {
	t.Parallel()
	ips, _, robust := newWorld(1, 0).simulate(3, 1000, 300)
	if robust.squares > 0.6*ips.squares {
		t.Errorf("squared error %.5f with good predictions, %.5f without any", robust.squares/robust.n, ips.squares/ips.n)
	}
}

// TestTheLoggedPolicyIsItself: where the target takes what was taken, each
// estimate is the plain mean, and the difference is none.
func TestTheLoggedPolicyIsItself(t *testing.T) {
	t.Parallel()
	rows := newWorld(1, 0.3).log(rand.New(rand.NewPCG(1, 1)), 500)
	mean := 0.0
	for i := range rows {
		rows[i].Weight, rows[i].Expected = 1, rows[i].Predicted
		mean += rows[i].Outcome / 500
	}
	e := Estimate(rows)
	for name, got := range map[string]float64{"ips": e.IPS.Estimate, "normalised": e.SelfNormalised.Estimate, "robust": e.DoublyRobust.Estimate,
		"difference": mean + e.Difference.Estimate, "effective": mean + e.Effective - 500, "weight": mean + e.MeanWeight.High - 1} {
		if math.Abs(got-mean) > 1e-9 {
			t.Errorf("%s: off by %v", name, got-mean)
		}
	}
}

func TestEstimateOfNothing(t *testing.T) {
	t.Parallel()
	if e := Estimate(nil); e != (Estimates{}) {
		t.Errorf("of nothing: %+v", e)
	}
	one := Estimate([]Weighed{{Weight: 1, Outcome: 1}})
	if !math.IsInf(one.DoublyRobust.High, 1) {
		t.Errorf("one decision is taken to say something: %+v", one.DoublyRobust)
	}
	never := Estimate([]Weighed{{Outcome: 1}, {Outcome: 0, Unit: 1}})
	if never.Effective != 0 || never.SelfNormalised != (Interval{}) {
		t.Errorf("without overlap: %+v", never)
	}
}
