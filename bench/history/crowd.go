package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
)

const (
	span      = 90 * 24 * time.Hour
	crowdSeed = 11
)

// crowd are people who ask, unevenly: a few of them most of the time, by day
// more than at night, some models much and one hardly ever.
type crowd struct {
	rows  int
	users *rand.Zipf
	r     *rand.Rand
	hours []float64 // when in the span the n-th hour's requests begin, as a share of all
	seq   int64
}

// kind is a model with what it takes.
type kind struct {
	model, provider string
	share           float64
	latency         float64 // ms, the median
	price           int64   // nano-dollars a token
}

var kinds = []kind{
	{"small", "openai", .44, 600, 300}, {"medium", "openai", .2, 1200, 1800}, {"large", "anthropic", .12, 2600, 9000},
	{"fast", "cerebras", .1, 250, 700}, {"flash", "gemini", .08, 500, 350}, {"pro", "gemini", .04, 2200, 6000},
	{"thinker", "openai", .0198, 9000, 12000}, {"rare", "openrouter", .0002, 3000, 4000},
}

const names = 50_000 // of users

// newCrowd is one that asks so much over a length of time; another seed gives
// other requests.
func newCrowd(rows int, length time.Duration, seed uint64) *crowd {
	r := rand.New(rand.NewPCG(seed, seed))
	c := &crowd{rows: rows, r: r, users: rand.NewZipf(r, 1.1, 20, names-1)}
	sum := 0.
	for h := range int(length / time.Hour) {
		c.hours = append(c.hours, sum)
		daily := 1 + .8*math.Sin(2*math.Pi*float64(h%24-8)/24)
		if h/24%7 >= 5 {
			daily *= .5
		}
		sum += daily
	}
	for h := range c.hours {
		c.hours[h] /= sum
	}
	return c
}

// at is when the i-th request arrives.
func (c *crowd) at(i int, from time.Time) time.Time {
	share := float64(i) / float64(c.rows)
	low, high := 0, len(c.hours)
	for high-low > 1 {
		if middle := (low + high) / 2; c.hours[middle] <= share {
			low = middle
		} else {
			high = middle
		}
	}
	next := 1.
	if high < len(c.hours) {
		next = c.hours[high]
	}
	within := (share - c.hours[low]) / (next - c.hours[low])
	return from.Add(time.Duration(low)*time.Hour + time.Duration(within*float64(time.Hour)))
}

func (c *crowd) user() string    { return fmt.Sprintf("user-%05d", c.users.Uint64()) }
func (c *crowd) session() string { return fmt.Sprintf("session-%07d", c.r.IntN(c.rows/20+1)) }
func (c *crowd) caller(i int) string {
	return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%d", i)).String()
}

func (c *crowd) chance(p float64) bool { return c.r.Float64() < p }

func (c *crowd) kind() kind {
	x := c.r.Float64()
	for _, k := range kinds {
		if x -= k.share; x < 0 {
			return k
		}
	}
	return kinds[0]
}

// fact is the i-th request.
func (c *crowd) fact(i int, from time.Time) *event.CompletionRecorded {
	return c.factAt(i, c.at(i, from))
}

func (c *crowd) factAt(i int, at time.Time) *event.CompletionRecorded {
	f := event.NewCompletion(eventtest.ID(c.r, at))
	k := c.kind()
	f.Project, f.UserID = event.DefaultProject, c.user()
	if c.chance(.6) {
		f.SessionID = c.session()
	}
	if i%3 == 0 {
		f.CallerID = c.caller(i)
	}
	f.Strategy, f.Confidence = "complexity", []string{"high", "medium", "low"}[min(int(c.r.ExpFloat64()), 2)]
	if c.chance(.1) {
		f.Strategy = "model"
	}
	f.PlannedModel, f.Model, f.Provider = k.model, k.model, k.provider
	f.Propensity, f.Complexity = 1, c.r.Float64()
	f.Reason = fmt.Sprintf("Short factual question (complexity %.2f, simple): %s is the cheapest model for it, at 1/25 of large's cost.", f.Complexity, k.model)
	f.Candidates = []event.Candidate{{Model: k.model, Quality: .93, CostNanos: 95_400, Probability: 1}, {Model: "large", Quality: .99, CostNanos: 2_376_000}}
	f.Status, f.FinishReason, f.Cache = event.StatusOK, "stop", event.CacheMiss
	f.TokensIn, f.TokensOut = int64(50*math.Exp(c.r.NormFloat64())), int64(120*math.Exp(.8*c.r.NormFloat64()))
	latency := k.latency * math.Exp(.5*c.r.NormFloat64())
	f.LatencyUS, f.TTFTUS, f.OverheadUS = int64(1000*latency), int64(300*latency), 60+int64(c.r.ExpFloat64()*40)
	f.CostNanos = k.price * (f.TokensIn + 4*f.TokensOut)
	f.BaselineModel, f.BaselineCostNanos, f.PriceVersion = "large", 9000*(f.TokensIn+4*f.TokensOut), "0123456789ab"
	f.OriginCostNanos = f.CostNanos
	c.vary(f, i)
	c.seq++
	eventtest.Number("bench", c.seq, f)
	return f
}

// vary gives some requests what is not usual.
func (c *crowd) vary(f *event.CompletionRecorded, i int) {
	f.Holdout = c.chance(.02)
	if share := float64(i) / float64(c.rows); share > .3 && share < .4 && c.chance(.2) { // an experiment a month ago and more
		f.Experiments = []event.Arm{{Experiment: "exp-1", Arm: "test"}}
	}
	if c.chance(.003) {
		f.Degraded = []string{"redis"}
	}
	if c.chance(.01) {
		f.Fallbacks = []string{"small"}
	}
	switch x := c.r.Float64(); {
	case x < .2:
		f.Cache = []string{event.CacheMemory, event.CacheRedis, event.CachePostgres}[min(int(2*c.r.ExpFloat64()), 2)]
		f.CacheMatch, f.CostNanos, f.LatencyUS, f.TTFTUS = "exact", 0, 300+int64(c.r.ExpFloat64()*500), 300
	case x < .22:
		f.Status, f.FinishReason, f.ErrorKind, f.TokensOut = event.StatusError, "", []string{"timeout", "unavailable", "rate_limited"}[c.r.IntN(3)], 0
	case x < .225:
		f.Status, f.FinishReason, f.ErrorKind = event.StatusCanceled, "", "canceled"
	case x < .24:
		f.Status, f.FinishReason = event.StatusCutOff, "length"
	}
}
