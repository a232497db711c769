package answers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/heap"
	"github.com/busuhq/busu/internal/llm"
)

const (
	floodBytes  = 64 << 20 // of the cache: the default
	floodWords  = 40
	floodLook   = 1000 // prompts between two looks
	floodHTTP   = 20 * time.Second
	floodAnswer = 400 // words, over HTTP: fewer prompts fill the cache
	floodFrom   = 16  // callers
)

// Figures of a flood. Megabytes are MiB.
const (
	capMB       = "cap_mb"
	peakMB      = "cache_peak_mb"
	heapMB      = "heap_mb"
	fullRSS     = "rss_when_full_mb"
	peakRSS     = "rss_peak_mb"
	bytesOfCap  = "cache_peak_of_cap"
	heapOfCap   = "heap_of_cap"
	rssOfCap    = "rss_peak_of_cap"
	rssGrowth   = "rss_peak_of_rss_when_full"
	prompts     = "prompts"
	evicted     = "evicted"
	promptNanos = "ns_per_prompt"
)

// watermark follows what a flood takes. Full is a state that has just been
// reached; what comes after it may not take much more.
type watermark struct {
	limit            int64
	cachePeak        int64
	rssFull, rssPeak int64
	evicted          int64 // so far
	full             time.Time
	settled          bool
}

const settleWithin = 2 * time.Second

// fullShare of the limit is as full as a cache in shards becomes.
const fullShare = 0.95

// look notes what is taken now. RSS when full is taken a second after the
// cache was full for the first time: the collector has come by then.
func (w *watermark) look(bytes, rss int64, now time.Time) {
	w.cachePeak, w.rssPeak = max(w.cachePeak, bytes), max(w.rssPeak, rss)
	if w.full.IsZero() && float64(bytes) >= fullShare*float64(w.limit) {
		w.full = now
	}
	if !w.settled && !w.full.IsZero() {
		w.rssFull = max(w.rssFull, rss)
		w.settled = now.Sub(w.full) > settleWithin
	}
}

func (w *watermark) figures(n int) (measure.Figures, error) {
	if !w.settled {
		return nil, fmt.Errorf("the cache was not full after %d prompts: at most %d of %d bytes", n, w.cachePeak, w.limit)
	}
	megabytes := func(n int64) float64 { return float64(n) / (1 << 20) }
	return measure.Figures{prompts: float64(n), capMB: megabytes(w.limit), peakMB: megabytes(w.cachePeak),
		fullRSS: megabytes(w.rssFull), peakRSS: megabytes(w.rssPeak), evicted: float64(w.evicted),
		bytesOfCap: float64(w.cachePeak) / float64(w.limit), rssOfCap: float64(w.rssPeak) / float64(w.limit),
		rssGrowth: float64(w.rssPeak) / float64(w.rssFull)}, nil
}

// Flood puts n different prompts into a cache in memory, as the gateway does,
// and writes what that took as JSON. It is for a process of its own.
func Flood(ctx context.Context, n int, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { _ = heap.Follow(ctx) }() // as every process of busu does; it has no error to give
	c := cache.New(cache.Options{MemoryBytes: floodBytes, TTL: 5 * time.Minute, Log: slog.New(slog.DiscardHandler)})
	keys := cache.Keys{Scope: cache.ScopeProject}
	w := &watermark{limit: floodBytes}
	began := time.Now()
	for i := range n {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := floodOne(ctx, c, keys, fmt.Sprintf("flood.%d", i)); err != nil {
			return err
		}
		if i%floodLook == 0 || i == n-1 {
			w.look(c.Stats().Bytes, measure.Resident(os.Getpid()), time.Now())
		}
	}
	took := time.Since(began)
	w.evicted = c.Stats().Evicted
	f, err := w.figures(n)
	if err != nil {
		return err
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	f[heapMB], f[heapOfCap] = float64(m.HeapAlloc)/(1<<20), float64(m.HeapAlloc)/floodBytes
	f[promptNanos] = float64(took) / float64(n)
	runtime.KeepAlive(c)
	return json.NewEncoder(out).Encode(f)
}

func floodOne(ctx context.Context, c *cache.Cache, keys cache.Keys, prompt string) error {
	ask := &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Content: prompt}},
		Body: fmt.Appendf(nil, `{"model":"auto","messages":[{"role":"user","content":"%s"}]}`, prompt)}
	key, ok := keys.Of(cache.Question{Request: ask, Project: event.DefaultProject})
	if !ok {
		return fmt.Errorf("%s has no key", prompt)
	}
	look := c.Get(ctx, key, []string{"small", "large"})
	if look.Found {
		return fmt.Errorf("%s was answered before", prompt)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	kept := c.Put(look, cache.Entry{Project: event.DefaultProject, RequestID: id, At: time.Now(), Provider: "bench", Model: "small",
		Response: llm.Response{Model: "bench", Text: textOf(prompt, floodWords), FinishReason: llm.FinishStop, Body: whole(prompt, floodWords)}})
	if !kept {
		return fmt.Errorf("%s was not kept", prompt)
	}
	return nil
}

// FloodFlag makes the command do nothing but Flood.
const FloodFlag = "flood-cache"

// floodCache floods the cache alone, in a process of its own with the garbage
// collection of busu's.
func (b *bench) floodCache(ctx context.Context) (measure.Figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-"+FloodFlag, strconv.Itoa(b.options.Flood))
	cmd.Stderr = b.options.Progress
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var f measure.Figures
	return f, json.Unmarshal(out, &f)
}

// floodGateway sends as many different prompts as go through.
func (b *bench) floodGateway(ctx context.Context) (measure.Figures, error) {
	u, err := startUpstream(pace{words: floodAnswer})
	if err != nil {
		return nil, err
	}
	defer u.close()
	g, err := b.startUp(ctx, u, settings{cache: fmt.Sprintf("cache: {memory_bytes: %d}\n", floodBytes)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.stop() }()
	ctx, cancel := context.WithTimeout(ctx, floodHTTP)
	defer cancel()
	w := &watermark{limit: floodBytes}
	var looking sync.WaitGroup
	var lookErr error
	looking.Go(func() { lookErr = w.follow(ctx, g) })
	const endless = 1 << 40
	err = b.profiled(g, "flood", func() error {
		err := closedLoop(ctx, floodFrom, endless, func(i int) error {
			prompt := fmt.Sprintf("flood.%d", i)
			return g.send(chatRequest("auto", prompt, false, reuse), answered(textOf(prompt, floodAnswer)))
		})
		if ctx.Err() != nil { // its time is over: what else there is to complain of is in err
			return nil
		}
		return err
	})
	looking.Wait()
	if err != nil || lookErr != nil {
		return nil, fmt.Errorf("%w: %w", firstOf(err, lookErr), g.complaint())
	}
	return w.figures(int(u.calls.Load()))
}

const followEvery = 100 * time.Millisecond

// follow looks at a gateway until ctx ends.
func (w *watermark) follow(ctx context.Context, g *gateway) error {
	for ctx.Err() == nil {
		bytes, err := g.metric("busu_cache_bytes")
		if err != nil {
			return err
		}
		out, err := g.metric("busu_cache_evicted_total")
		if err != nil {
			return err
		}
		w.evicted = int64(out)
		w.look(int64(bytes), measure.Resident(g.PID()), time.Now())
		_ = pause(ctx, followEvery)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
