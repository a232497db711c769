package redisdb_test

import (
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/storetest"
)

func TestTailGivesAllInOrder(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := db.Append(t.Context(), entries(0, 300)); err != nil {
		t.Fatal(err)
	}
	first, err := db.Tail(t.Context(), lane, "", 200)
	if err != nil || len(first) != 200 {
		t.Fatalf("%d entries: %v", len(first), err)
	}
	rest, err := db.Tail(t.Context(), lane, first[199].ID, 200)
	if err != nil || !slices.Equal(bodies(append(first, rest...)), bodies(entries(0, 300))) {
		t.Fatalf("read %v: %v", bodies(append(first, rest...)), err)
	}
	if none, err := db.Tail(t.Context(), lane, rest[99].ID, 1); err != nil || len(none) != 0 {
		t.Fatalf("behind the end there is %v: %v", none, err)
	}
	if n := plain.XLen(t.Context(), "busu:completions:{0}").Val(); n != 300 {
		t.Errorf("the public stream holds %d entries", n)
	}
}

func TestConsumerGetsItsOwnAgain(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Append(t.Context(), entries(0, 2500)); err != nil {
		t.Fatal(err)
	}
	before := db.NewConsumer(lane, "me")
	got := read(t, before, 2000)
	if err := before.Ack(t.Context(), got[:500]); err != nil {
		t.Fatal(err)
	}
	again := read(t, db.NewConsumer(lane, "me"), 2000)
	if !slices.Equal(bodies(again), bodies(entries(500, 2000))) {
		t.Errorf("after a restart %d entries from %q to %q", len(again), again[0].Body, again[len(again)-1].Body)
	}
}

func TestDeliveriesAreCounted(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	for before := range int64(4) {
		for _, e := range read(t, db.NewConsumer(lane, "me"), 3) {
			if e.Deliveries != before {
				t.Errorf("%s was delivered %d times before, it says %d", e.ID, before, e.Deliveries)
			}
		}
	}
}

func TestTwoConsumersShare(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Append(t.Context(), entries(0, 2000)); err != nil {
		t.Fatal(err)
	}
	one, other := read(t, db.NewConsumer(lane, "one"), 1000), read(t, db.NewConsumer(lane, "other"), 1000)
	all := bodies(append(one, other...))
	slices.Sort(all)
	if all = slices.Compact(all); len(all) != 2000 {
		t.Errorf("two consumers got %d different entries of 2000", len(all))
	}
}

func TestGroupIsMadeAgainFromTheBeginning(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.NewConsumer(lane, "me")
	if err := db.Append(t.Context(), entries(0, 10)); err != nil {
		t.Fatal(err)
	}
	read(t, c, 10)
	storetest.Flush(t, plain)
	if err := db.Append(t.Context(), entries(10, 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), time.Now()); err == nil {
		t.Error("a lost group goes unnoticed")
	}
	if got := bodies(read(t, c, 5)); !slices.Equal(got, bodies(entries(10, 5))) {
		t.Errorf("after the group was lost: %v", got)
	}
}
