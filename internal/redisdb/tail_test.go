package redisdb_test

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"

	"github.com/busuhq/busu/internal/storetest"
)

// after checks what is behind a position, and where that begins.
type after struct {
	position, behind string
	left             []event.Entry
}

func TestAfterTellsWhatIsGone(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	check := func(when string, wants ...after) {
		t.Helper()
		for _, w := range wants {
			got, behind, err := db.After(t.Context(), lane, w.position, 100)
			if err != nil || behind != w.behind || !slices.Equal(bodies(got), bodies(w.left)) {
				t.Errorf("%s, behind %s: %v behind %s (%v), want %v behind %s", when, w.position, bodies(got), behind, err, bodies(w.left), w.behind)
			}
		}
	}
	add := func(id, body string) {
		t.Helper()
		if err := plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "busu:completions:{0}", ID: id, Values: []any{"event", body}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(want string) {
		t.Helper()
		if got, err := db.End(t.Context(), lane); err != nil || got != want {
			t.Errorf("the end is %s (%v), want %s", got, err, want)
		}
	}
	check("without a stream", after{"0-0", "0-0", nil}, after{"5-0", "0-0", nil})
	end("0-0")

	es := entries(0, 6)
	for i, id := range []string{"10-0", "10-1", "20-0", "30-5", "40-0", "50-0"} {
		add(id, string(es[i].Body))
	}
	check("with everything there", after{"0-0", "0-0", es}, after{"10-0", "10-0", es[1:]}, after{"30-5", "30-5", es[4:]}, after{"50-0", "50-0", nil})
	check("at ids that are no entries", after{"15-0", "19-18446744073709551615", es[2:]}, after{"30-2", "30-4", es[3:]}, after{"60-0", "50-0", nil})
	end("50-0")
	if got, _, err := db.After(t.Context(), lane, "10-0", 2); err != nil || !slices.Equal(bodies(got), bodies(es[1:3])) {
		t.Errorf("two entries are %v (%v)", bodies(got), err)
	}

	c := db.NewConsumer(lane, "me")
	if err := c.Ack(t.Context(), read(t, c, 6)); err != nil {
		t.Fatal(err)
	}
	// Trimmed between two entries: who has seen the one before has missed nothing.
	if n, err := db.Trim(t.Context(), lane, time.UnixMilli(25), nil); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	check("after trimming", after{"0-0", "20-0", es[3:]}, after{"10-1", "20-0", es[3:]}, after{"20-0", "20-0", es[3:]}, after{"30-5", "30-5", es[4:]})
	if n, err := db.Trim(t.Context(), lane, time.UnixMilli(25), nil); err != nil || n != 0 {
		t.Errorf("%d were removed again (%v)", n, err)
	}

	storetest.Flush(t, plain)
	check("after Redis has lost everything", after{"30-5", "0-0", nil}, after{"0-0", "0-0", nil})
	add("70-0", string(es[0].Body))
	check("when it goes on", after{"30-5", "69-18446744073709551615", es[:1]}, after{"0-0", "0-0", es[:1]})
}
