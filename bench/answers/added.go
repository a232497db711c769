package answers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

const (
	addedFor = 8 * time.Second
	addedOf  = 12 // words of an answer, which make about 600 bytes of it
)

// Figures of added latency.
const (
	directP50 = "direct_p50_us"
	directP99 = "direct_p99_us"
	addedP50  = "added_p50_us"
	addedP99  = "added_p99_us"
	eachCPU   = "cpu_us_per_request"
)

// added measures what the gateway adds to a call of an upstream that takes no
// time, when the model is to be chosen and the answer to be looked for.
func (b *bench) added(ctx context.Context, rate int) (measure.Figures, error) {
	u, err := startUpstream(pace{words: addedOf})
	if err != nil {
		return nil, err
	}
	defer u.close()
	g, err := b.startUp(ctx, u, settings{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.stop() }()
	c := &caller{addr: u.addr}
	defer c.close()
	load := func(c *caller, name string) outcome {
		return openLoop(ctx, rate, addedFor, func(i int) error {
			prompt := fmt.Sprintf("%s.%d", name, i)
			return c.send(chatRequest("auto", prompt, false, reuse), answered(textOf(prompt, addedOf)))
		})
	}
	direct := load(c, "direct")
	if err := direct.sound(); err != nil {
		return nil, fmt.Errorf("direct: %w", err)
	}
	var through outcome
	before := measure.ProcessUsage(g.PID())
	err = b.profiled(g, fmt.Sprintf("added-%d", rate), func() error { through = load(&g.caller, "through"); return through.sound() })
	if err != nil {
		return nil, errors.Join(err, g.complaint())
	}
	spent := measure.ProcessUsage(g.PID()) - before
	f := measure.Figures{directP50: measure.Percentile(direct.took, .5), directP99: measure.Percentile(direct.took, .99),
		failedPct: 100 * through.failedShare(),
		eachCPU:   float64(spent) / float64(time.Microsecond) / ((warmUp + addedFor).Seconds() * float64(rate))}
	f.AddPercentiles(through.took)
	f[addedP50], f[addedP99] = f[measure.P50]-f[directP50], f[measure.P99]-f[directP99]
	return f, nil
}
