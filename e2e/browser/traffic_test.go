package browser

import (
	"context"
	"encoding/json"
	"errors"
)

const experimentName = "hybrid against complexity"

// ids are those of what traffic made, for pages of one thing.
var ids struct{ request, experiment string }

// traffic makes what fills all pages, and waits until all of it is stored.
func traffic(ctx context.Context) (func() error, error) {
	var started struct{ ID string }
	err := server.Post(ctx, "/experiments/start", map[string]any{"name": experimentName, "control_strategy": "complexity", "test_strategy": "hybrid",
		"sample_size": 400, "observation": "1s", "feedback_window": "1s", "min_duration": "1s"}, &started)
	if err != nil {
		return nil, err
	}
	ids.experiment = started.ID
	for _, key := range []map[string]any{
		{"name": "search", "project": "default", "role": "complete", "budget_usd": 20, "budget_period": "day"},
		{"name": "board", "project": "default", "role": "read"},
	} {
		if err := server.Post(ctx, "/keys", key, nil); err != nil {
			return nil, err
		}
	}
	requests, concurrency := "1500", "32"
	if *pictures != "" { // longer, so that there is a course to see
		requests, concurrency = "2400", "8"
	}
	if _, err := server.Run(ctx, "demo", "--requests", requests, "--users", "400", "--concurrency", concurrency, "--feedback-rate", "0.5"); err != nil {
		return nil, err
	}
	if err := quiet(ctx); err != nil {
		return nil, err
	}
	ids.request, err = newestRequest(ctx)
	return done, err
}

func newestRequest(ctx context.Context) (string, error) {
	body, err := server.Get(ctx, "/requests?limit=1&status=ok&cache=miss")
	if err != nil {
		return "", err
	}
	var found struct {
		Requests []struct {
			ID string `json:"request_id"`
		}
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return "", err
	}
	if len(found.Requests) == 0 {
		return "", errors.New("no request is on record")
	}
	return found.Requests[0].ID, nil
}
