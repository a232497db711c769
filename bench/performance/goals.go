package performance

import (
	"fmt"
	"strings"

	"github.com/busuhq/busu/bench/measure"
)

// goal is a figure with two bounds: what has to be reached, and what is wanted.
type goal struct {
	what        string
	summary     measure.Summary
	measured    bool
	reach, want float64
	atMost      bool
	whence      string
}

// bifrost is the peer that the goals name, if it is measured.
const bifrost = "bifrost"

// How far the peer is from the Echo proxy, where it is not at hand: the least of
// what design measurements on this kind of machine have shown, which is the
// hardest for us.
const (
	bifrostCPU = 1.8
	bifrostP50 = 1.5
	bifrostP99 = 2.2
)

func (r *results) goals() []goal {
	all := []goal{
		r.ratio("API CPU per routed request ÷ Echo + encoding/json proxy's", apiCPU, busuRouted, closedEcho, 1, .75, true),
		r.ratio("requests/s of memory hits ÷ Echo with constant JSON", perSecond, busuMemory, closedConstant, .65, .8, false),
		r.ratio("requests/s of Redis hits ÷ Echo with one GET", perSecond, busuRedis, closedRedis, .7, .95, false),
		r.plain("RSS of the API at 1,000 routed requests/s, MB", rssMB, openRouted, 80, 40),
		r.plain("start of the API to ready, stores up, ms", readyMS, readyName, 500, 200),
	}
	return append(r.toPeers(), all...)
}

// toPeers compares to each peer that is measured, by the bounds that are set for
// Bifrost, and to what is known of Bifrost's distance where it is none of them.
func (r *results) toPeers() (all []goal) {
	for _, p := range r.options.Peers {
		all = append(all,
			r.ratio(fmt.Sprintf("API CPU per routed request ÷ %s's", p.Name), apiCPU, busuRouted, closedPeer(p.Name), .55, .42, true),
			r.addedRatio(fmt.Sprintf("added p50 at 1,000/s ÷ %s's", p.Name), measure.P50, openPeer(p.Name), 1, .7, .45),
			r.addedRatio(fmt.Sprintf("added p99 at 1,000/s ÷ %s's", p.Name), measure.P99, openPeer(p.Name), 1, .4, .2),
		)
	}
	if r.Figures[closedPeer(bifrost)] != nil {
		return all
	}
	cpu := r.ratio("API CPU per routed request ÷ Bifrost's, estimated", apiCPU, busuRouted, closedEcho, .55, .42, true)
	cpu.summary = scale(cpu.summary, 1/bifrostCPU)
	cpu.whence = fmt.Sprintf("Bifrost is not at hand: taken as %g × the Echo proxy", bifrostCPU)
	p50 := r.addedRatio("added p50 at 1,000/s ÷ Bifrost's, estimated", measure.P50, openEcho, bifrostP50, .7, .45)
	p99 := r.addedRatio("added p99 at 1,000/s ÷ Bifrost's, estimated", measure.P99, openEcho, bifrostP99, .4, .2)
	return append(all, cpu, p50, p99)
}

func scale(s measure.Summary, by float64) measure.Summary {
	return measure.Summary{Median: s.Median * by, Least: s.Least * by, Most: s.Most * by}
}

func (r *results) ratio(what, figure, ours, theirs string, reach, want float64, atMost bool) goal {
	s, ok := r.Ratio(figure, ours, theirs)
	return goal{what: what, summary: s, measured: ok, reach: reach, want: want, atMost: atMost}
}

func (r *results) plain(what, figure, scenario string, reach, want float64) goal {
	s, ok := r.Of(scenario, figure)
	return goal{what: what, summary: s, measured: ok, reach: reach, want: want, atMost: true}
}

// addedRatio compares, within rounds, what busu adds to what another adds, times
// how far that is from the peer.
func (r *results) addedRatio(what, figure, theirs string, distance, reach, want float64) goal {
	g := goal{what: what, reach: reach, want: want, atMost: true}
	if distance != 1 {
		g.whence = fmt.Sprintf("taken as %g × the Echo proxy", distance)
	}
	ours, others := r.added(figure, openRouted), r.added(figure, theirs)
	var values []float64
	for round, x := range ours {
		if y := others[round]; y > 0 {
			values = append(values, x/y/distance)
		}
	}
	g.summary, g.measured = measure.Summarize(values)
	return g
}

// added is what a scenario adds to a direct call in the same round, by round.
func (r *results) added(figure, scenario string) map[int]float64 {
	all := map[int]float64{}
	direct := r.Figures[openMock]
	for round, f := range r.Figures[scenario] {
		if through, ok := f[figure]; ok && round < len(direct) && direct[round] != nil {
			all[round] = through - direct[round][figure]
		}
	}
	return all
}

func (r *results) addedSummary(figure, scenario string) (measure.Summary, bool) {
	var values []float64
	for _, x := range r.added(figure, scenario) {
		values = append(values, x)
	}
	return measure.Summarize(values)
}

// verdict says what the median reaches.
func (g goal) verdict() string {
	met := func(target float64) bool { return measure.Goal{Target: target, AtMost: g.atMost}.Met(g.summary) }
	verdict := "**missed**"
	if met(g.want) {
		verdict = "met"
	} else if met(g.reach) {
		verdict = "reached"
	}
	if g.whence != "" {
		verdict += "; " + g.whence
	}
	return verdict
}

func writeGoals(b *strings.Builder, goals []goal) {
	b.WriteString("| what | measured | spread | reach | goal | |\n| --- | ---: | ---: | ---: | ---: | --- |\n")
	for _, g := range goals {
		if !g.measured {
			continue
		}
		sign := "≥"
		if g.atMost {
			sign = "≤"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s %s | %s %s | %s |\n", g.what, measure.Number(g.summary.Median), spread(g.summary),
			sign, measure.Number(g.reach), sign, measure.Number(g.want), g.verdict())
	}
}

func spread(s measure.Summary) string {
	return measure.Number(s.Least) + "–" + measure.Number(s.Most)
}
