package answers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

const (
	cachedRate  = 1000 // per second
	cachedFor   = 8 * time.Second
	amongRate   = 100  // of the control, while cached answers are asked for
	cachedKinds = 1000 // questions that are asked again and again
	plainWords  = 40
	askers      = 16 // who fill the cache
	settleFor   = time.Second
)

// Figures of cached answers; the control is GET /healthz: before them, and again
// among them, where it waits for the cores with them.
const (
	controlP50 = "control_p50_us"
	controlP99 = "control_p99_us"
	ratioP50   = "p50_ratio"
	ratioP99   = "p99_ratio"
	amongP50   = "control_among_p50_us"
	amongP99   = "control_among_p99_us"
	ratioAmong = "p99_ratio_among"
	levelPct   = "of_level_pct" // answers that came from where they were to
)

// fromMemory asks what the same process has answered before.
func (b *bench) fromMemory(ctx context.Context) (measure.Figures, error) {
	u, err := startUpstream(pace{words: plainWords})
	if err != nil {
		return nil, err
	}
	defer u.close()
	g, err := b.startUp(ctx, u, settings{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.stop() }()
	question := func(i int) string { return fmt.Sprintf("remember.%d", i%cachedKinds) }
	if err := fill(ctx, g, cachedKinds, question); err != nil {
		return nil, err
	}
	return b.cachedAt(ctx, g, "memory", question)
}

// fromRedis asks a second process, each question once, what the first has
// answered before: that is not in its memory, but in the Redis of both.
func (b *bench) fromRedis(ctx context.Context) (measure.Figures, error) {
	u, err := startUpstream(pace{words: plainWords})
	if err != nil {
		return nil, err
	}
	defer u.close()
	g, err := b.startUp(ctx, u, settings{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.stop() }()
	beside, err := b.startBeside(ctx, u, settings{}, g)
	if err != nil {
		return nil, err
	}
	defer func() { _ = beside.stop() }()
	question := func(i int) string { return fmt.Sprintf("share.%d", i) }
	if err := fill(ctx, g, int((cachedFor+warmUp).Seconds()*cachedRate), question); err != nil {
		return nil, err
	}
	return b.cachedAt(ctx, beside, "redis", question)
}

// fill has questions answered, and lets what is kept of them arrive.
func fill(ctx context.Context, g *gateway, n int, question func(int) string) error {
	err := closedLoop(ctx, askers, n, func(i int) error {
		return g.send(chatRequest("auto", question(i), false, reuse), answered(textOf(question(i), plainWords)))
	})
	if err != nil {
		return fmt.Errorf("fill the cache: %w", err)
	}
	return pause(ctx, settleFor)
}

// cachedAt asks at the rate, for control first for a page that nothing is done
// for, and for that beside as well.
func (b *bench) cachedAt(ctx context.Context, g *gateway, level string, question func(int) string) (measure.Figures, error) {
	page := request("GET", "/healthz", "")
	health := func(int) error {
		return g.send(page, func(r *http.Response) error { _, err := good(r); return err })
	}
	control := openLoop(ctx, cachedRate, cachedFor, health)
	if err := control.sound(); err != nil {
		return nil, fmt.Errorf("GET /healthz: %w", err)
	}
	var from levels
	var o, among outcome
	err := b.profiled(g, "cached-"+level, func() error {
		const each = cachedRate/amongRate + 1
		isControl := func(i int) bool { return i%each == 0 }
		o, among = mixedLoop(ctx, cachedRate+amongRate, cachedFor, func(i int) error {
			if isControl(i) {
				return health(i)
			}
			take := answered(textOf(question(i), plainWords))
			return g.send(chatRequest("auto", question(i), false, reuse), func(r *http.Response) error {
				from.add(r.Header.Get("X-Busu-Cache"))
				return take(r)
			})
		}, isControl)
		return o.sound()
	})
	if err != nil {
		return nil, errors.Join(err, g.complaint())
	}
	if err := among.sound(); err != nil {
		return nil, fmt.Errorf("GET /healthz among them: %w", err)
	}
	f := measure.Figures{controlP50: measure.Percentile(control.took, .5), controlP99: measure.Percentile(control.took, .99),
		levelPct: 100 * from.share(level), failedPct: 100 * o.failedShare()}
	f.AddPercentiles(o.took)
	f[ratioP50], f[ratioP99] = f[measure.P50]/f[controlP50], f[measure.P99]/f[controlP99]
	f[amongP50], f[amongP99] = measure.Percentile(among.took, .5), measure.Percentile(among.took, .99)
	f[ratioAmong] = f[measure.P99] / f[amongP99]
	return f, nil
}

// levels counts where answers came from.
type levels struct {
	mu    sync.Mutex
	count map[string]int
}

func (l *levels) add(level string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = map[string]int{}
	}
	l.count[level]++
}

func (l *levels) share(level string) float64 {
	all := 0
	for _, n := range l.count {
		all += n
	}
	return float64(l.count[level]) / float64(max(all, 1))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
