package redisdb

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/limit"
)

// What is spent and what may be asked is counted under names of which no two
// are the same: of keys, whose ids are a process's own, users, who are hashed,
// and projects, which may be called as little as they like.
func TestNoTwoTenantsAreCountedAsOne(t *testing.T) {
	t.Parallel()
	projects := rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,6}`)
	ids := rapid.StringMatching(`[0-9a-f-]{0,6}`)
	users := rapid.StringMatching(`([0-9a-f]{4})?`)
	rapid.Check(t, func(t *rapid.T) {
		bucket := func() limit.Bucket {
			return limit.Bucket{Kind: rapid.SampledFrom([]limit.Kind{limit.Requests, limit.Tokens, limit.Concurrency}).Draw(t, "kind"), Key: ids.Draw(t, "key"), User: users.Draw(t, "user")}
		}
		if a, b := bucket(), bucket(); (limitKey(a) == limitKey(b)) != (a == b) {
			t.Fatalf("%+v and %+v are %s", a, b, limitKey(a))
		}
		account := func() budget.Account {
			return budget.Account{Scope: rapid.SampledFrom([]budget.Scope{budget.Key, budget.Project}).Draw(t, "scope"), Name: projects.Draw(t, "name"),
				Period: rapid.SampledFrom([]budget.Period{budget.Day, budget.Month}).Draw(t, "period"), Began: rapid.Int64().Draw(t, "began")}
		}
		if a, b := account(), account(); (accountKey(a) == accountKey(b)) != (a == b) {
			t.Fatalf("%+v and %+v are %s", a, b, accountKey(a))
		}
		one, other, id := projects.Draw(t, "project"), projects.Draw(t, "project"), ids.Draw(t, "id")
		if !access.IsProject(one) {
			t.Fatalf("%q is no project", one)
		}
		if (experimentKey(one, id) == experimentKey(other, id)) != (one == other) || (windowKey(one, "1m") == windowKey(other, "1m")) != (one == other) ||
			(latestKey(one) == latestKey(other)) != (one == other) {
			t.Fatalf("%q and %q share metrics", one, other)
		}
	})
}
