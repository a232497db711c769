package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// results are all figures of a run.
type results struct {
	Machine     *machine          `json:"machine"`
	Started     time.Time         `json:"started"`
	Took        time.Duration     `json:"took_nanos"`
	Events      int               `json:"events"`
	EventBytes  int               `json:"event_bytes"`
	Rounds      int               `json:"rounds"` // asked for
	Done        int               `json:"rounds_done"`
	AppendFsync string            `json:"appendfsync"`
	Scenarios   []string          `json:"scenarios"`
	Failures    map[string]string `json:"failures,omitempty"`

	figures map[string][]figures // by scenario, then round; nil where it failed
}

func (r *results) add(scenario string, round int, f figures) {
	if r.figures[scenario] == nil {
		r.figures[scenario] = make([]figures, r.Rounds)
	}
	r.figures[scenario][round] = f
}

// of summarizes a figure of a scenario.
func (r *results) of(scenario, figure string) (summary, bool) {
	var values []float64
	for _, f := range r.figures[scenario] {
		if v, ok := f[figure]; ok {
			values = append(values, v)
		}
	}
	return summarize(values)
}

// ratio summarizes, over rounds, a figure of one scenario divided by that of
// the best of others in the same round.
func (r *results) ratio(figure, scenario string, others ...string) (summary, bool) {
	var values []float64
	for round, f := range r.figures[scenario] {
		best := 0.
		for _, other := range others {
			if of := r.figures[other]; round < len(of) {
				best = max(best, of[round][figure])
			}
		}
		if v, ok := f[figure]; ok && best > 0 {
			values = append(values, v/best)
		}
	}
	return summarize(values)
}

// failure names the scenarios that failed.
func (r *results) failure() error {
	if len(r.Failures) == 0 {
		return nil
	}
	return fmt.Errorf("scenarios failed: %s", strings.Join(slices.Sorted(maps.Keys(r.Failures)), "; "))
}

// write puts the report and the figures where they are wanted.
func (r *results) write(o Options) error {
	if o.JSON != "" {
		type all struct {
			*results
			Figures map[string][]figures `json:"figures"`
		}
		text, err := json.MarshalIndent(all{r, r.figures}, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.Report == "" {
		_, err := os.Stdout.WriteString(r.report())
		return err
	}
	return os.WriteFile(o.Report, []byte(r.report()), 0o644)
}
