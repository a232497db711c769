package answers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

const (
	besideRate    = 500 // per second, to the provider that answers
	hangingRate   = 100 // per second, to the one that hangs
	besideFor     = 10 * time.Second
	besideLatency = 20 * time.Millisecond
)

// Figures of a provider beside one that hangs.
const (
	aloneP50 = "alone_p50_us"
	aloneP99 = "alone_p99_us"
	hungPct  = "hanging_failed_pct"
	hungP50  = "hanging_p50_ms"
)

// hangingSettings are those of a provider that hangs: its calls end after three
// seconds, so that a run sees its queue fill up, its timeouts, its breaker open
// and its probes.
var hangingSettings = settings{
	providers: "", // its address is not known yet
	models:    "  - {id: stuck, provider: hanging, tier: complex, input_usd_per_mtok: 2.5, output_usd_per_mtok: 10}\n",
}

// besideHanging measures one provider under load, first alone, then while
// another one that is asked too hangs.
func (b *bench) besideHanging(ctx context.Context) (measure.Figures, error) {
	u, err := startUpstream(pace{latency: besideLatency, words: plainWords})
	if err != nil {
		return nil, err
	}
	defer u.close()
	s := hangingSettings
	s.providers = fmt.Sprintf("  - {name: hanging, kind: openai, base_url: \"http://%s%s\", timeout: 3s}\n", u.addr, hanging)
	g, err := b.startUp(ctx, u, s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.stop() }()
	load := func(name string) outcome {
		return openLoop(ctx, besideRate, besideFor, func(i int) error {
			prompt := fmt.Sprintf("%s.%d", name, i)
			return g.send(chatRequest("large", prompt, false, fresh), answered(textOf(prompt, plainWords)))
		})
	}
	alone := load("alone")
	if err := alone.sound(); err != nil {
		return nil, fmt.Errorf("alone: %w", errors.Join(err, g.complaint()))
	}
	hung := make(chan outcome, 1)
	go func() {
		hung <- openLoop(ctx, hangingRate, besideFor, func(i int) error {
			err := g.send(chatRequest("stuck", fmt.Sprintf("stuck.%d", i), false, fresh), answered("nothing"))
			if refused, ok := errors.AsType[*statusError](err); ok && refused.status >= 500 {
				return nil // as it must be
			}
			return fmt.Errorf("what hangs has answered otherwise than with an error: %w", err)
		})
	}()
	var beside outcome
	err = b.profiled(g, "hanging", func() error { beside = load("beside"); return beside.sound() })
	refused := <-hung
	if err := errors.Join(err, refused.sound()); err != nil {
		return nil, errors.Join(err, g.complaint())
	}
	f := measure.Figures{aloneP50: measure.Percentile(alone.took, .5), aloneP99: measure.Percentile(alone.took, .99),
		failedPct: 100 * beside.failedShare(), hungP50: measure.Percentile(refused.took, .5) / 1000}
	f.AddPercentiles(beside.took)
	f[ratioP50], f[ratioP99] = f[measure.P50]/f[aloneP50], f[measure.P99]/f[aloneP99]
	return f, nil
}
