package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
)

func TestRatioIsMadeWithinRounds(t *testing.T) {
	t.Parallel()
	r := &results{Rounds: 3, figures: map[string][]figures{}}
	for round, rate := range []float64{100, 50, 200} { // the machine's speed
		r.add("ours", round, figures{perSecond: 6 * rate})
		r.add("theirs", round, figures{perSecond: 2 * rate})
		if round != 1 {
			r.add("others", round, figures{perSecond: 3 * rate}) // failed once
		}
	}
	s, ok := r.ratio(perSecond, "ours", "theirs", "others", "none")
	if want := (summary{median: 2, least: 2, most: 3}); !ok || s != want {
		t.Errorf("%+v, not %+v", s, want)
	}
	if _, ok := r.ratio(perSecond, "ours", "none"); ok {
		t.Error("a ratio to nothing")
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var latencies []time.Duration
	for i := range 1000 {
		latencies = append(latencies, time.Duration(999-i)*time.Microsecond)
	}
	f := figures{}
	f.addPercentiles(latencies)
	if f[p50] != 500 || f[p99] != 990 || f[p999] != 999 {
		t.Error(f)
	}
	if got := percentile(nil, .5); got != 0 {
		t.Error(got)
	}
}

func TestReportNamesWhatFailed(t *testing.T) {
	t.Parallel()
	r := &results{Machine: &machine{}, Rounds: 1, Scenarios: []string{fullDrain, peerAsynq}, figures: map[string][]figures{},
		Failures: map[string]string{peerAsynq: "no reason"}}
	r.add(fullDrain, 0, figures{perSecond: 1234567})
	text := r.report()
	for _, want := range []string{"1,234,567", "**Failed:** " + peerAsynq + ": no reason"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if r.failure() == nil {
		t.Error("the run did not fail")
	}
}

func TestRuinedEntriesAreRefused(t *testing.T) {
	t.Parallel()
	c, err := newCorpus(20, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	for i, body := range c.bodies {
		if _, err := event.Decode(body); err != nil {
			t.Errorf("fact %d: %v", i, err)
		}
		entry := ruin(body, i)
		if _, err := event.Decode([]byte(entry[1].(string))); err == nil && entry[0] == "event" {
			t.Errorf("ruined entry %d can be decoded: %s", i, entry)
		}
	}
}
