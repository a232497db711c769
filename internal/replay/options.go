package replay

import (
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/learning"
)

// Names of what can be evaluated, of what feedback tells, and of who chooses
// while a strategy learns.
const (
	Complexity = "complexity"
	Prior      = "prior"
	Learning   = "learning"
	Hybrid     = "hybrid"

	Full   = "full"   // every model's answer is judged
	Bandit = "bandit" // only the chosen model's

	Uniform = "uniform" // a coin chooses
	Own     = "own"     // the strategy chooses, with its exploration
)

// Options say what is evaluated and how it learns.
type Options struct {
	Strategy    string
	Feedback    string
	Logging     string
	StrongShare float64 // target of strategies that choose themselves, 0 … 1
	Rate        float64 // share of requests with feedback, 0 … 1
	LabelNoise  float64 // share of verdicts turned round, 0 … 1
	Shadow      float64 // share of requests with a second model's answer, and verdicts on both, 0 … 1
	TrainSize   int     // rows to learn from at most; 0: all
	Checkpoints []int   // numbers of requests after which to score, besides the end
	Folds       int     // 0: none
	Seed        uint64  // of the order of requests, of chance and of noise

	Shipped  *learning.Prior
	Now      func() time.Time      // measures decisions; nil: they are not measured
	Progress func(done, total int) // of requests replayed; may be nil
}

// Learns reports whether the strategy must be trained.
func (o Options) Learns() bool { return o.Strategy == Learning || o.Strategy == Hybrid }

// Validate names the first mistake.
func (o Options) Validate() error {
	for _, c := range []struct {
		name, value string
		known       []string
	}{
		{"strategy", o.Strategy, []string{Complexity, Prior, Learning, Hybrid}},
		{"feedback", o.Feedback, []string{Full, Bandit}},
		{"logging", o.Logging, []string{Uniform, Own}},
	} {
		if !slices.Contains(c.known, c.value) {
			return fmt.Errorf("%s %q is none of %v", c.name, c.value, c.known)
		}
	}
	for _, c := range []struct {
		name  string
		value float64
	}{{"strong-share", o.StrongShare}, {"rate", o.Rate}, {"label-noise", o.LabelNoise}, {"shadow", o.Shadow}} {
		if !(c.value >= 0 && c.value <= 1) {
			return fmt.Errorf("%s %v is not in 0 … 1", c.name, c.value)
		}
	}
	if o.Shadow > 0 && (o.Logging != Own || o.Feedback != Bandit) {
		return fmt.Errorf("shadow %v: a second model is asked beside the one that the strategy chose, and judged: use logging own and feedback bandit", o.Shadow)
	}
	if o.Folds == 1 || o.Folds < 0 || o.TrainSize < 0 {
		return fmt.Errorf("folds must be 2 or more, and train-size 1 or more")
	}
	for _, n := range o.Checkpoints {
		if n < 1 {
			return fmt.Errorf("checkpoint %d: it must be 1 or more", n)
		}
	}
	return nil
}
