package measure

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Scenario is one thing to measure.
type Scenario struct {
	Name string
	Run  func(ctx context.Context, round int) (Figures, error)
}

// Turns are rounds in which every scenario has its turn, so that what disturbs
// the machine for a while disturbs all of them alike.
type Turns struct {
	Rounds   int
	Within   time.Duration // no round is begun that would probably end later
	Progress io.Writer
	Describe func(Figures) string // for progress
}

// Measure goes on where a scenario fails, and notes why.
func (t Turns) Measure(ctx context.Context, scenarios []Scenario) *Results {
	r := NewResults(t.Rounds)
	defer func() { r.Took, r.LoadAfter = time.Since(r.Started), Load() }()
	for _, s := range scenarios {
		r.Scenarios = append(r.Scenarios, s.Name)
	}
	for round := range t.Rounds {
		if each := time.Since(r.Started) / time.Duration(max(round, 1)); round > 0 && time.Since(r.Started)+each > t.Within {
			fmt.Fprintf(t.Progress, "ends after %d rounds: another one would go past %s\n", round, t.Within)
			break
		}
		r.Done = round + 1
		for _, s := range scenarios {
			if ctx.Err() != nil {
				return r
			}
			fmt.Fprintf(t.Progress, "round %d/%d  %-42s", round+1, t.Rounds, s.Name)
			f, err := s.Run(ctx, round)
			if err != nil {
				r.Failures[s.Name] = err.Error()
				fmt.Fprintf(t.Progress, " FAILED: %v\n", err)
				continue
			}
			r.Add(s.Name, round, f)
			fmt.Fprintln(t.Progress, " ", t.Describe(f))
		}
	}
	return r
}
