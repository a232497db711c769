package event_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
)

func TestLaterHeartbeats(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	beat := func(after time.Duration, open int, seqs map[string]int64) event.Heartbeat {
		return event.Heartbeat{Journal: "j", At: noon.Add(after), OpenIntents: open, Seqs: seqs}
	}
	ten := map[string]int64{"completions/0": 4, "completions/1": 6}
	more := map[string]int64{"completions/0": 4, "completions/1": 7}
	for name, c := range map[string]struct {
		b, than event.Heartbeat
		later   bool
	}{
		"time decides where nothing was numbered":   {beat(time.Second, 2, ten), beat(0, 0, ten), true},
		"and not for one that is older":             {beat(0, 2, ten), beat(time.Second, 0, ten), false},
		"nor for the same":                          {beat(0, 2, ten), beat(0, 2, ten), false},
		"numbers decide though the clock went back": {beat(-90*time.Second, 0, more), beat(0, 9, ten), true},
		"also the other way round":                  {beat(90*time.Second, 9, ten), beat(0, 0, more), false},
		"one with nothing numbered but open is old": {beat(time.Second, 1, nil), beat(0, 0, ten), false},
		"the last one of an id comes after all":     {beat(-90*time.Second, 0, nil), beat(0, 9, ten), true},
	} {
		if c.b.Later(c.than) != c.later {
			t.Errorf("%s: %t", name, !c.later)
		}
	}
}
