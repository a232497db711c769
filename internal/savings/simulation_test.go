package savings

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// population are people who come back day after day. Their habits are their
// own, and stay: a heavy user who is good at asking is so every day.
type population struct {
	random *rand.Rand
	people []person
	next   [][]int16 // by day: when everyone is active next, that day or later
	units  [][]Unit  // by day: of who is active
}

type person struct {
	holdout        bool
	often          float64 // probability of a day
	requests, cost float64 // means
	good           float64
}

// world is what is true.
type world struct {
	people, days int
	holdout      float64
	saving       float64 // of the routed, a share of the cost
	worse        float64 // of the routed, points of good answers
	rated        float64
	fromDay      int // worse from this day on
}

func (w world) simulate(seed uint64) *population {
	r := rand.New(rand.NewPCG(seed, 7))
	p := &population{random: r, people: make([]person, w.people)}
	for i := range p.people {
		p.people[i] = person{holdout: r.Float64() < w.holdout, often: 0.05 + 0.6*r.Float64()*r.Float64(),
			requests: 1 + 8*r.Float64()*r.Float64(), cost: math.Exp(r.NormFloat64()), good: min(1, 0.8+0.2*math.Sqrt(r.Float64()))}
	}
	var active [][]bool // by day
	for day := range w.days {
		here, units := make([]bool, w.people), make([]Unit, w.people)
		for i := range p.people {
			if here[i] = r.Float64() < p.people[i].often; here[i] {
				units[i] = w.day(r, &p.people[i], day)
			}
		}
		active, p.units = append(active, here), append(p.units, units)
	}
	p.next = make([][]int16, w.days)
	for day := w.days - 1; day >= 0; day-- {
		p.next[day] = make([]int16, w.people)
		for i := range p.people {
			switch {
			case active[day][i]:
				p.next[day][i] = int16(day)
			case day+1 < w.days:
				p.next[day][i] = p.next[day+1][i]
			default:
				p.next[day][i] = math.MaxInt16
			}
		}
	}
	return p
}

func (w world) day(r *rand.Rand, p *person, day int) (u Unit) {
	good, factor := p.good, 1.0
	if !p.holdout {
		factor = 1 - w.saving
		if day >= w.fromDay {
			good -= w.worse
		}
	}
	u.Requests = 1
	for r.Float64() > 1/p.requests {
		u.Requests++
	}
	for range u.Requests {
		u.CostNanos += int64(1e6 * factor * p.cost * math.Exp(r.NormFloat64()))
		ok := r.Float64() < good
		if ok {
			u.Good++
		}
		if r.Float64() < w.rated {
			u.Judged++
			if ok {
				u.Quality++
			}
		}
	}
	return u
}

// groups are the units of a window: everyone's first day in it.
func (p *population) groups(from, to int) (routed, holdout Group) {
	for i := range p.people {
		day := int(p.next[from][i])
		if day > to {
			continue
		}
		if p.people[i].holdout {
			holdout.Add(p.units[day][i], math.Inf(1))
		} else {
			routed.Add(p.units[day][i], math.Inf(1))
		}
	}
	return routed, holdout
}

func (p *population) tally(window Window, today int) Tally {
	from := max(today-window.Days+1, 0)
	first := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	t := Tally{Window: window, From: first.AddDate(0, 0, from), Start: from, AsOf: first.AddDate(0, 0, today+1), Limit: math.Inf(1)}
	t.Since = t.From
	t.Routed, t.Holdout = p.groups(from, today)
	t.All.Requests = int64(t.Routed.Cost.N)
	return t
}

// simulations is how many histories each case has: BUSU_SIMULATIONS says how many
// more than the usual, for figures.
func simulations(t *testing.T) int {
	t.Helper()
	text := os.Getenv("BUSU_SIMULATIONS")
	if text == "" {
		return 50
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// atMost fails where more than a share of the simulations went wrong, beyond
// what chance explains (three standard errors).
func atMost(t *testing.T, what string, wrong, of int, share float64) {
	t.Helper()
	limit := share + 3*math.Sqrt(share*(1-share)/float64(of))
	t.Logf("%s: %d of %d", what, wrong, of)
	if float64(wrong)/float64(of) > limit {
		t.Errorf("%s: %d of %d, more than %.3f", what, wrong, of, limit)
	}
}

// Somebody looks every morning, at two windows that slide, at people who come
// back: what is true is not excluded, once, by more than 5 % of such histories.
func TestNoMorningExcludesTheTruth(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]world{
		"it saves":      {people: 1000, days: 40, holdout: 0.1, saving: 0.6, worse: 0.01, rated: 0.3},
		"nothing saved": {people: 1000, days: 40, holdout: 0.1, rated: 0.3},
		"few users":     {people: 500, days: 40, holdout: 0.1, saving: 0.3, rated: 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulated := simulations(t)
			costs, goods, proofs := 0, 0, 0
			for seed := range simulated {
				p := w.simulate(uint64(seed))
				cost, good, proof := false, false, false
				for day := range w.days {
					for _, window := range Windows()[:2] {
						r := NewReport(p.tally(window, day))
						// What is true of the sample's expectation: the same people, routed.
						cost = cost || r.Proven.Pct.Low != nil && (*r.Proven.Pct.Low > 100*w.saving || *r.Proven.Pct.High < 100*w.saving)
						proof = proof || r.Proven.State == StateProven || r.Proven.State == StateDearer
						good = good || r.Good.Low != nil && (*r.Good.Low > -w.worse || *r.Good.High < -w.worse)
					}
				}
				costs, goods, proofs = costs+count(cost), goods+count(good), proofs+count(proof)
			}
			atMost(t, "the saving is excluded", costs, simulated, 1-Confidence)
			atMost(t, "the difference of good answers is excluded", goods, simulated, 1-Confidence)
			if w.saving == 0 {
				atMost(t, "a saving is proven where there is none", proofs, simulated, 1-Confidence)
			} else if w.saving > 0.5 && proofs < simulated*7/10 {
				t.Errorf("a saving of %g is proven in %d of %d", w.saving, proofs, simulated)
			}
		})
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A guard that is looked at every day does not trip at a loss of the margin,
// nor arm itself again; it does trip at a great one, though it comes late.
func TestGuardTripsAtHarmOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world
		trips, recovers [2]float64 // at least, at most
	}{
		"nothing is worse": {world{people: 1000, days: 40, holdout: 0.1, rated: 0.3}, [2]float64{0, 0}, [2]float64{0, 1}},
		"just the margin":  {world{people: 1000, days: 40, holdout: 0.1, worse: Margin, rated: 0.3}, [2]float64{0, GuardAlpha}, [2]float64{0, GuardAlpha}},
		"far worse":        {world{people: 1000, days: 40, holdout: 0.1, worse: 0.15, rated: 0.3}, [2]float64{0.95, 1}, [2]float64{0, 0}},
		"worse later":      {world{people: 1000, days: 40, holdout: 0.1, worse: 0.2, rated: 0.3, fromDay: 25}, [2]float64{0.85, 1}, [2]float64{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulated := simulations(t)
			trips, recovers, early := 0, 0, 0
			for seed := range simulated {
				p := c.simulate(uint64(seed))
				tripped, recovered := -1, false
				for day := 0; day < c.days && tripped < 0; day++ {
					looks := p.looks(day)
					if _, bad := Trip(looks...); bad {
						tripped = day
					}
					_, good := Recover(looks...)
					recovered = recovered || good
				}
				trips, recovers, early = trips+count(tripped >= 0), recovers+count(recovered), early+count(tripped >= 0 && tripped < c.fromDay)
			}
			if float64(trips) < c.trips[0]*float64(simulated) {
				t.Errorf("it trips in %d of %d", trips, simulated)
			}
			atMost(t, "it trips", trips, simulated, c.trips[1])
			atMost(t, "it finds nothing worse", recovers, simulated, c.recovers[1])
			atMost(t, "it trips before anything is worse", early, simulated, GuardAlpha)
		})
	}
}

func (p *population) looks(day int) (looks []Watched) {
	for _, window := range Windows()[:2] {
		from := max(day-window.Days+1, 0)
		w := Watched{Days: window.Days, Start: from}
		w.Routed, w.Others = p.groups(from, day)
		looks = append(looks, w)
	}
	return looks
}
