package webhook_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/webhook"
)

func TestAfter(t *testing.T) {
	t.Parallel()
	now := exampleTime()
	for name, c := range map[string]struct {
		attempt webhook.Attempt
		chance  float64
		want    webhook.State
		wait    time.Duration
	}{
		"delivered":                  {webhook.Attempt{Number: 1, Status: 204}, 0, webhook.Delivered, 0},
		"first":                      {webhook.Attempt{Number: 1, Status: 500, Error: "x"}, 0, webhook.Waiting, 5 * time.Second},
		"with jitter":                {webhook.Attempt{Number: 2, Error: "x"}, .5, webhook.Waiting, 330 * time.Second},
		"fifth":                      {webhook.Attempt{Number: 5, Error: "x"}, 0, webhook.Waiting, 5 * time.Hour},
		"the last but one":           {webhook.Attempt{Number: 7, Error: "x"}, 0, webhook.Waiting, 10 * time.Hour},
		"the last":                   {webhook.Attempt{Number: 8, Error: "x"}, 0, webhook.Failed, 0},
		"gone":                       {webhook.Attempt{Number: 1, Status: 410, Error: "x"}, 0, webhook.Failed, 0},
		"asked to wait":              {webhook.Attempt{Number: 1, Status: 429, Error: "x", RetryAfter: time.Minute}, 0, webhook.Waiting, time.Minute},
		"asked to wait less":         {webhook.Attempt{Number: 2, Status: 429, Error: "x", RetryAfter: time.Minute}, 0, webhook.Waiting, 5 * time.Minute},
		"asked to wait for ever":     {webhook.Attempt{Number: 1, Status: 503, Error: "x", RetryAfter: 1e6 * time.Hour}, 0, webhook.Waiting, 24 * time.Hour},
		"cut off":                    {webhook.Attempt{Number: 3, Error: "x", CutOff: true}, 0, webhook.Waiting, 5 * time.Second},
		"cut off at the last":        {webhook.Attempt{Number: 8, Error: "x", CutOff: true}, 0, webhook.Waiting, 5 * time.Second},
		"one that was never counted": {webhook.Attempt{Error: "x"}, 0, webhook.Waiting, 5 * time.Second},
	} {
		got := webhook.After(c.attempt, now, c.chance)
		if got.State != c.want || c.want == webhook.Waiting && !got.At.Equal(now.Add(c.wait)) {
			t.Errorf("%s: %s in %s", name, got.State, got.At.Sub(now))
		}
	}
}

// A receiver that is away is tried for about a day, and not in a hurry.
func TestItIsTriedForADay(t *testing.T) {
	t.Parallel()
	for _, chance := range []float64{0, .999} {
		at, n := exampleTime(), 0
		for state := webhook.Waiting; state == webhook.Waiting; {
			n++
			next := webhook.After(webhook.Attempt{Number: n, Error: "x"}, at, chance)
			if state = next.State; state == webhook.Waiting {
				at = next.At
			}
		}
		if lasted := at.Sub(exampleTime()); n != 8 || lasted < 24*time.Hour || lasted > 36*time.Hour {
			t.Errorf("%d attempts within %s", n, lasted)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-1": 0, "soon": 0, "1.5": 0, "99999999999999999999": 0,
		"Thu, 26 Nov 2026 12:01:30 GMT": 90 * time.Second, "Thu, 26 Nov 2026 11:00:00 GMT": 0, "Thu, 26 Nov 2026 12:01:30 CET": 0,
	} {
		if got := webhook.RetryAfter(header, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
