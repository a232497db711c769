package demo

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Live is when the live snapshot had all requests of a drive.
type Live struct {
	Asked bool          // it could be read, before and after
	All   bool          // it had them all
	After time.Duration // the last answer: when it had them all, or when waiting ended
	Shown int64         // requests that it had then
}

const (
	lookEvery  = 20 * time.Millisecond
	lookWithin = 2 * time.Second  // for one look
	lookUpTo   = 10 * time.Second // after the last answer
)

// watch looks at the live snapshot until it has n requests more than before.
// What others send at the same time counts as ours: then it is a lower bound.
func watch(ctx context.Context, o Options, before, n int64, last time.Time) Live {
	l := Live{}
	for {
		total, ok := total(ctx, o)
		l.After = time.Since(last)
		if ok {
			l.Asked, l.Shown = true, total-before
		}
		l.All = ok && l.Shown >= n
		if l.All || l.After > lookUpTo || ctx.Err() != nil {
			return l
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// total is how many requests the live snapshot has in all. While Redis is away
// it does not say.
func total(ctx context.Context, o Options) (n int64, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	request, err := newRequest(ctx, o, http.MethodGet, "/metrics/live", nil)
	if err != nil {
		return 0, false
	}
	response, err := o.Client.Do(request)
	if err != nil {
		return 0, false
	}
	defer response.Body.Close()
	var snapshot struct {
		Totals *struct {
			Requests int64 `json:"total_requests"`
		} `json:"totals"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(&snapshot)
	if err != nil || response.StatusCode != http.StatusOK || snapshot.Totals == nil {
		return 0, false
	}
	return snapshot.Totals.Requests, true
}
