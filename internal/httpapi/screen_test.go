package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/rollup"
)

// numbered numbers its snapshots, each of which takes a moment to read.
type numbered struct {
	fakeMetrics
	reads atomic.Int64
}

func (m *numbered) Live(ctx context.Context, project string) (rollup.Snapshot, error) {
	s, err := m.fakeMetrics.Live(ctx, project)
	time.Sleep(10 * time.Millisecond) // synctest's
	s.TotalRequests = m.reads.Add(1)
	return s, err
}

// TestManyWhoLook cause one reading in a while, whether they ask or listen.
func TestManyWhoLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(numbered)
		s := serveLive(t, func(s *setup) { s.metrics = m })
		const listeners, seconds = 100, 10
		began := time.Now()
		var all sync.WaitGroup
		for range listeners {
			all.Go(func() {
				conn := s.connect(t, "?interval=1s")
				for range seconds {
					next(t, conn)
				}
				_ = conn.CloseNow()
			})
		}
		all.Wait()
		synctest.Wait()
		if took := time.Since(began); took < (seconds-1)*time.Second || took > seconds*time.Second {
			t.Errorf("%d snapshots came in %s", seconds, took)
		}
		if n := m.reads.Load(); n > 4*seconds+1 || n < seconds {
			t.Errorf("%d listeners for %d s caused %d readings", listeners, seconds, n)
		}
		s.ended(t)
	})
}

// TestSlowListenerGetsTheLatest, not all that it has missed.
func TestSlowListenerGetsTheLatest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(numbered)
		s := serveLive(t, func(s *setup) { s.metrics = m })
		conn := s.connect(t, "?interval=1s")
		number := func() int64 {
			_, body, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				N int64 `json:"total_requests"`
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			return got.N
		}
		if n := number(); n != 1 {
			t.Errorf("the first is %d", n)
		}
		time.Sleep(4 * time.Second) // the next one waits to be taken meanwhile
		m.reads.Store(100)
		if n := number(); n != 2 {
			t.Errorf("what was on its way is %d", n)
		}
		if n := number(); n != 101 {
			t.Errorf("the next is %d, want the latest", n)
		}
		_ = conn.CloseNow()
		synctest.Wait()
		s.ended(t)
	})
}

// TestNobodyWaitsWhereManyLook: Redis may take its time, what was read last is
// shown meanwhile, and never for long.
func TestNobodyWaitsWhereManyLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(numbered)
		s := serveLive(t, func(s *setup) { s.metrics = m })
		ask := func() (n int64, took time.Duration) {
			began := time.Now()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/metrics/live", nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := s.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			var got struct {
				N int64 `json:"total_requests"`
			}
			if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			return got.N, time.Since(began)
		}
		if n, took := ask(); n != 1 || took != 10*time.Millisecond {
			t.Errorf("the first who asks gets %d after %s", n, took)
		}
		waited := 0
		for range 1000 {
			time.Sleep(5 * time.Millisecond)
			if _, took := ask(); took > 0 {
				waited++
			}
		}
		if n := m.reads.Load(); waited > 0 || n < 15 || n > 21 {
			t.Errorf("in 5 s %d of 1000 waited, for %d readings", waited, n)
		}
		last := m.reads.Load()
		time.Sleep(time.Second)
		if n, took := ask(); n != last+1 || took != 10*time.Millisecond {
			t.Errorf("who asks after a second gets %d after %s, want a new one", n, took)
		}
		synctest.Wait()
	})
}

// TestScreenForgets what nobody can be shown any more, so that callers who name
// one project after the other do not fill the memory.
func TestScreenForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		screen, most := httpapi.NewScreen(new(numbered)), 0
		for i := range 1000 {
			if err := screen.Look(t.Context(), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			most = max(most, screen.Kept())
		}
		if most < 75 || most > 155 {
			t.Errorf("%d snapshots were kept, want those of three quarters of a second, and of as long until the next look", most)
		}
	})
}
