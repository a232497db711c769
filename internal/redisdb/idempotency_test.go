package redisdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/redisdb"
)

// keepRepeat keeps an answer of a user's under a key.
func keepRepeat(t *testing.T, s redisdb.Idempotency, key, project, user string) {
	t.Helper()
	if _, err := s.Begin(t.Context(), key, "print", "token"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Own(t.Context(), key, project, user), s.End(t.Context(), key, "token", []byte(key))); err != nil {
		t.Fatal(err)
	}
}

// isKept asks for what is kept under a key as somebody who wants it again, and
// leaves the key as it was.
func isKept(t *testing.T, s redisdb.Idempotency, key string) bool {
	t.Helper()
	answer, err := s.Begin(t.Context(), key, "print", "looks")
	if err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		if err := s.End(t.Context(), key, "looks", nil); err != nil {
			t.Fatal(err)
		}
	}
	return answer != nil
}

// A user's repetitions go with them, and nobody else's.
func TestForgetRepetitionsOfAUser(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s := redisdb.Idempotency{DB: db}
	for i := range 1500 { // more than a page
		keepRepeat(t, s, fmt.Sprint("a", i), "p", "ann")
	}
	keepRepeat(t, s, "b", "p", "bob")
	keepRepeat(t, s, "c", "other", "ann")
	for _, want := range []int64{1500, 0} {
		removed, err := s.ForgetUser(t.Context(), "p", "ann")
		if err != nil || len(removed) != 1 || removed["idempotency"] != want {
			t.Errorf("removed %v, want %d: %v", removed, want, err)
		}
	}
	for key, want := range map[string]bool{"a0": false, "a1499": false, "b": true, "c": true} {
		if isKept(t, s, key) != want {
			t.Errorf("%s is kept: %v", key, !want)
		}
	}
}

// What a request brings whose user was forgotten meanwhile is not kept.
func TestRepetitionUnderWayIsNotKept(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s := redisdb.Idempotency{DB: db}
	if _, err := s.Begin(t.Context(), "k", "print", "token"); err != nil {
		t.Fatal(err)
	}
	if err := s.Own(t.Context(), "k", "p", "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ForgetUser(t.Context(), "p", "ann"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Renew(t.Context(), "k", "token"), s.End(t.Context(), "k", "token", []byte("late"))); err != nil {
		t.Fatal(err)
	}
	if isKept(t, s, "k") {
		t.Error("it is kept")
	}
}

// The index lives as long as the answers, and holds none that has expired.
func TestIndexOfRepetitionsExpires(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	s := redisdb.Idempotency{DB: db}
	keepRepeat(t, s, "old", "p", "ann")
	owners, err := plain.Keys(t.Context(), "busu:idempotency-owner:*").Result()
	if err != nil || len(owners) != 1 {
		t.Fatal(owners, err)
	}
	if left := plain.TTL(t.Context(), owners[0]).Val(); left < idempotency.Keep || left > idempotency.Keep+idempotency.Longest+time.Minute {
		t.Errorf("it lives for %s", left)
	}
	past := float64(time.Now().Add(-time.Second).UnixMilli())
	if err := plain.ZIncrBy(t.Context(), owners[0], past-plain.ZScore(t.Context(), owners[0], "busu:idempotency:old").Val(), "busu:idempotency:old").Err(); err != nil {
		t.Fatal(err)
	}
	keepRepeat(t, s, "new", "p", "ann")
	if members := plain.ZRange(t.Context(), owners[0], 0, -1).Val(); len(members) != 1 || members[0] != "busu:idempotency:new" {
		t.Errorf("it holds %v", members)
	}
}
