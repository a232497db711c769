package redisdb_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
)

func TestDismissTakesOnlyWhoHoldsNothing(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if n, err := db.Dismiss(t.Context(), lane, 0); err != nil || n != 0 {
		t.Errorf("without a stream: %d, %v", n, err)
	}
	if err := db.Append(t.Context(), entries(0, 1001)); err != nil {
		t.Fatal(err)
	}
	read(t, db.NewConsumer(lane, "holds"), 1000)
	done := db.NewConsumer(lane, "done")
	if err := done.Ack(t.Context(), read(t, done, 1)); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Dismiss(t.Context(), lane, time.Hour); err != nil || n != 0 {
		t.Errorf("%d busy consumers were dismissed: %v", n, err)
	}
	names := func() (names []string) {
		for _, c := range plain.XInfoConsumers(t.Context(), "busu:completions:{0}", "persist").Val() {
			names = append(names, c.Name)
		}
		return names
	}
	for deadline := time.Now().Add(10 * time.Second); slices.Contains(names(), "done") && time.Now().Before(deadline); {
		if _, err := db.Dismiss(t.Context(), lane, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if left := names(); !slices.Equal(left, []string{"holds"}) {
		t.Errorf("the consumers that are left are %v", left)
	}
}

func TestDeadLettersGoBack(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := db.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	var refused []event.Refused
	for i, e := range read(t, c, 3) {
		refused = append(refused, event.Refused{Entry: e, Reason: fmt.Sprint("reason ", i)})
	}
	if err := c.Bury(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	letters, err := db.DeadLetters(t.Context(), "", 2)
	if err != nil || len(letters) != 2 || letters[1].Reason != "reason 1" || letters[1].Body != "body 1" {
		t.Fatalf("dead letters: %+v, %v", letters, err)
	}
	if rest, err := db.DeadLetters(t.Context(), letters[1].ID, 10); err != nil || len(rest) != 1 {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
	if one, err := db.DeadLetter(t.Context(), letters[1].ID); err != nil || one != letters[1] {
		t.Errorf("one: %+v, %v", one, err)
	}
	if err := db.Replay(t.Context(), letters[1].ID); err != nil {
		t.Fatal(err)
	}
	if err := db.Replay(t.Context(), letters[1].ID); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("replayed twice: %v", err)
	}
	if got := bodies(read(t, c, 1)); !slices.Equal(got, []string{"body 1"}) {
		t.Errorf("the replayed entry reads %v", got)
	}
	if n := plain.XLen(t.Context(), "busu:dead").Val(); n != 2 {
		t.Errorf("%d dead letters are left", n)
	}
}

func TestBuryKeepsTheBytesAndAcknowledges(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := db.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	got := read(t, c, 3)
	if err := c.Bury(t.Context(), []event.Refused{{Entry: got[0], Reason: "no JSON"}, {Entry: got[2], Reason: "no fact"}}); err != nil {
		t.Fatal(err)
	}
	dead := plain.XRange(t.Context(), "busu:dead", "-", "+").Val()
	if len(dead) != 2 {
		t.Fatalf("dead letters: %v", dead)
	}
	for i, want := range []map[string]any{
		{"event": "body 0", "reason": "no JSON", "stream": "busu:completions:{0}", "id": got[0].ID},
		{"event": "body 2", "reason": "no fact", "stream": "busu:completions:{0}", "id": got[2].ID}} {
		if !reflect.DeepEqual(dead[i].Values, want) {
			t.Errorf("dead letter %d: %v", i, dead[i])
		}
	}
	left := plain.XPending(t.Context(), "busu:completions:{0}", "persist").Val()
	if left.Count != 1 || left.Lower != got[1].ID {
		t.Errorf("pending are %d entries from %s on, not only %s", left.Count, left.Lower, got[1].ID)
	}
	if err := c.Bury(t.Context(), nil); err != nil {
		t.Errorf("burying nothing: %v", err)
	}
}

// TestReplayWhileOthersAreBuried: what comes and goes meanwhile does not stand
// in its way, and each letter is put back once.
func TestReplayWhileOthersAreBuried(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	consumer := db.NewConsumer(lane, "one")
	const n = 200
	var entries []event.Entry
	for i := range n {
		entries = append(entries, event.Entry{Lane: lane, Body: fmt.Appendf(nil, "bad %d", i)})
	}
	if err := db.Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	var replayed atomic.Int64
	var all sync.WaitGroup
	all.Go(func() {
		for read := 0; read < n; {
			got, err := consumer.Read(t.Context(), time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			for _, e := range got[:min(len(got), n-read)] {
				if err := consumer.Bury(t.Context(), []event.Refused{{Entry: e, Reason: "bad"}}); err != nil {
					t.Error(err)
				}
			}
			read += len(got)
		}
	})
	for range 3 {
		all.Go(func() {
			for deadline := time.Now().Add(20 * time.Second); replayed.Load() < n && time.Now().Before(deadline); {
				letters, err := db.DeadLetters(t.Context(), "", n)
				if err != nil {
					t.Error(err)
				}
				for _, l := range letters {
					switch err := db.Replay(t.Context(), l.ID); {
					case err == nil:
						replayed.Add(1)
					case !errors.Is(err, redisdb.ErrNone):
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if replayed.Load() != n {
		t.Errorf("%d of %d were put back", replayed.Load(), n)
	}
}
