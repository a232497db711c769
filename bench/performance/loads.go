package performance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/busuhq/busu/bench/bare"
	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/product"
)

const (
	callers   = 32   // of closed loops
	steady    = 1000 // requests per second of open loops
	openLanes = 2048 // connections that an open loop may have
	numbers   = 100_000_000
	cached    = 1000 // questions that are asked again
	cachedTwo = 8000 // more than the least memory there is holds
)

// Names of scenarios that goals refer to.
const (
	closedMock     = "32 callers: upstream alone"
	closedFastHTTP = "32 callers: fasthttp proxy"
	closedReverse  = "32 callers: net/http ReverseProxy"
	closedEcho     = "32 callers: Echo + encoding/json proxy"
	closedConstant = "32 callers: Echo, constant JSON"
	closedRedis    = "32 callers: Echo, one Redis GET"

	busuProxied    = "32 callers: busu, fixed model"
	busuRouted     = "32 callers: busu, routed"
	busuExperiment = "32 callers: busu, routed in an experiment"
	busuMemory     = "32 callers: busu, memory hit"
	busuRedis      = "32 callers: busu, Redis hit"

	openMock       = "1k/s: upstream alone"
	openFastHTTP   = "1k/s: fasthttp proxy"
	openReverse    = "1k/s: net/http ReverseProxy"
	openEcho       = "1k/s: Echo + encoding/json proxy"
	openProxied    = "1k/s: busu, fixed model"
	openRouted     = "1k/s: busu, routed"
	openExperiment = "1k/s: busu, routed in an experiment"
	openMemory     = "1k/s: busu, memory hit"
)

// fresh is a range of numbers that nobody has asked yet.
func (b *bench) fresh() int {
	b.next = (b.next + numbers/100) % (numbers * 100)
	return b.next
}

// closed has callers send without a pause.
func (b *bench) closed(ctx context.Context, t target, r recipe, l load.Load) (load.Outcome, measure.Figures, error) {
	l.Connections, l.For = callers, b.times.closed
	return b.load(ctx, t, r, l, load.Closed)
}

// steadily has requests sent at a rate.
func (b *bench) steadily(ctx context.Context, t target, r recipe, l load.Load) (load.Outcome, measure.Figures, error) {
	l.Connections, l.For, l.Rate = openLanes, cmp.Or(l.For, b.times.open), cmp.Or(l.Rate, steady)
	return b.load(ctx, t, r, l, load.Open)
}

func (b *bench) load(ctx context.Context, t target, r recipe, l load.Load, send func(context.Context, load.Load) (load.Outcome, error)) (load.Outcome, measure.Figures, error) {
	m := &meter{target: t}
	if b.rig != nil && t.process != nil && t.process == b.rig.api {
		m.rig = b.rig
	}
	l.Addr, l.Request, l.Warm, l.Counting = t.addr, r.request, b.times.warm, m.counting
	runtime.GC() // what the one before has left is not this one's to pay
	o, err := send(ctx, l)
	if err != nil {
		return o, nil, err
	}
	f := m.figures(o)
	if l.Holds != "" {
		f[holdingPct] = 100 * float64(o.Holding) / float64(max(o.Answered, 1))
	}
	return o, f, nil
}

// sound is a load that has to succeed.
func sound(o load.Outcome, f measure.Figures, err error) (measure.Figures, error) {
	return f, errors.Join(err, o.Sound())
}

// leastHits is the share of answers, in percent, that have to come from where
// they are looked for: what else would be measured?
const leastHits = 90

func hits(o load.Outcome, f measure.Figures, err error) (measure.Figures, error) {
	f, err = sound(o, f, err)
	if err == nil && f[holdingPct] < leastHits {
		err = fmt.Errorf("only %.1f %% of the answers came from there", f[holdingPct])
	}
	return f, err
}

// plain is what is asked of who knows no keys.
func plain() ask { return ask{model: "mock"} }

// limits are what the libraries and the stores allow when little else is done.
func (b *bench) limits() []scenario {
	var all []scenario
	for _, s := range []struct{ name, kind string }{
		{closedRedis, bare.EchoRedis}, {closedConstant, bare.EchoConstant}, // the first one starts the round's stores, and busu
		{closedMock, bare.Mock}, {closedFastHTTP, bare.FastHTTP}, {closedReverse, bare.ReverseProxy}, {closedEcho, bare.EchoProxy},
	} {
		all = append(all, scenario{s.name, func(ctx context.Context) (measure.Figures, error) {
			t, err := b.server(ctx, s.kind)
			if err != nil {
				return nil, err
			}
			return sound(b.closed(ctx, t, plain().recipe(b.fresh(), 0), load.Load{}))
		}})
	}
	return all
}

// everythingOn is a request that meets all that there is: a key with limits and
// budgets, a user, routing, the look-up of an answer.
func (r *rig) everythingOn() ask {
	return ask{model: "auto", key: r.key, user: true, headers: []string{"X-Busu-Cache: default"}}
}

func (r *rig) inExperiment() ask {
	a := r.everythingOn()
	a.headers = append(a.headers, "X-Busu-Experiment: "+r.experiment)
	return a
}

// fixed is for a model by name, of which no answer is looked for.
func (r *rig) fixed(model, key string) ask {
	return ask{model: model, key: key, user: true, headers: []string{"X-Busu-Cache: bypass"}}
}

func (r *rig) target() target {
	t := targetOf(r.api)
	t.metrics = true
	return t
}

// capacities are what busu's API bears.
func (b *bench) capacities() []scenario {
	busu := func(name string, of func(*rig) ask, holds string) scenario {
		return scenario{name, func(ctx context.Context) (measure.Figures, error) {
			r, err := b.ready(ctx)
			if err != nil {
				return nil, err
			}
			if err := b.waitKnown(ctx, r); err != nil {
				return nil, err
			}
			return b.profiled(r, r.api, name, func() (measure.Figures, error) {
				return sound(b.closed(ctx, r.target(), of(r).recipe(b.fresh(), 0), load.Load{Holds: holds}))
			})
		}}
	}
	return []scenario{
		busu(busuProxied, func(r *rig) ask { return r.fixed(fixedModel, r.key) }, "X-Busu-Model: "+fixedModel),
		busu(busuRouted, (*rig).everythingOn, "X-Busu-Strategy: hybrid"),
		busu(busuExperiment, (*rig).inExperiment, "X-Busu-Experiment: "),
		{busuMemory, b.memoryHits},
		{busuRedis, b.redisHits},
	}
}

// fill has questions answered, so that the answers are kept.
func (b *bench) fill(ctx context.Context, r *rig, a ask, kinds int) (recipe, error) {
	questions := a.recipe(b.fresh(), kinds)
	l := load.Load{Addr: r.target().addr, Connections: callers, For: 200 * time.Millisecond, Request: questions.request}
	for asked := 0; asked < kinds; {
		// A closed loop has no number of requests; what it has sent is where the next one goes on.
		o, err := load.Closed(ctx, l)
		if err := errors.Join(err, o.Sound()); err != nil {
			return questions, fmt.Errorf("fill the cache: %w", err)
		}
		asked += int(o.Answered)
		at := asked
		l.Request = func(into []byte, i int) []byte { return questions.request(into, at+i) }
	}
	return questions, pause(ctx, settle)
}

// settle is how long what is kept behind a request takes to arrive.
const settle = 300 * time.Millisecond

func (b *bench) memoryHits(ctx context.Context) (measure.Figures, error) {
	r, err := b.ready(ctx)
	if err != nil {
		return nil, err
	}
	questions, err := b.fill(ctx, r, r.everythingOn(), cached)
	if err != nil {
		return nil, err
	}
	return b.profiled(r, r.api, busuMemory, func() (measure.Figures, error) {
		return hits(b.closed(ctx, r.target(), questions, load.Load{Holds: "X-Busu-Cache: memory"}))
	})
}

// redisHits asks a second API, with as little memory as there may be, in turn
// for more answers than that holds, which the first has had made.
func (b *bench) redisHits(ctx context.Context) (_ measure.Figures, err error) {
	r, err := b.ready(ctx)
	if err != nil {
		return nil, err
	}
	api, err := b.startForgetful(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, api.Stop()) }()
	questions, err := b.fill(ctx, r, r.everythingOn(), cachedTwo) // at last: answers are kept for no longer than cacheTTL
	if err != nil {
		return nil, err
	}
	t := targetOf(api)
	t.metrics = true
	return b.profiled(r, api, busuRedis, func() (measure.Figures, error) {
		return hits(b.closed(ctx, t, questions, load.Load{Holds: "X-Busu-Cache: redis"}))
	})
}

// latencies are at a rate that leaves room, with all of busu's processes.
func (b *bench) latencies() []scenario {
	var all []scenario
	for _, s := range []struct{ name, kind string }{
		{openMock, bare.Mock}, {openFastHTTP, bare.FastHTTP}, {openReverse, bare.ReverseProxy}, {openEcho, bare.EchoProxy},
	} {
		all = append(all, scenario{s.name, func(ctx context.Context) (measure.Figures, error) {
			if _, err := b.everything(ctx); err != nil {
				return nil, err
			}
			t, err := b.server(ctx, s.kind)
			if err != nil {
				return nil, err
			}
			return sound(b.steadily(ctx, t, plain().recipe(b.fresh(), 0), load.Load{}))
		}})
	}
	busu := func(name string, of func(*rig) ask, holds string) scenario {
		return scenario{name, func(ctx context.Context) (measure.Figures, error) {
			r, err := b.everything(ctx)
			if err != nil {
				return nil, err
			}
			return b.profiled(r, r.api, name, func() (measure.Figures, error) {
				return sound(b.steadily(ctx, r.target(), of(r).recipe(b.fresh(), 0), load.Load{Holds: holds}))
			})
		}}
	}
	return append(all,
		busu(openProxied, func(r *rig) ask { return r.fixed(fixedModel, r.key) }, "X-Busu-Model: "+fixedModel),
		busu(openRouted, (*rig).everythingOn, "X-Busu-Strategy: hybrid"),
		busu(openExperiment, (*rig).inExperiment, "X-Busu-Experiment: "),
		scenario{openMemory, func(ctx context.Context) (measure.Figures, error) {
			r, err := b.everything(ctx)
			if err != nil {
				return nil, err
			}
			questions, err := b.fill(ctx, r, r.everythingOn(), cached)
			if err != nil {
				return nil, err
			}
			return hits(b.steadily(ctx, r.target(), questions, load.Load{Holds: "X-Busu-Cache: memory"}))
		}})
}

// profiled takes a profile of an API during work, where one is wanted.
func (b *bench) profiled(r *rig, api *product.Process, name string, work func() (measure.Figures, error)) (f measure.Figures, err error) {
	if b.options.Profiles == "" {
		return work()
	}
	profile := filepath.Join(r.dir, fmt.Sprintf("api-%s.pprof", api.Base[len("http://127.0.0.1:"):]))
	file := filepath.Join(b.options.Profiles, unsafeInNames.ReplaceAllString(name, "-")+".pprof")
	err = api.Profiled(profile, file, func() (err error) { f, err = work(); return err })
	return f, err
}

var unsafeInNames = regexp.MustCompile(`[^A-Za-z0-9]+`)
