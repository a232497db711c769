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
	streamsAtOnce = 512
	streamWords   = 40
	streamPace    = 20 * time.Millisecond
	stallOf       = 10 * streamPace
	streamsFor    = 8 * time.Second // new streams are begun in place of those that ended
	frames        = streamWords + 3 // of a stream: role, words, reason to stop, [DONE]
)

// Figures of streams. Those of the control begin with direct.
const (
	longestMS  = "longest_pause_ms"
	beyondMS   = "longest_pause_beyond_direct_ms"
	stalls     = "stalls"
	moreStalls = "stalls_beyond_direct"
	lost       = "streams_incomplete"
	failedPct  = "failed_pct"
	streamed   = "streams"
	firstP50   = "first_piece_p50_ms"
	firstP99   = "first_piece_p99_ms"
	frameCPU   = "cpu_us_per_event"
	opened     = "upstream_connections"
)

// manyStreams holds many paced streams open at once, first to the upstream
// itself, then through the gateway.
func (b *bench) manyStreams(ctx context.Context) (measure.Figures, error) {
	u, err := startUpstream(pace{every: streamPace, words: streamWords})
	if err != nil {
		return nil, err
	}
	defer u.close()
	g, err := b.startUp(ctx, u, settings{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.stop() }()
	direct := &caller{addr: u.addr}
	defer direct.close()
	f := measure.Figures{}
	control, err := streamsTo(ctx, direct, "direct")
	if err != nil {
		return nil, fmt.Errorf("direct: %w", err)
	}
	control.note(f, "direct_")
	var through crowd
	before, known := measure.ProcessUsage(g.PID()), u.opened.Load()
	err = b.profiled(g, "streams", func() error {
		through, err = streamsTo(ctx, &g.caller, "through")
		return err
	})
	if err != nil {
		return nil, errors.Join(err, g.complaint())
	}
	through.note(f, "")
	f[opened] = float64(u.opened.Load() - known)
	f[beyondMS] = f[longestMS] - f["direct_"+longestMS]
	f[moreStalls] = f[stalls] - f["direct_"+stalls]
	f[frameCPU] = float64(measure.ProcessUsage(g.PID())-before) / float64(time.Microsecond) / float64(through.begun*frames)
	return f, nil
}

// crowd is what came of many streams.
type crowd struct {
	begun, failed, incomplete, pauses int
	longest                           time.Duration
	first                             []time.Duration
	err                               error // of one that failed
}

// streamsTo keeps streams open, so many at once, each with its own prompt.
func streamsTo(ctx context.Context, c *caller, name string) (crowd, error) {
	if err := c.open(streamsAtOnce); err != nil {
		return crowd{}, err
	}
	var mu sync.Mutex
	var all crowd
	var under sync.WaitGroup
	until := time.Now().Add(streamsFor)
	for i := range streamsAtOnce {
		under.Go(func() {
			for turn := 0; time.Now().Before(until) && ctx.Err() == nil; turn++ {
				prompt := fmt.Sprintf("%s.%d.%d", name, i, turn)
				l, err := oneStream(c, prompt, "large", fresh)
				mu.Lock()
				all.add(l, err, textOf(prompt, streamWords))
				mu.Unlock()
			}
		})
	}
	under.Wait()
	if all.failed == all.begun {
		return all, fmt.Errorf("every stream failed: %w", all.err)
	}
	return all, ctx.Err()
}

func oneStream(c *caller, prompt, model string, headers ...string) (*listened, error) {
	l := &listened{}
	sent := time.Now()
	err := c.send(chatRequest(model, prompt, true, headers...), func(r *http.Response) error { return l.listen(r, sent, stallOf) })
	return l, err
}

// add counts a stream. One that ended well without all of its text lost
// something, which no error is as bad as.
func (c *crowd) add(l *listened, err error, want string) {
	c.begun++
	c.pauses += l.pauses
	c.longest = max(c.longest, l.longest)
	switch {
	case err != nil:
		c.failed, c.err = c.failed+1, err
	case l.text.String() != want:
		c.incomplete++
	default:
		c.first = append(c.first, l.first)
	}
}

func (c *crowd) note(f measure.Figures, prefix string) {
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	f[prefix+streamed] = float64(c.begun)
	f[prefix+failedPct] = 100 * float64(c.failed) / float64(c.begun)
	f[prefix+lost] = float64(c.incomplete)
	f[prefix+stalls] = float64(c.pauses)
	f[prefix+longestMS] = milliseconds(c.longest)
	f[prefix+firstP50] = measure.Percentile(c.first, .5) / 1000
	f[prefix+firstP99] = measure.Percentile(c.first, .99) / 1000
}
