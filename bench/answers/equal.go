package answers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

const (
	equalAtOnce  = 1000
	equalLatency = time.Second // so that the last one comes while the first one's call is under way
)

// Figures of equal prompts.
const (
	upstreamCalls = "upstream_calls"
	lateMS        = "last_answer_after_first_ms"
)

// equal sends one prompt from many callers at the same time, who must all have
// the whole answer of a single call.
func (b *bench) equal(ctx context.Context, stream bool) (measure.Figures, error) {
	u, err := startUpstream(pace{latency: equalLatency, every: streamPace, words: streamWords})
	if err != nil {
		return nil, err
	}
	defer u.close()
	g, err := b.startUp(ctx, u, settings{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.stop() }()
	if err := g.open(equalAtOnce); err != nil {
		return nil, err
	}
	prompt := fmt.Sprintf("same.%t", stream)
	want := textOf(prompt, streamWords)
	errs, ended := make([]error, equalAtOnce), make([]time.Time, equalAtOnce)
	var under sync.WaitGroup
	gun := make(chan struct{})
	for i := range equalAtOnce {
		under.Go(func() {
			<-gun
			if stream {
				var l *listened
				if l, errs[i] = oneStream(&g.caller, prompt, "auto", reuse); errs[i] == nil && l.text.String() != want {
					errs[i] = fmt.Errorf("the answer is %q", l.text.String())
				}
			} else {
				errs[i] = g.send(chatRequest("auto", prompt, false, reuse), answered(want))
			}
			ended[i] = time.Now()
		})
	}
	close(gun)
	under.Wait()
	f := measure.Figures{upstreamCalls: float64(u.callsFor(prompt))}
	first, last := ended[0], ended[0]
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("caller %d: %w", i, err)
		}
		if ended[i].Before(first) {
			first = ended[i]
		}
		if ended[i].After(last) {
			last = ended[i]
		}
	}
	f[lateMS] = float64(last.Sub(first)) / float64(time.Millisecond)
	return f, ctx.Err()
}
