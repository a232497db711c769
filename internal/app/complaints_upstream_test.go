package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// beside is a provider that hangs, which is asked first, and another beside it.
const beside = `
providers:
  - {name: hanging, kind: openai, base_url: "VENDOR/v1", retries: 1, max_concurrency: 8, timeout: 1s, attempt_timeout: 500ms}
  - {name: well, kind: openai, base_url: "VENDOR/v1", retries: 0}
  - {name: third, kind: openai, base_url: "VENDOR/v1", retries: 0}
models:
  - {id: hanging, provider: hanging, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}
  - {id: well, provider: well, tier: simple, input_usd_per_mtok: 2, output_usd_per_mtok: 20}
  - {id: third, provider: third, tier: simple, input_usd_per_mtok: 3, output_usd_per_mtok: 30}
cache: {enabled: false}
`

// Complaint: one provider that hangs makes all others slow. What else keeps the
// machine busy is the same before: a crowd, which first asks one that is well.
func TestComplaintHangingProviderSlowsOthers(t *testing.T) {
	t.Parallel()
	good := says("All is well.", few)
	v := newVendor(t, map[string]script{"hanging": hangs, "well": good, "third": good})
	h := newHouse(t, v, beside)
	var usual, with []time.Duration
	h.crowded([]string{"third"}, func() { usual = h.latencies("well") })
	h.crowded([]string{"auto", "hanging"}, func() {
		h.until("calls hang", func() bool { return h.metric(`busu_provider_in_flight{provider="hanging"}`) > 0 })
		with = h.latencies("well")
	})
	for _, p := range []int{50, 99} {
		t.Logf("p%d beside a provider that hangs: %s, before %s", p, percentile(with, p), percentile(usual, p))
		if percentile(with, p) > 10*percentile(usual, p) {
			t.Errorf("p%d went from %s to %s", p, percentile(usual, p), percentile(with, p))
		}
	}
	h.inTime(v)
}

// crowded does something while a crowd asks for models, and checks that each
// of them gets an answer, or is told why not.
func (h *house) crowded(models []string, do func()) {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	var crowd sync.WaitGroup
	for i := range 32 { // more than it has room for
		crowd.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				model := models[n%len(models)]
				r, err := h.open(ctx, "/v1/chat/completions", question("/v1/chat/completions", model, "Hello?", "crowd", n%4 < 2))
				if err != nil {
					continue // we leave
				}
				body, err := io.ReadAll(r.Body)
				r.Body.Close()
				switch {
				case err != nil:
				case model != "hanging" && (r.StatusCode != http.StatusOK || !strings.Contains(string(body), "well")):
					h.t.Errorf("a model was well, and the caller got %d %s", r.StatusCode, body)
				case model == "hanging" && r.StatusCode != http.StatusBadGateway && r.StatusCode != http.StatusServiceUnavailable:
					h.t.Errorf("the provider hangs, and the caller got %d %s", r.StatusCode, body)
				case model == "hanging" && !strings.Contains(string(body), "no model answered: tried hanging"):
					h.t.Errorf("the caller is not told why: %s", body)
				}
			}
		})
	}
	do()
	stop()
	crowd.Wait()
}

// inTime asks the provider that hangs alone: the answer comes when its timeout
// says, and not when the client's patience ends.
func (h *house) inTime(v *vendor) {
	h.t.Helper()
	began := time.Now()
	r := h.send("/complete", question("/complete", "hanging", "Alone?", "alone", false))
	if took := time.Since(began); r.status != http.StatusBadGateway || took > 10*time.Second {
		h.t.Errorf("with a timeout of 1s the answer was %d after %s", r.status, took)
	}
	asked := 0 // calls of the crowd may still come
	for _, c := range v.got("hanging") {
		asked += strings.Count(c.body, "Alone?")
	}
	if asked > 1 {
		h.t.Errorf("a vendor that may have worked was asked %d times", asked)
	}
}

// latencies are those of some hundred requests, sorted.
func (p *process) latencies(model string) []time.Duration {
	p.t.Helper()
	const clients, each = 4, 50
	took := make([]time.Duration, clients*each)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := range each {
				began := time.Now()
				if r := p.send("/complete", question("/complete", model, fmt.Sprint(c, i, began), "steady", false)); r.status != http.StatusOK {
					p.t.Errorf("status %d: %s", r.status, r.body)
				}
				took[c*each+i] = time.Since(began)
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

func percentile(sorted []time.Duration, p int) time.Duration { return sorted[(len(sorted)-1)*p/100] }

// fates are what a vendor may do with a call, how often it is asked when three
// retries are allowed, and whether there is an answer in the end.
func fates() map[string]fate {
	half := func(w http.ResponseWriter, _ *http.Request, _ call) {
		w.Header().Set("Content-Length", "1000")
		send(w, `{"choices": [{"message": {"content": "Half`)
		panic(http.ErrAbortHandler)
	}
	good := says("A good answer.", few)
	return map[string]fate{
		"answers":           {good, 1, true},
		"refuses-twice":     {first(2, refuses(http.StatusServiceUnavailable, "later"), good), 3, true},
		"full-twice":        {first(2, refuses(http.StatusTooManyRequests, "later"), good), 3, true},
		"refuses-always":    {refuses(http.StatusServiceUnavailable, "later"), 4, false},
		"rejects":           {refuses(http.StatusBadRequest, "salty"), 1, false},
		"takes-it-and-dies": {dies, 1, false},
		"dies-in-answer":    {half, 1, false},
		"hangs":             {hangs, 1, false},
		"edge-times-out":    {refuses(http.StatusGatewayTimeout, "later"), 1, false},
		"nonsense":          {func(w http.ResponseWriter, _ *http.Request, _ call) { reply200(w, `{"usage": {}`) }, 1, false},
		"words-then-dies":   {begins(3, breaking, few, dies), 1, false},
		"words-then-fails": {begins(3, breaking, few, func(w http.ResponseWriter, r *http.Request, c call) {
			if c.stream {
				errorFrame(w, r, c)
				return
			}
			dies(w, r, c)
		}), 1, false},
	}
}

type fate struct {
	does  script
	calls int
	good  bool
}

// Complaint: a retry pays twice. Only what cannot have been charged is asked
// again.
func TestComplaintRetryPaysTwice(t *testing.T) {
	t.Parallel()
	scripts, models := map[string]script{}, []string{}
	for name, f := range fates() {
		for _, stream := range []bool{false, true} {
			model := fmt.Sprintf("%s-%t", name, stream)
			scripts[model], models = f.does, append(models, model)
		}
	}
	v := newVendor(t, scripts)
	h := newHouse(t, v, strings.ReplaceAll(cached(models...), "retries: 0", "retries: 3, timeout: 20s, attempt_timeout: 1s"))
	for name, f := range fates() {
		for _, stream := range []bool{false, true} {
			model := fmt.Sprintf("%s-%t", name, stream)
			r := h.send("/complete", question("/complete", model, "Hello?", model, stream))
			if strings.Contains(r.body, "A good answer.") != f.good {
				t.Errorf("%s: %d %s", model, r.status, r.body)
			}
			if n := len(v.got(model)); n != f.calls {
				t.Errorf("%s was asked %d times, not %d", model, n, f.calls)
			}
			got := h.row(model)
			if (got.Status == "ok") != f.good || got.Model != model || f.good && got.Cost != 1000*few.in+10000*few.out {
				t.Errorf("%s: recorded %+v", model, got)
			}
			if n := h.metric(`busu_provider_retries_total{provider="` + model + `"}`); n != float64(f.calls-1) {
				t.Errorf("%s: %g retries are counted", model, n)
			}
		}
	}
}
