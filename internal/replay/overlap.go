package replay

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// OverlapError says that logged decisions cannot say how a policy would do:
// what it would choose was not tried, or not often enough.
type OverlapError struct {
	What   string // what is missing
	Needed string // what would be needed
}

func (e *OverlapError) Error() string { return e.What + ". Needed: " + e.Needed }

// overlap counts what a policy chooses, and of that what was never tried.
type overlap struct {
	decisions     int
	chosen        map[string]int
	untriedModels map[string]int
}

// nothing stands for a choice where no model that may be chosen is a candidate.
const nothing = "none that may be chosen"

func (o *overlap) add(v *view, at int) {
	o.decisions++
	model := nothing
	if at >= 0 {
		model = v.options[at].model
		o.chosen[model]++
	}
	if at < 0 || v.options[at].logged == 0 {
		o.untriedModels[model]++
	}
}

func (o *overlap) untried() float64 {
	n := 0
	for _, count := range o.untriedModels {
		n += count
	}
	return float64(n) / float64(max(1, o.decisions))
}

// check refuses a policy that goes where the log never went.
func (o *overlap) check() error {
	if o.untried() <= mostUntried {
		return nil
	}
	models := slices.SortedFunc(maps.Keys(o.untriedModels), func(a, b string) int {
		return cmp.Or(cmp.Compare(o.untriedModels[b], o.untriedModels[a]), cmp.Compare(a, b))
	})
	var shares []string
	for _, m := range models[:min(3, len(models))] {
		shares = append(shares, fmt.Sprintf("%s %s", m, percent(float64(o.untriedModels[m])/float64(o.decisions))))
	}
	return &OverlapError{
		What: fmt.Sprintf("for %s of %d decisions the policy takes a model that had no chance of being planned there (%s)",
			percent(o.untried()), o.decisions, strings.Join(shares, ", ")),
		Needed: fmt.Sprintf("decisions of a strategy that tries every model out (at most %s may be without), or a policy that keeps to the models that were tried; decisions of strategies that explore nothing can be left out by naming the one that does",
			percent(mostUntried)),
	}
}

// thin refuses an estimate that rests on few decisions.
func thin(e Estimates, what string) error {
	if e.Effective >= leastEffective {
		return nil
	}
	more := "decisions that the policy would have taken too: there is none"
	if e.Effective > 0 {
		more = fmt.Sprintf("about %.0f such decisions, more exploration, or a policy nearer to the logged one",
			math.Ceil(float64(e.Decisions)*leastEffective/e.Effective))
	}
	return &OverlapError{
		What: fmt.Sprintf("the overlap is too thin: %d decisions with %s are worth %.0f under this policy, %d are the least (the largest weight is %.0f)",
			e.Decisions, what, e.Effective, leastEffective, e.LargestWeight),
		Needed: more,
	}
}

func percent(share float64) string {
	if share > 0 && share < 0.01 {
		return fmt.Sprintf("%.2g %%", 100*share)
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}
