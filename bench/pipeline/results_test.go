package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/event"
)

func TestReportNamesWhatFailed(t *testing.T) {
	t.Parallel()
	r := &results{Results: measure.NewResults(1)}
	r.Machine, r.Scenarios, r.Failures[peerAsynq] = &measure.Machine{}, []string{fullDrain, peerAsynq}, "no reason"
	r.Add(fullDrain, 0, figures{perSecond: 1234567})
	text := r.report()
	for _, want := range []string{"1,234,567", "**Failed:** " + peerAsynq + ": no reason"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if r.Failure() == nil {
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
