package experiment

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// Result is one request's part in an experiment: a row of experiment_results.
type Result struct {
	Completion uuid.UUID `json:"completion_id"`
	Unit       string    `json:"unit"`
	Arm        int       `json:"arm"` // that served it
	At         time.Time `json:"at"`
	Asked
	Served
	Opinion
}

// Asked is what a request was, and what was planned for it.
type Asked struct {
	Complexity float64 `json:"complexity"` // of the prompt, 0 … 1
	Key        string  `json:"key_id"`     // that it came with, or ""
	Confidence string  `json:"confidence"` // of the strategy in its plan, or ""
}

// Served is what became of a request. Who was assigned is counted, whatever
// happened: an arm that fails a lot shall not lose its failures.
type Served struct {
	OK        bool  `json:"ok"`       // answered, not cut off, not empty
	Answered  bool  `json:"answered"` // somehow
	Cached    bool  `json:"cached"`
	FellBack  bool  `json:"fell_back"`
	CostNanos int64 `json:"cost_nanos"` // of the call that made the answer
	PaidNanos int64 `json:"paid_nanos"` // what was really paid; less for a cached answer
	LatencyUS int64 `json:"latency_us"`
	TokensIn  int64 `json:"tokens_in"`
	TokensOut int64 `json:"tokens_out"`
}

// Opinion is what feedback last said of a request, or nothing.
type Opinion struct {
	Rated         bool      `json:"rated"`
	Bad           bool      `json:"bad"`
	QualityMicros int64     `json:"quality_micros"` // millionths, so that sums are exact
	RatedAt       time.Time `json:"rated_at"`
	Feedback      uuid.UUID `json:"feedback"` // that said so
}

// UnitOf is whom a request counts for, or "" when it can count for nobody.
func (e *Experiment) UnitOf(c *event.CompletionRecorded) string {
	switch e.Unit {
	case UnitSession:
		return c.SessionID
	case UnitRequest:
		return c.ID.String()
	default:
		return c.UserID
	}
}

// ResultOf is the part that a request has in the experiment; ok is false when it
// has none.
func (e *Experiment) ResultOf(c *event.CompletionRecorded) (r Result, ok bool) {
	i := slices.IndexFunc(c.Experiments, func(a event.Arm) bool { return a.Experiment == e.ID })
	if i < 0 {
		return Result{}, false
	}
	arm, unit := e.ArmNamed(c.Experiments[i].Arm), e.UnitOf(c)
	if arm < 0 || unit == "" {
		return Result{}, false
	}
	return Result{Completion: c.ID, Unit: unit, Arm: arm, At: c.At, Asked: AskedOf(c), Served: ServedOf(c)}, true
}

// AskedOf is what a request was.
func AskedOf(c *event.CompletionRecorded) Asked { return Asked{c.Complexity, c.KeyID, c.Confidence} }

// ServedOf is what became of a request.
func ServedOf(c *event.CompletionRecorded) Served {
	return Served{
		OK: c.Status == event.StatusOK, Answered: !c.Failed(), Cached: c.Cache != event.CacheMiss, FellBack: len(c.Fallbacks) > 0,
		CostNanos: c.OriginCostNanos, PaidNanos: c.CostNanos, LatencyUS: c.LatencyUS, TokensIn: c.TokensIn, TokensOut: c.TokensOut,
	}
}

// OpinionOf is what feedback says.
func OpinionOf(f *event.FeedbackRecorded) Opinion {
	return Opinion{Rated: true, Bad: f.Bad(), QualityMicros: int64(math.Round(f.Quality() * 1e6)), RatedAt: f.At, Feedback: f.ID}
}

// Later reports whether o replaces the opinion before it, in whatever order the
// two came: of several, the last one counts.
func (o Opinion) Later(than Opinion) bool {
	if !o.Rated || !than.Rated {
		return o.Rated
	}
	return cmp.Or(o.RatedAt.Compare(than.RatedAt), slices.Compare(o.Feedback[:], than.Feedback[:])) > 0
}

// Totals add up what a unit, or an arm, did. All are integers: the order of
// addition leaves no trace.
type Totals struct {
	Requests      int64 `json:"requests"`
	Good          int64 `json:"good"`
	Answered      int64 `json:"answered"`
	Rated         int64 `json:"rated"`
	QualityMicros int64 `json:"quality_micros"`
	CostNanos     int64 `json:"cost_nanos"`
	PaidNanos     int64 `json:"paid_nanos"`
	LatencyUS     int64 `json:"latency_us"` // of those answered
	Slow          int64 `json:"slow"`
	Cached        int64 `json:"cached"`
	FellBack      int64 `json:"fell_back"`
	TokensIn      int64 `json:"tokens_in"`
	TokensOut     int64 `json:"tokens_out"`
}

// Add adds other totals, times of them: -1 takes them away.
func (t *Totals) Add(o Totals, times int64) {
	t.Requests += times * o.Requests
	t.Good += times * o.Good
	t.Answered += times * o.Answered
	t.Rated += times * o.Rated
	t.QualityMicros += times * o.QualityMicros
	t.CostNanos += times * o.CostNanos
	t.PaidNanos += times * o.PaidNanos
	t.LatencyUS += times * o.LatencyUS
	t.Slow += times * o.Slow
	t.Cached += times * o.Cached
	t.FellBack += times * o.FellBack
	t.TokensIn += times * o.TokensIn
	t.TokensOut += times * o.TokensOut
}

// Totals are those of one request.
func (r *Result) Totals(slowUS int64) Totals {
	t := Totals{Requests: 1, Good: count(r.OK && !r.Bad), Answered: count(r.Answered), Cached: count(r.Cached), FellBack: count(r.FellBack),
		Slow: count(slowUS > 0 && r.LatencyUS > slowUS), CostNanos: r.CostNanos, PaidNanos: r.PaidNanos, TokensIn: r.TokensIn, TokensOut: r.TokensOut}
	if r.Answered {
		t.LatencyUS = r.LatencyUS
	}
	if r.Rated {
		t.Rated, t.QualityMicros = 1, r.QualityMicros
	}
	return t
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// Unit is what one unit did in an experiment: a row of experiment_units. Its
// totals take what was asked within the observation and judged within the
// feedback window, and are final when it has matured.
type Unit struct {
	ID        string    `json:"unit"`
	Arm       int       `json:"arm"`   // of its first request; it stays there
	Phase     int       `json:"phase"` // in which it entered
	First     uuid.UUID `json:"first"` // request; of several at the same time, that with the least id
	ExposedAt time.Time `json:"exposed_at"`
	MaturesAt time.Time `json:"matured_at"`
	Totals
	History *Totals `json:"history,omitempty"` // of the week before the exposure, where that is known and used
	Traits  *Traits `json:"traits,omitempty"`  // to explore by; nil: not known
	TookUS  []int64 `json:"-"`                 // each answered request, in any order
	Counted bool    `json:"-"`                 // a judge has counted it

	After int64 `json:"after"` // requests and opinions after their time: served, shown, not analysed
	Late  int64 `json:"late"`  // facts that came when the unit had matured
	Stray int64 `json:"stray"` // requests that another arm served
}

// Taken says what became of a fact.
type Taken int

// What can become of a fact that a unit takes.
const (
	Counted Taken = iota
	After         // it happened after its time
	Late          // the unit's totals were final
	Earlier       // it happened before what was held for the first request: Gather the unit anew
)

// NewUnit is a unit that enters with its first request, of which nothing is said
// yet.
func (e *Experiment) NewUnit(first *Result) Unit {
	u := Unit{ID: first.Unit, Arm: first.Arm, Phase: e.PhaseAt(first.At), First: first.Completion, ExposedAt: first.At, MaturesAt: first.At.Add(e.Maturity()),
		Traits: &Traits{Asked: first.Asked, Cached: first.Cached}}
	u.add(e, first)
	return u
}

// TakeRequest adds one more request, of which nothing is said yet. Watermark is
// up to when all facts are known: what has matured by then is final.
func (e *Experiment) TakeRequest(u *Unit, r *Result, watermark time.Time) Taken {
	switch {
	case r.At.After(u.ExposedAt.Add(time.Duration(e.Observation))):
		u.After++
		return After
	case u.Matured(watermark):
		u.Late++
		return Late
	case cmp.Or(r.At.Compare(u.ExposedAt), slices.Compare(r.Completion[:], u.First[:])) < 0:
		return Earlier
	}
	u.add(e, r)
	return Counted
}

// add counts a request that is in time. What was said of it is taken later.
func (u *Unit) add(e *Experiment, r *Result) {
	unsaid := *r
	unsaid.Opinion = Opinion{}
	u.Totals.Add(unsaid.Totals(e.SlowUS), 1)
	u.Stray += count(r.Arm != u.Arm)
	if r.Answered {
		u.TookUS = append(u.TookUS, r.LatencyUS)
	}
}

// TakeOpinion replaces the opinion of a request by a later one. r is the request
// as it was before; when o is Counted and Later, the caller keeps it with r.
func (e *Experiment) TakeOpinion(u *Unit, r *Result, o Opinion, watermark time.Time) Taken {
	switch {
	case o.RatedAt.After(u.MaturesAt) || r.At.After(u.ExposedAt.Add(time.Duration(e.Observation))):
		u.After++
		return After
	case u.Matured(watermark):
		u.Late++
		return Late
	}
	if o.Later(r.Opinion) {
		u.Totals.Add(r.Totals(e.SlowUS), -1)
		judged := *r
		judged.Opinion = o
		u.Totals.Add(judged.Totals(e.SlowUS), 1)
	}
	return Counted
}

// Matured reports whether the unit's totals are final when all facts up to the
// watermark are known.
func (u *Unit) Matured(watermark time.Time) bool { return !watermark.Before(u.MaturesAt) }

// Gather makes a unit of all its requests that are known, and of all that was said
// of them, both in any order. It gives what taking them one by one in the order
// of time would. The results are sorted, and get the opinions that count.
func (e *Experiment) Gather(results []Result, said map[uuid.UUID][]Opinion) Unit {
	slices.SortFunc(results, func(a, b Result) int {
		return cmp.Or(a.At.Compare(b.At), slices.Compare(a.Completion[:], b.Completion[:]))
	})
	u := e.NewUnit(&results[0])
	u.Totals, u.Stray, u.TookUS = Totals{}, 0, nil
	for i := range results {
		r := &results[i]
		r.Opinion = Opinion{}
		if e.TakeRequest(&u, r, time.Time{}) != Counted {
			continue
		}
		for _, o := range said[r.Completion] {
			if e.TakeOpinion(&u, r, o, time.Time{}) == Counted && o.Later(r.Opinion) {
				r.Opinion = o
			}
		}
	}
	return u
}

// Before is the canonical order of units: by maturity, then by first request.
// Names are not in it, for one that is forgotten must not change a verdict.
func (u *Unit) Before(v *Unit) bool { return u.compare(v) < 0 }

func (u *Unit) compare(v *Unit) int {
	return cmp.Or(u.MaturesAt.Compare(v.MaturesAt), slices.Compare(u.First[:], v.First[:]), cmp.Compare(u.ID, v.ID))
}

// place is where a unit stands among those that mature with it.
func (u *Unit) place() string {
	if u.First == uuid.Nil {
		return u.ID // of a simulation, which has no requests
	}
	return u.First.String()
}
