package demo

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The live metrics count late, or not at all.
func TestDriveWaitsForTheLiveMetrics(t *testing.T) {
	t.Parallel()
	const late = 300 * time.Millisecond
	f := newFakeBusu(t, nil)
	var all time.Time
	f.counted = func(answered int) (int, bool) {
		switch {
		case answered < 20:
			return answered, true
		case all.IsZero():
			all = time.Now()
		}
		if time.Since(all) < late/2 {
			return 0, false // Redis is away for a moment
		}
		if time.Since(all) < late {
			return 19, true
		}
		return 20, true
	}
	r, err := Drive(t.Context(), Options{BaseURL: f.server.URL, Requests: 20})
	if err != nil || !r.Live.All || r.Live.After < late || r.Live.Shown != 20 {
		t.Errorf("live %+v, %v", r.Live, err)
	}
	var b bytes.Buffer
	if r.Write(&b); !strings.Contains(b.String(), "had all of them 0.") {
		t.Errorf("%s", b.String())
	}
}

// What no model answered is recorded, too; what was refused is not.
func TestLiveMetricsHaveFailures(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, func(n int64, w http.ResponseWriter, r *http.Request) bool {
		if n > 4 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader([]int{502, 502, 503, 502}[n-1])
		return true
	})
	f.counted = func(answered int) (int, bool) {
		if answered < 6 {
			return 0, true
		}
		return 6 + 3, true
	}
	r, err := Drive(t.Context(), Options{BaseURL: f.server.URL, Requests: 10, Concurrency: 1})
	if err != nil || !r.Live.All || r.Live.Shown != 9 {
		t.Errorf("live %+v, %v", r.Live, err)
	}
}

func TestLiveMetricsThatNeverCome(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, nil)
	f.counted = func(answered int) (int, bool) { return min(answered, 7), true }
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Drive(ctx, Options{BaseURL: f.server.URL, Requests: 10, Progress: func(done, _ int) {
		if done == 10 {
			time.AfterFunc(100*time.Millisecond, cancel) // nobody waits ten seconds in a test
		}
	}})
	var b bytes.Buffer
	r.Write(&b)
	if err != nil || r.Live.All || r.Live.Shown != 7 || !strings.Contains(b.String(), "had 7 of them: is the aggregator running?") {
		t.Errorf("live %+v, %v\n%s", r.Live, err, b.String())
	}

	f.counted = func(int) (int, bool) { return 0, false }
	if r, err := Drive(t.Context(), Options{BaseURL: f.server.URL, Requests: 10}); err != nil || r.Live.Asked {
		t.Errorf("without any, %+v, %v", r.Live, err)
	}
}
