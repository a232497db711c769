package event_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
)

// Where and when a fact says that it belongs is held against where and when it
// was found.
func TestEntriesInTheirPlace(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := eventtest.Completion(rand.New(rand.NewPCG(1, 1)), at)
	eventtest.Number("j", 1, f)
	body, err := event.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	lane := event.Lane{Stream: event.Completions}
	came := func(after time.Duration) string { return fmt.Sprintf("%d-7", at.Add(after).UnixMilli()) }
	const year = 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		e     event.Entry
		says  string
		known bool // the fact comes with the error
	}{
		"at once":               {event.Entry{Lane: lane, ID: came(time.Second), Body: body}, "", true},
		"months later":          {event.Entry{Lane: lane, ID: came(year), Body: body}, "", true},
		"from a clock that was": {event.Entry{Lane: lane, ID: came(-year), Body: body}, "", true},
		"on its way":            {event.Entry{Lane: lane, Body: body}, "", true},
		"years later":           {event.Entry{Lane: lane, ID: came(2 * year), Body: body}, "more than a year", true},
		"years before":          {event.Entry{Lane: lane, ID: came(-2 * year), Body: body}, "more than a year", true},
		"somewhere else":        {event.Entry{Lane: event.Lane{Partition: 3}, ID: came(0), Body: body}, "partition 0 on partition 3", false},
		"no fact":               {event.Entry{Lane: lane, ID: came(0), Body: body[1:]}, "invalid", false},
		"nothing":               {event.Entry{Lane: lane, ID: came(0)}, "unexpected end", false},
	} {
		got, err := c.e.Completion()
		if (got != nil) != c.known || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: fact %t, %v", name, got != nil, err)
		}
	}
}
