package performance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/mock"
)

const (
	adminKey = "bench-key-of-this-run"
	cacheTTL = 30 * time.Second // the least there is: an API that has just begun knows what is kept after that time

	slowLatency  = 200 * time.Millisecond
	slowJitter   = 50 * time.Millisecond
	flakyShare   = .05
	tightCalls   = 32 // at the same time, of a provider with little room
	tightQueue   = 64
	tightLatency = 20 * time.Millisecond
)

// Models beside those that routing chooses from.
const (
	fixedModel = "large"
	slowModel  = "slow"
	flakyModel = "flaky"
	tightModel = "tight"
)

// busuYAML is a configuration with everything on that there is.
func (b *bench) busuYAML() string {
	provider := func(name, more string, behaviour mock.Behaviour) string {
		return fmt.Sprintf("  - {name: %s, kind: openai, base_url: \"http://%s%s\"%s}\n", name, b.mock, behaviour.Path(), more)
	}
	return "providers:\n" +
		fmt.Sprintf("  - {name: bench, kind: openai, base_url: \"http://%s/v1\", max_concurrency: 4096}\n", b.mock) +
		provider(slowModel, ", max_concurrency: 4096", mock.Behaviour{Latency: slowLatency, Jitter: slowJitter}) +
		provider(flakyModel, ", max_concurrency: 4096, retries: 3", mock.Behaviour{Failures: flakyShare}) +
		provider(tightModel, fmt.Sprintf(", max_concurrency: %d, queue: %d", tightCalls, tightQueue), mock.Behaviour{Latency: tightLatency}) +
		`models:
  - {id: small, provider: bench, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}
  - {id: medium, provider: bench, tier: moderate, input_usd_per_mtok: 1, output_usd_per_mtok: 4}
  - {id: large, provider: bench, tier: complex, input_usd_per_mtok: 2.5, output_usd_per_mtok: 10}
  - {id: slow, provider: slow, tier: complex, input_usd_per_mtok: 2.5, output_usd_per_mtok: 10}
  - {id: flaky, provider: flaky, tier: complex, input_usd_per_mtok: 2.5, output_usd_per_mtok: 10}
  - {id: tight, provider: tight, tier: complex, input_usd_per_mtok: 2.5, output_usd_per_mtok: 10}
routing: {strategy: hybrid, baseline_model: large}
cache: {ttl: 30s}
limits:
  when_unavailable: open
  projects: [{project: default, budget_usd: 10000}]
`
}

// introduce makes the key and the experiment that requests name.
func (r *rig) introduce(ctx context.Context) error {
	r.open = adminKey
	var key struct{ Key string }
	err := r.post(ctx, "/keys", map[string]any{"name": "bench", "role": "complete", "project": "default", "models": []string{"small", "medium", "large"},
		"requests_per_minute": 1_000_000_000, "tokens_per_minute": 1_000_000_000_000, "budget_usd": 9000, "budget_period": "month"}, &key)
	if err != nil {
		return err
	}
	r.key = key.Key
	var experiment struct{ ID string }
	err = r.post(ctx, "/experiments/start", map[string]any{"name": "bench", "control_strategy": "complexity", "test_strategy": "hybrid",
		"sample_size": 2 * mixUsers}, &experiment)
	r.experiment = experiment.ID
	if err != nil {
		return err
	}
	return r.awake(ctx)
}

// awake waits until the API has its shares of the key's limits and budgets: a
// new Redis first hears for a while what processes hold.
func (r *rig) awake(ctx context.Context) error {
	const soon = 20 * time.Millisecond
	warmUp := r.everythingOn().recipe(numbers*100, 0)
	conn, err := load.Dial(r.target().addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	for i := 0; ctx.Err() == nil; i++ {
		began := time.Now()
		if _, err := conn.Write(warmUp.request(nil, i)); err != nil {
			return err
		}
		reply, err := conn.Read(nil)
		if err != nil {
			return err
		}
		if reply.Status == http.StatusOK && time.Since(began) < soon {
			return nil
		}
	}
	return fmt.Errorf("the API takes its time for each request: %w", ctx.Err())
}

// post has the API answer a request of the admin's.
func (r *rig) post(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.api.Base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	return r.send(q, answer)
}

func (r *rig) get(ctx context.Context, path string, answer any) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.api.Base+path, nil)
	if err != nil {
		return err
	}
	return r.send(q, answer)
}

func (r *rig) send(q *http.Request, answer any) error {
	q.Header.Set("Authorization", "Bearer "+adminKey)
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %.300s", q.Method, q.URL.Path, response.Status, text)
	}
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(text, answer)
}
