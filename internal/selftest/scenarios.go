package selftest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// How often a case is simulated, so that a standard error is below 0.3 points:
// √(0.055·0.945/5800) and √(0.76·0.24/21000).
const (
	usual    = 5_800
	forPower = 21_000

	forSplits = 4_000 // few are false, and few are missed
)

// Limits, from the goals.
const (
	mostFalse     = 0.055
	leastPower    = 0.76
	mostUnits     = 0.80
	leastAtTwice  = 0.99
	mostAtTwice   = 0.35
	mostAlarms    = 0.003
	leastFound    = 0.90
	leastCaught   = 0.99
	mostCaughtBy  = 2500
	mostCrownings = 0.035
)

func scenarios() []scenario {
	var list []scenario
	list = append(list, nothingToFind()...)
	list = append(list, clustered()...)
	list = append(list, somethingToFind()...)
	list = append(list, splits()...)
	list = append(list, losers()...)
	return append(append(list, ramps()...), extended())
}

// compare is a scenario of two arms in equal shares, drawn from a population.
func compare(goal, name string, runs, n int, primary experiment.Metric, p population, hit func(*experiment.Decision) bool, measures ...limit) scenario {
	return scenario{goal: goal, name: name, runs: runs, sampleSize: n, measures: measures, simulate: func(r *rand.Rand) run {
		e := begin(n, primary)
		e.CUPED = p.history
		d := hold(e, r, func(_ int, u *experiment.Unit) {
			u.Arm = pick(r, e.Shares())
			p.enter(r, u)
		})
		return run{hit(d), d.Units}
	}}
}

func same(p float64) [2]float64 { return [2]float64{p, p} }

// nothingToFind is G1: arms that are alike, looked at a hundred times.
func nothingToFind() []scenario {
	var list []scenario
	for _, n := range []int{200, 1000, 10_000} {
		for _, p := range []float64{.5, .8, .95} {
			list = append(list, compare("G1", fmt.Sprintf("A/A, %d users, %g %% good", n, 100*p), usual, n, experiment.Good,
				population{good: same(p)}, crowned, limit{falsePositive, mostFalse}))
		}
	}
	return append(list,
		compare("G1", "A/A, 2000 users, feedback on 20 % of the requests", usual, 2000, experiment.Good,
			population{good: same(.8), rated: same(.2)}, crowned, limit{falsePositive, mostFalse}),
		compare("G1", "A/A, 2000 users, feedback on 20 % and on 40 % of the requests", usual, 2000, experiment.Good,
			population{good: same(.8), rated: [2]float64{.2, .4}}, crowned, limit{falsePositive, mostFalse}),
		compare("G1", "A/A by cost, 2000 users, lognormal", usual, 2000, experiment.Cost,
			population{good: same(.95), cost: same(1)}, crowned, limit{falsePositive, mostFalse}),
		compare("G1", "A/A by cost, 2000 users, adjusted by what they cost before (CUPED)", usual, 2000, experiment.Cost,
			population{good: same(.95), cost: same(1), history: true}, crowned, limit{falsePositive, mostFalse}),
		threeAlike())
}

// clustered is G2: users with several requests that are alike.
func clustered() []scenario {
	var list []scenario
	for _, icc := range []float64{.1, .3} {
		list = append(list, compare("G2", fmt.Sprintf("A/A, 2000 users of 5 requests in the mean, ICC %g", icc), usual, 2000, experiment.Good,
			population{good: same(.8), requests: 5, icc: icc}, crowned, limit{falsePositive, mostFalse}))
	}
	return append(list, unequal(),
		compare("G2", "A/A, 200 users of 400 requests, ICC 0.3", usual, 200, experiment.Good,
			population{good: same(.8), exactly: 400, icc: .3}, crowned, limit{falsePositive, mostFalse}),
		flowingOn())
}

// unequal has a small test arm, which its own variance alone would mislead.
func unequal() scenario {
	p := population{good: same(.9), requests: 5, icc: .3}
	return scenario{goal: "G2", name: "A/A, 90/10, 1000 users of 5 requests in the mean, ICC 0.3", runs: usual, measures: []limit{{falsePositive, mostFalse}}, simulate: func(r *rand.Rand) run {
		e := begin(1000, experiment.Good, .9, .1)
		d := hold(e, r, func(_ int, u *experiment.Unit) {
			u.Arm = pick(r, e.Shares())
			p.enter(r, u)
		})
		return run{crowned(d), d.Units}
	}}
}

// flowingOn has 200 users whose 400 requests are spread over twenty days, long
// after all have entered: what a user does after the observation does not count.
// Every request goes the whole way through the unit.
func flowingOn() scenario {
	p := population{good: same(.8), icc: .3}
	const users, requests, each = 200, 400, 72 * time.Minute
	return scenario{goal: "G2", name: "A/A, 200 users of 400 requests over 20 days, ICC 0.3", runs: usual, measures: []limit{{falsePositive, mostFalse}}, simulate: func(r *rand.Rand) run {
		e := begin(users, experiment.Good)
		d := hold(e, r, func(i int, u *experiment.Unit) {
			good := p.propensity(r, .8)
			arm := pick(r, e.Shares())
			at := epoch.Add(time.Duration(i) * apart)
			for k := range requests {
				q := experiment.Result{Unit: "u", Arm: arm, At: at.Add(time.Duration(k) * each),
					Served: experiment.Served{Answered: true, OK: r.Float64() < good}}
				if k == 0 {
					*u = e.NewUnit(&q)
				} else if e.TakeRequest(u, &q, q.At) == experiment.After {
					break // and so are all that follow
				}
			}
		})
		return run{crowned(d), d.Units}
	}}
}

func testWins(d *experiment.Decision) bool {
	return d.Outcome == experiment.Win && *d.Winner == "test"
}

// somethingToFind is G3: samples that a fixed test would find the effect in with
// a power of 80 %, and twice the effect.
func somethingToFind() []scenario {
	var list []scenario
	for _, c := range []struct {
		n    int
		good [2]float64
	}{{2894, [2]float64{.80, .84}}, {658, [2]float64{.80, .88}}, {1108, [2]float64{.90, .945}}} {
		list = append(list, compare("G3", fmt.Sprintf("%g %% against %g %% good, %d users", 100*c.good[0], 100*c.good[1], c.n), forPower, c.n, experiment.Good,
			population{good: c.good}, testWins, limit{power, leastPower}, limit{meanN, mostUnits}))
	}
	list = append(list, joint(0.95), joint(0.80))
	return append(list, compare("G3", "twice the effect: 80 % against 88 % good, 2894 users", usual, 2894, experiment.Good,
		population{good: [2]float64{.80, .88}}, testWins, limit{power, leastAtTwice}, limit{meanN, mostAtTwice}))
}

// joint is an arm that costs 20 % less and is as good, in a sample that the plan
// says is enough to win four times in five, the guardrail included.
func joint(good float64) scenario {
	e := begin(100, experiment.Cost)
	guess := experiment.UsualGuess()
	guess.Good = good
	n := *e.Plan(guess.Traffic(), .2).Suggested
	return compare("G3", fmt.Sprintf("joint: 20 %% cheaper and as good (%g %%), %d users as planned", 100*good, n), forPower, n, experiment.Cost,
		population{good: same(good), cost: [2]float64{1, .8}}, testWins, limit{power, leastPower})
}

// splits is G6: users who are lost on the way to one arm, looked at after every
// single one of ten thousand.
func splits() []scenario {
	return []scenario{
		split("50/50 as planned", .5, .5, limit{falsePositive, mostAlarms}),
		split("90/10 as planned", .1, .1, limit{falsePositive, mostAlarms}),
		split("53/47 in place of 50/50", .5, .47, limit{detection, leastFound}),
		split("55/45 in place of 50/50", .5, .45, limit{detection, leastCaught}, limit{medianN, mostCaughtBy}),
	}
}

const mostSplit = 10_000

func split(name string, planned, real float64, measures ...limit) scenario {
	return scenario{goal: "G6", name: name + ", 10,000 looks", runs: forSplits, measures: measures, simulate: func(r *rand.Rand) run {
		counts, shares := [][]int64{{0, 0}}, [][]float64{{1 - planned, planned}}
		for i := range mostSplit {
			if r.Float64() < real {
				counts[0][1]++
			} else {
				counts[0][0]++
			}
			if !experiment.SplitOf(counts, shares, i == mostSplit-1).OK() {
				return run{true, i + 1}
			}
		}
		return run{false, mostSplit}
	}}
}

// losers is G7: an arm that costs 30 % less and loses exactly the margin of good
// answers. To crown it breaks the promise.
func losers() []scenario {
	var list []scenario
	for _, c := range []struct {
		n    int
		p    population
		name string
	}{
		{1000, population{good: [2]float64{.90, .88}}, "1000 users"},
		{4000, population{good: [2]float64{.90, .88}}, "4000 users"},
		{4000, population{good: [2]float64{.99, .97}}, "4000 users, 99 % good"},
		{4000, population{good: [2]float64{.90, .88}, requests: 5, icc: .3}, "4000 users of 5 requests, ICC 0.3"},
	} {
		c.p.cost = [2]float64{1, .7}
		list = append(list, compare("G7", "30 % cheaper, 2 points fewer good answers, "+c.name, usual, c.n, experiment.Cost, c.p, testWins, limit{wrong, mostCrownings}))
	}
	return list
}

// ramps is G9: the test's share goes from 10 % to 50 % while everything gets
// worse, in arms that are alike.
func ramps() []scenario {
	var list []scenario
	for _, c := range []struct {
		n        int
		requests float64
		name     string
	}{{1000, 1, "1000 users"}, {4000, 1, "4000 users"}, {4000, 5, "4000 users of 5 requests, ICC 0.3"}} {
		list = append(list, scenario{goal: "G9", name: "A/A, ramp from 10 % to 50 %, 90 % falls to 80 % good, " + c.name, runs: usual,
			measures: []limit{{falsePositive, mostFalse}}, simulate: func(r *rand.Rand) run { return ramp(r, c.n, c.requests) }})
	}
	return list
}

func ramp(r *rand.Rand, n int, requests float64) run {
	e := begin(n, experiment.Good, .9, .1)
	if err := e.Ramp(epoch.Add(time.Hour), []float64{.5, .5}); err != nil {
		panic(err)
	}
	d := hold(e, r, func(i int, u *experiment.Unit) {
		u.Phase = i * 2 / n
		u.Arm = pick(r, e.Phases[u.Phase].Shares)
		p := population{good: same(.9 - .1*float64(i)/float64(n)), requests: requests}
		if requests > 1 {
			p.icc = .3
		}
		u.Totals = p.draw(r, u.Arm)
	})
	return run{crowned(d), d.Units}
}

// extended goes on to four times the sample wherever nothing was found in what
// was planned.
func extended() scenario {
	p := population{good: same(.8)}
	const n = 500
	return scenario{goal: "G1", name: "A/A, 500 users, and up to 2000 where nothing was found", runs: usual, measures: []limit{{falsePositive, mostFalse}}, simulate: func(r *rand.Rand) run {
		var seen []experiment.Unit
		draw := func(i int, u *experiment.Unit) {
			if i == len(seen) {
				seen = append(seen, experiment.Unit{Arm: pick(r, []float64{.5, .5}), Totals: p.draw(r, 0)})
			}
			u.Arm, u.Totals = seen[i].Arm, seen[i].Totals
		}
		if d := hold(begin(n, experiment.Good), r, draw); crowned(d) {
			return run{true, d.Units}
		}
		e := begin(n, experiment.Good)
		if err := e.Extend(experiment.Extension{SampleSize: 4 * n}, epoch.Add(time.Hour), n-1); err != nil {
			panic(err)
		}
		d := hold(e, r, draw)
		return run{crowned(d), d.Units}
	}}
}

// threeAlike has two tests against one control.
func threeAlike() scenario {
	p := population{good: same(.8)}
	return scenario{goal: "G1", name: "A/A/A, 3000 users, 80 % good", runs: usual, measures: []limit{{falsePositive, mostFalse}}, simulate: func(r *rand.Rand) run {
		e := begin(3000, experiment.Good, .4, .3, .3)
		d := hold(e, r, func(_ int, u *experiment.Unit) {
			u.Arm = pick(r, e.Shares())
			u.Totals = p.draw(r, 0)
		})
		return run{crowned(d), d.Units}
	}}
}
