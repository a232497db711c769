package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/httpapi"
)

// fickle is a store that is away when told so, or hangs.
type fickle struct{ away, hangs atomic.Bool }

func (f *fickle) check(ctx context.Context) error {
	if f.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.away.Load() {
		return errors.New("connection refused")
	}
	return nil
}

// watched is an API on pipes with two stores, and a check that is none.
type watched struct {
	*liveStack
	redis, postgres, schema fickle
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := new(watched)
	w.liveStack = serveLive(t, func(s *setup) {
		s.checks = []httpapi.Check{{Name: "postgres", Run: w.postgres.check, Store: true},
			{Name: "redis", Run: w.redis.check, Store: true}, {Name: "schema", Run: w.schema.check}}
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { _ = w.Health.Watch(ctx) }()
	t.Cleanup(func() { cancel(); synctest.Wait() })
	synctest.Wait()
	return w
}

func (w *watched) read(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Everybody hears what is away, a store that is down or one that hangs:
// callers, balancers, Prometheus, and who reads the ledger later.
func TestWhatIsAwayIsSaid(t *testing.T) {
	t.Parallel()
	set := func(w *watched, postgres, redis bool) {
		w.postgres.hangs.Store(postgres)
		w.redis.away.Store(redis)
	}
	for _, c := range []struct {
		postgres, redis bool
		degraded        []string
	}{{false, true, []string{"redis"}}, {true, false, []string{"postgres"}}, {true, true, []string{"postgres", "redis"}}} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(26 * 365 * 24 * time.Hour) // the bubble begins in 2000, and no fact may be that old
			w := watch(t)
			w.schema.away.Store(true) // no store
			w.said(t, nil)
			set(w, c.postgres, c.redis)
			time.Sleep(3 * time.Second) // in the bubble: a look a second, each a second long at most
			w.said(t, c.degraded)
			if n := strings.Count(w.log.String(), "does not answer"); n != len(c.degraded) {
				t.Errorf("the log says %d times that a store is away:\n%s", n, w.log)
			}
			set(w, false, false)
			time.Sleep(3 * time.Second)
			w.said(t, nil)
			if n := strings.Count(w.log.String(), "answers again"); n != len(c.degraded) {
				t.Errorf("the log says %d times that a store is back:\n%s", n, w.log)
			}
		})
	}
}

// said checks that exactly these stores are said to be away, everywhere.
func (w *watched) said(t *testing.T, away []string) {
	t.Helper()
	list := `"degraded":[]`
	if len(away) > 0 {
		list = `"degraded":["` + strings.Join(away, `","`) + `"]`
	}
	if status, body := w.read(t, "POST", "/complete", `{"prompt": "hello"}`); status != 200 || !strings.Contains(body, list) {
		t.Errorf("%v away: status %d, %s", away, status, body)
	}
	w.recorded(t, away)
	if status, body := w.read(t, "POST", "/v1/chat/completions", `{"model": "auto", "messages": [{"role": "user", "content": "hi"}]}`); status != 200 {
		t.Errorf("%v away: status %d, %s", away, status, body)
	}
	w.recorded(t, away)
	_, ready := w.read(t, "GET", "/readyz", "")
	_, metrics := w.read(t, "GET", "/metrics", "")
	for _, store := range []string{"postgres", "redis"} {
		word, up := "ok", 1
		if slices.Contains(away, store) {
			word, up = "failing", 0
		}
		if want := fmt.Sprintf(`%q:%q`, store, word); !strings.Contains(ready, want) {
			t.Errorf("%v away: /readyz has no %s: %s", away, want, ready)
		}
		if want := fmt.Sprintf("busu_store_up{store=%q} %d\n", store, up); !strings.Contains(metrics, want) {
			t.Errorf("%v away: /metrics has no %s", away, want)
		}
	}
}

// recorded looks at the next fact, which is there when the answer is.
func (w *watched) recorded(t *testing.T, away []string) {
	t.Helper()
	select {
	case f := <-w.Ledger.recorded:
		if !slices.Equal(f.Degraded, away) {
			t.Errorf("%v away: the fact says %v", away, f.Degraded)
		}
	default:
		t.Errorf("%v away: nothing was recorded", away)
	}
}
