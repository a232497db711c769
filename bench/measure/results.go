package measure

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Results are the figures of a run.
type Results struct {
	Machine   *Machine             `json:"machine"`
	Started   time.Time            `json:"started"`
	Took      time.Duration        `json:"took_nanos"`
	LoadAfter string               `json:"load_after"` // as that of Machine
	Rounds    int                  `json:"rounds"`     // asked for
	Done      int                  `json:"rounds_done"`
	Scenarios []string             `json:"scenarios"`
	Failures  map[string]string    `json:"failures,omitempty"`
	Figures   map[string][]Figures `json:"figures"` // by scenario, then round; nil where it failed
}

// NewResults is for a run that begins now.
func NewResults(rounds int) *Results {
	return &Results{Rounds: rounds, Started: time.Now(), Figures: map[string][]Figures{}, Failures: map[string]string{}}
}

// Add notes what a scenario brought in a round.
func (r *Results) Add(scenario string, round int, f Figures) {
	if r.Figures[scenario] == nil {
		r.Figures[scenario] = make([]Figures, r.Rounds)
	}
	r.Figures[scenario][round] = f
}

// Of summarizes a figure of a scenario.
func (r *Results) Of(scenario, figure string) (Summary, bool) {
	var values []float64
	for _, f := range r.Figures[scenario] {
		if v, ok := f[figure]; ok {
			values = append(values, v)
		}
	}
	return Summarize(values)
}

// Ratio summarizes, over rounds, a figure of one scenario divided by that of
// the best of others in the same round.
func (r *Results) Ratio(figure, scenario string, others ...string) (Summary, bool) {
	var values []float64
	for round, f := range r.Figures[scenario] {
		best := 0.
		for _, other := range others {
			if of := r.Figures[other]; round < len(of) {
				best = max(best, of[round][figure])
			}
		}
		if v, ok := f[figure]; ok && best > 0 {
			values = append(values, v/best)
		}
	}
	return Summarize(values)
}

// Failure names the scenarios that failed.
func (r *Results) Failure() error {
	if len(r.Failures) == 0 {
		return nil
	}
	return fmt.Errorf("scenarios failed: %s", strings.Join(slices.Sorted(maps.Keys(r.Failures)), "; "))
}

// WriteFailures says which scenarios failed, and why.
func (r *Results) WriteFailures(b *strings.Builder) {
	for _, name := range r.Scenarios {
		if reason, failed := r.Failures[name]; failed {
			fmt.Fprintf(b, "\n**Failed:** %s: %s\n", name, reason)
		}
	}
}
