package app_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/storetest"
)

var (
	rollingRounds = flag.Int("rolling-rounds", 1, "how often TestRollingRestart restarts every process")
	rollingRate   = flag.Int("rolling-rate", 0, "requests a second that TestRollingRestart sends, and then holds that it did; 0: what a busy machine bears")
)

// balancer stands in front of API processes, as a Service of Kubernetes does:
// it asks each whether it is ready, and sends requests to those that were when
// they were asked last. It does not try again.
type balancer struct {
	front *httptest.Server
	asks  *http.Client

	mu    sync.Mutex
	bases []string // of all
	ready []string
	turn  int
}

func newBalancer(t *testing.T) *balancer {
	b := &balancer{asks: &http.Client{Timeout: 10 * time.Second}}
	proxy := &httputil.ReverseProxy{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(b.next())
	}}
	b.front = httptest.NewServer(proxy)
	ctx, cancel := context.WithCancel(t.Context())
	var probing sync.WaitGroup
	probing.Go(func() { b.probe(ctx) })
	t.Cleanup(b.front.Close)
	t.Cleanup(probing.Wait)
	t.Cleanup(cancel)
	return b
}

// next is where the next request goes; nowhere, when nobody is ready.
func (b *balancer) next() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return &url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	}
	b.turn++
	to, err := url.Parse(b.ready[b.turn%len(b.ready)])
	if err != nil {
		panic(err) // the test made it
	}
	return to
}

func (b *balancer) probe(ctx context.Context) {
	for ctx.Err() == nil {
		b.mu.Lock()
		all := slices.Clone(b.bases)
		b.mu.Unlock()
		var ready []string
		for _, base := range all {
			if r, err := b.asks.Get(base + "/readyz?degraded=allowed"); err == nil {
				r.Body.Close()
				if r.StatusCode == http.StatusOK {
					ready = append(ready, base)
				}
			}
		}
		b.mu.Lock()
		b.ready = slices.DeleteFunc(ready, func(base string) bool { return !slices.Contains(b.bases, base) })
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// serves reports whether requests go to an address.
func (b *balancer) serves(base string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.ready, base)
}

func (b *balancer) add(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bases = append(b.bases, base)
}

func (b *balancer) remove(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	gone := func(other string) bool { return other == base }
	b.bases, b.ready = slices.DeleteFunc(b.bases, gone), slices.DeleteFunc(b.ready, gone)
}

// member is a process of a fleet; whoever replaces it has its environment, and
// so its journal.
type member struct {
	name string
	env  []string
	*process
}

func (m *member) start(t *testing.T, b *balancer) {
	t.Helper()
	if m.process = start(t, nil, m.env, m.name); m.name == "api" {
		b.add(m.base)
		m.until("the balancer knows it", func() bool { return b.serves(m.base) })
	}
}

// Every process is restarted under load, one after the other: each request is
// answered, no fact is lost, none is there twice.
func TestRollingRestart(t *testing.T) {
	if *rollingRate == 0 {
		t.Parallel()
	}
	const partitions = 2
	database, redis := storetest.Postgres(t), storetest.Redis(t)
	config := configFile(t, quick+fmt.Sprintf("streams: {partitions: %d}\n", partitions))
	b := newBalancer(t)
	s := &scaled{t: t, conn: connect(t, database), front: b.front.URL, rate: *rollingRate}
	s.env = func(int) []string {
		return []string{"DATABASE_URL=" + database, "REDIS_URL=" + redis, "BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + config}
	}
	var fleet []*member
	for _, name := range []string{"worker", "worker", "aggregator", "aggregator", "api", "api", "api"} {
		m := &member{name: name, env: s.env(partitions)}
		if name == "api" {
			m.env = append(m.env, "BUSU_DRAIN=5s") // the balancer needs to notice; it asks all the time
		}
		m.start(t, b)
		fleet = append(fleet, m)
	}
	s.begin()
	for range *rollingRounds {
		for _, m := range fleet {
			m.stop()
			b.remove(m.base)
			m.start(t, b)
			before := s.answers.Load()
			m.until("answers come", func() bool { return s.answers.Load() > before })
		}
	}
	s.pace()
	s.rest()
	for _, m := range fleet {
		m.stop()
	}
}

// pace stops the load, and holds that it was what was asked for.
func (s *scaled) pace() {
	s.t.Helper()
	const enough = .98 // those that are under way are missing
	s.ask()
	took := time.Since(s.began)
	s.asked.Wait()
	reached := float64(s.answers.Load()) / took.Seconds()
	s.t.Logf("%d requests in %s, %.0f a second, the slowest within %s", s.answers.Load(), took.Round(time.Second), reached, s.slowest.Round(time.Millisecond))
	if reached < enough*float64(s.rate) {
		s.t.Errorf("%.0f requests a second were answered, not %d: the machine is too busy for this", reached, s.rate)
	}
}
