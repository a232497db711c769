package experiment

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// fact is a request or an opinion of one.
type fact struct {
	at      time.Time
	request *Result  // nil for an opinion
	opinion *Opinion // nil for a request
	of      uuid.UUID
	unit    string
}

// traffic makes the facts of users who send a few requests each, some of which
// are rated, some twice. A quarter of the users is seen in another arm once.
func traffic(e *Experiment, r *rand.Rand, users int, good [2]float64) []fact {
	a := NewAssigner(e)
	var facts []fact
	for u := range users {
		unit := fmt.Sprintf("user-%d", u)
		at := e.StartedAt.Add(time.Duration(r.IntN(36_000)) * time.Second)
		arm, _, _ := a.Assign(unit, at)
		for range 1 + r.IntN(4) {
			res := &Result{Completion: uuid.New(), Unit: unit, Arm: arm, At: at, Served: Served{OK: true, Answered: true,
				CostNanos: int64(r.IntN(100_000)), LatencyUS: int64(r.IntN(3_000_000))}}
			if r.Float64() >= good[arm] {
				res.OK = false
			}
			if r.IntN(16) == 0 {
				res.Arm = 1 - arm
			}
			facts = append(facts, fact{at: at, request: res, unit: unit})
			for range r.IntN(3) {
				said := at.Add(time.Duration(r.IntN(5_000)) * time.Second)
				bad := r.Float64() >= good[arm]
				facts = append(facts, fact{at: said, of: res.Completion, unit: unit,
					opinion: &Opinion{Rated: true, Bad: bad, QualityMicros: int64(1e6 * (1 - count(bad))), RatedAt: said, Feedback: uuid.New()}})
			}
			at = at.Add(time.Duration(r.IntN(2_000)) * time.Second)
		}
	}
	return facts
}

// keeper does what a worker does for its part of the units.
type keeper struct {
	e       *Experiment
	units   map[string]*Unit
	results map[uuid.UUID]*Result
	said    map[uuid.UUID][]Opinion
	judged  map[string]bool
}

func newKeeper(e *Experiment) *keeper {
	return &keeper{e, map[string]*Unit{}, map[uuid.UUID]*Result{}, map[uuid.UUID][]Opinion{}, map[string]bool{}}
}

func (k *keeper) take(f fact, watermark time.Time) {
	if f.opinion != nil {
		k.said[f.of] = append(k.said[f.of], *f.opinion)
		if r := k.results[f.of]; r != nil {
			k.say(r, *f.opinion, watermark)
		}
		return
	}
	r := *f.request
	k.results[r.Completion] = &r
	u := k.units[r.Unit]
	if u == nil {
		u = new(k.e.NewUnit(&r))
		k.units[r.Unit] = u
	} else if k.e.TakeRequest(u, &r, watermark) == Earlier {
		var all []Result
		for _, other := range k.results {
			if other.Unit == r.Unit {
				all = append(all, *other)
			}
		}
		*u = k.e.Gather(all, k.said)
		for i := range all {
			k.results[all[i].Completion] = &all[i]
		}
		return
	}
	for _, o := range k.said[r.Completion] { // that came before the request
		k.say(&r, o, watermark)
	}
}

func (k *keeper) say(r *Result, o Opinion, watermark time.Time) {
	if k.e.TakeOpinion(k.units[r.Unit], r, o, watermark) == Counted && o.Later(r.Opinion) {
		r.Opinion = o
	}
}

// matured are the units that have, and were not told before.
func (k *keeper) matured(watermark time.Time) (list []Unit) {
	for id, u := range k.units {
		if u.Matured(watermark) && !k.judged[id] {
			k.judged[id] = true
			list = append(list, *u)
		}
	}
	return list
}

// work delivers facts in the order of arrival, in batches, to workers that share
// the users, and judges after each batch.
func work(t *rapid.T, e *Experiment, arrivals []fact, batch func() int, workers int) State {
	keepers := make([]*keeper, workers)
	for i := range keepers {
		keepers[i] = newKeeper(e)
	}
	// earliest[i] is the time before which nothing comes from i on.
	earliest := make([]time.Time, len(arrivals)+1)
	earliest[len(arrivals)] = e.End().Add(time.Hour)
	for i := len(arrivals) - 1; i >= 0; i-- {
		earliest[i] = earliest[i+1]
		if arrivals[i].at.Before(earliest[i]) {
			earliest[i] = arrivals[i].at
		}
	}
	state := NewJudge(e).State()
	watermark := time.Time{}
	for from := 0; from < len(arrivals); {
		to := min(len(arrivals), from+batch())
		for _, f := range arrivals[from:to] {
			keepers[len(f.unit)*7%workers].take(f, watermark)
		}
		from, watermark = to, earliest[to].Add(-1)
		var units []Unit
		for _, k := range keepers {
			units = append(units, k.matured(watermark)...)
		}
		j := Resume(e, passedOn(t, state)) // another process each time
		before := j.Decision()
		after, err := j.Feed(units, watermark)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && before != after {
			t.Fatalf("a decision was replaced")
		}
		state = j.State()
	}
	return state
}

// passedOn is the state after a way through JSON.
func passedOn(t *rapid.T, s State) (read State) {
	body, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(body, &read)
	}
	if err != nil {
		t.Fatal(err)
	}
	return read
}
