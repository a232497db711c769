package live

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// asked is what came of plain requests.
type asked struct {
	latencies []time.Duration // from when the request was due
	failed    int
	bytes     int64 // of the largest answer
}

func (a *asked) ms(share float64) float64 { return measure.Percentile(a.latencies, share) / 1000 }

// askers is how many connections ask: enough that none waits for another.
const askers = 64

// ask asks so many times a second for a while. Whoever is late asks at once, and
// the time counts from when it should have: a server that stops for a moment
// does not stop the clock.
func ask(ctx context.Context, url string, rate int, length time.Duration) (all asked) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: askers}}
	defer client.CloseIdleConnections()
	began := time.Now()
	due := make(chan time.Time, rate)
	go func() {
		defer close(due)
		every := time.Second / time.Duration(rate)
		for at := began; at.Before(began.Add(length)) && ctx.Err() == nil; at = at.Add(every) {
			measure.SleepExactly(time.Until(at))
			due <- at
		}
	}()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for range askers {
		asking.Go(func() {
			var own asked
			for at := range due {
				n, err := one(ctx, client, url)
				if err != nil {
					own.failed++
					continue
				}
				own.bytes = max(own.bytes, n)
				own.latencies = append(own.latencies, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, own.latencies...)
			all.failed += own.failed
			all.bytes = max(all.bytes, own.bytes)
		})
	}
	asking.Wait()
	return all
}

func one(ctx context.Context, client *http.Client, url string) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, http.ErrNotSupported
	}
	return io.Copy(io.Discard, answer.Body)
}
