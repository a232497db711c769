package limit

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"
)

func alone(t testing.TB, processes int64) *Keeper {
	t.Helper()
	k := NewKeeper(nobody{}, "a", false, slog.New(slog.DiscardHandler))
	k.processes.Store(processes)
	return k
}

// What a process lets users have by itself is given back whatever comes, also
// while others of the same user go on; each user has their own.
func TestUsersAreCountedHere(t *testing.T) {
	t.Parallel()
	k, now := alone(t, 1), time.Now()
	of := Limits{Key: "k", User: "ada", PerUser: Most{Requests: 100, Tokens: 10_000, Concurrency: 2}}
	admit := func(of Limits, wants bool) (p Pass) {
		t.Helper()
		p, err := k.Admit(context.Background(), of, now, 100)
		if (err == nil) != wants {
			t.Fatalf("a request of %s: %v", of.User, err)
		}
		return p
	}
	stays := admit(of, true)
	for range 20 {
		p := admit(of, true)
		admit(of, false)
		p.Settle(now, 10)
		p.Settle(now, 10)
	}
	other := of
	other.User = "bob"
	p := admit(other, true)
	if p.Requests.Remaining != 99 || p.Tokens.Remaining != 9_900 || k.Users() != 2 {
		t.Errorf("another user has %+v, of %d", p.Standings, k.Users())
	}
	p = admit(other, true)
	p.undo(now)
	stays.Settle(now, 10)
	p = admit(of, true)
	if p.Requests.Remaining != 100-22 || p.Tokens.Remaining != 10_000-21*10-100 {
		t.Errorf("%+v are left", p.Standings)
	}
}

// Of several processes each lets a user have its part, and asks for the rest; one
// that is new has no part.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ most, processes, part, rest int64 }{
		{60, 0, 0, 60}, {60, -1, 0, 60}, {60, 1, 60, 0}, {60, 2, 15, 30}, {60, -2, 0, 30}, {60, 3, 10, 30}, {5, 3, 0, 5}, {6, 3, 1, 3},
	} {
		if part, rest := parts(c.most, c.processes); part != c.part || rest != c.rest {
			t.Errorf("of %d, each of %d has %d, and %d are shared", c.most, c.processes, part, rest)
		}
	}
}

// Users who have all there is are forgotten; those who have not, or have
// something under way, are not; and no more are held than there is room for.
func TestUsersAreForgotten(t *testing.T) {
	t.Parallel()
	k, now := alone(t, 1), time.Now()
	var stays Pass
	for i := range 3000 {
		p, err := k.Admit(context.Background(), Limits{Key: "k", User: fmt.Sprint(i), PerUser: Most{Requests: 60, Concurrency: 5}}, now, 0)
		if err != nil {
			t.Fatal(err)
		}
		if stays = p; i < 2999 {
			p.Settle(now, 0)
		}
	}
	sweep := func(at time.Time) int64 {
		for range userShards {
			k.users.sweep(at)
		}
		return k.Users()
	}
	if n := sweep(now.Add(100 * time.Millisecond)); n != 3000 {
		t.Errorf("%d users are held who have used something", n)
	}
	if n := sweep(now.Add(2 * time.Second)); n != 1 {
		t.Errorf("%d users are held later", n)
	}
	stays.Settle(now.Add(2*time.Second), 0)
	if n := sweep(now.Add(4 * time.Second)); n != 0 {
		t.Errorf("%d users are held at the end", n)
	}
	shard := &k.users.shards[0]
	for i := range uint64(2*mostUsers/userShards + 7) {
		k.users.admit(shard, userID{0, i}, now)
	}
	if n := len(shard.users); n != mostUsers/userShards {
		t.Errorf("%d users are held in a shard", n)
	}
}

// Who passes within their limits costs no allocation.
func TestUsersCostNoAllocation(t *testing.T) {
	k, now := alone(t, 2), time.Now()
	of := Limits{Key: "k", User: "ada", PerUser: Most{Requests: 1e12, Tokens: 1e12, Concurrency: 1e12}}
	if n := testing.AllocsPerRun(1000, func() {
		p, err := k.Admit(context.Background(), of, now, 100)
		if err != nil {
			t.Fatal(err)
		}
		p.Settle(now, 10)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
