package demo

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/provider/simulated"
)

// Report is what a drive has seen.
type Report struct {
	BaseURL     string
	Requested   int
	Answered    int
	Failed      int
	Took        time.Duration
	Keyed       bool   // a key was sent
	Interrupted bool   // not all requests were made
	FirstFault  string // what the first failure said

	RequestIDs []string // of the answered requests, in the order of the answers

	Statuses   map[string]int // HTTP status, "unreachable" or "malformed" → requests
	Models     map[string]Group
	Strategies map[string]Group
	Kinds      map[string]Group
	Caches     map[string]Group

	CutOff    int // answers that ended at max_tokens
	FellBack  int // answers that another model than the planned one gave
	Degraded  int // answers given without something that was away
	All       Group
	Latencies Percentiles
	Always    map[string]int // simulated model → how many of the rated prompts it answers well
	Feedback  Feedback
	Live      Live
}

// Group adds up the answers that have something in common.
type Group struct {
	Requests int
	Cost     pricing.Nanos
	Baseline pricing.Nanos
	Rated    int // answers whose quality the simulator knows
	Good     int // of these, answered well
}

// Savings is what was not spent, compared with the baseline model.
func (g Group) Savings() pricing.Nanos { return g.Baseline - g.Cost }

// Percentiles of what the client waited for its answers, failures left out.
type Percentiles struct{ P50, P95, P99 time.Duration }

// tally collects outcomes into a report. One goroutine uses it.
type tally struct {
	seen      Report
	truth     *simulated.Provider
	latencies []time.Duration
	last      time.Time // answer
}

func newTally(o Options) *tally {
	return &tally{
		truth: simulated.New(simulated.Options{Seed: o.TruthSeed}),
		seen: Report{
			BaseURL:    o.BaseURL,
			Keyed:      o.APIKey != "",
			Requested:  o.Requests,
			Statuses:   map[string]int{},
			Models:     map[string]Group{},
			Strategies: map[string]Group{},
			Kinds:      map[string]Group{},
			Caches:     map[string]Group{},
			Always:     map[string]int{},
		},
	}
}

func (t *tally) done() int { return t.seen.Answered + t.seen.Failed }

// recorded is how many of the requests were recorded: also those that no model
// answered.
func (t *tally) recorded() int64 {
	return int64(t.seen.Answered + t.seen.Statuses[strconv.Itoa(http.StatusBadGateway)])
}

// hopeless tells, as long as nothing has been answered, what makes going on
// pointless. Later the same failures are only counted: servers restart.
func (t *tally) hopeless(out outcome) error {
	if t.seen.Answered > 0 {
		return nil
	}
	switch {
	case out.status == 0:
		return fmt.Errorf("nothing answers at %s; start it with `make run` or `busu up`: %w", t.seen.BaseURL, out.err)
	case out.status == http.StatusUnauthorized:
		return fmt.Errorf("the API at %s wants a key, or another one; BUSU_ADMIN_KEY holds the one it was started with", t.seen.BaseURL)
	case out.status == http.StatusForbidden:
		return fmt.Errorf("this key may not complete prompts at %s; use one with the role complete or admin", t.seen.BaseURL)
	case out.status == http.StatusNotFound, out.status == http.StatusMethodNotAllowed, out.err != nil:
		return fmt.Errorf("something answers at %s, but it does not seem to be busu (status %d)", t.seen.BaseURL, out.status)
	}
	return nil
}

func (t *tally) add(out outcome) {
	t.seen.Statuses[statusOf(out)]++
	if out.at.After(t.last) {
		t.last = out.at
	}
	if out.err != nil || out.status != http.StatusOK {
		t.fault(out)
		return
	}
	t.seen.Answered++
	t.seen.RequestIDs = append(t.seen.RequestIDs, out.answer.RequestID)
	t.latencies = append(t.latencies, out.latency)
	t.seen.Feedback = t.seen.Feedback.plus(out.feedback)
	count(&t.seen.CutOff, out.answer.FinishReason == llm.FinishLength)
	count(&t.seen.FellBack, len(out.answer.Fallbacks) > 0)
	count(&t.seen.Degraded, len(out.answer.Degraded) > 0)
	t.group(out)
}

// group files an answer under everything it belongs to.
func (t *tally) group(out outcome) {
	one := Group{Requests: 1, Cost: out.answer.Cost, Baseline: out.answer.Baseline}
	if verdict, ok := t.rate(out); ok {
		one.Rated = 1
		count(&one.Good, verdict.Good)
	}
	t.seen.All = t.seen.All.plus(one)
	file := func(groups map[string]Group, name string) { groups[name] = groups[name].plus(one) }
	file(t.seen.Models, out.answer.Model)
	file(t.seen.Strategies, out.answer.Strategy)
	file(t.seen.Kinds, out.prompt.Kind)
	file(t.seen.Caches, out.answer.Cache)
}

// rate asks the simulator for the truth about its answer, and about the
// answers its models would have given.
func (t *tally) rate(out outcome) (simulated.Verdict, bool) {
	verdict, ok := truthOf(t.truth, out)
	if !ok {
		return verdict, false
	}
	for _, model := range simulated.Models() {
		if v, _ := t.truth.Truth(out.prompt.Text, model); v.Good {
			t.seen.Always[model]++
		}
	}
	return verdict, true
}

func (t *tally) fault(out outcome) {
	t.seen.Failed++
	if t.seen.FirstFault != "" {
		return
	}
	t.seen.FirstFault = out.problem
	if out.err != nil {
		t.seen.FirstFault = out.err.Error()
	}
}

func (t *tally) report(took time.Duration) Report {
	r := t.seen
	r.Took = took
	r.Interrupted = t.done() < r.Requested
	slices.Sort(t.latencies)
	r.Latencies = Percentiles{P50: percentile(t.latencies, 50), P95: percentile(t.latencies, 95), P99: percentile(t.latencies, 99)}
	return r
}

func statusOf(out outcome) string {
	switch {
	case out.status == 0:
		return "unreachable"
	case out.err != nil:
		return "malformed"
	}
	return strconv.Itoa(out.status)
}

func (g Group) plus(h Group) Group {
	return Group{
		Requests: g.Requests + h.Requests,
		Cost:     g.Cost + h.Cost,
		Baseline: g.Baseline + h.Baseline,
		Rated:    g.Rated + h.Rated,
		Good:     g.Good + h.Good,
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

// percentile by nearest rank: a value that was really measured.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (p*len(sorted) + 99) / 100
	return sorted[max(rank, 1)-1]
}
