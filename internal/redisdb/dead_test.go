package redisdb_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

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
	for i, e := range read(t, c, 3) {
		if err := c.Bury(t.Context(), e, fmt.Sprint("reason ", i)); err != nil {
			t.Fatal(err)
		}
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
	if err := db.Append(t.Context(), entries(0, 1)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	e := read(t, c, 1)[0]
	if err := c.Bury(t.Context(), e, "no JSON"); err != nil {
		t.Fatal(err)
	}
	dead := plain.XRange(t.Context(), "busu:dead", "-", "+").Val()
	want := map[string]any{"event": "body 0", "reason": "no JSON", "stream": "busu:completions:{0}", "id": e.ID}
	if len(dead) != 1 || !reflect.DeepEqual(dead[0].Values, want) {
		t.Errorf("dead letters: %v", dead)
	}
	if n := plain.XPending(t.Context(), "busu:completions:{0}", "persist").Val().Count; n != 0 {
		t.Errorf("%d entries are still pending", n)
	}
}
