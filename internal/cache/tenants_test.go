package cache_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/event"
)

// tenant is who asks. Two are drawn from the same letters, cut elsewhere, so
// that whoever writes one behind the other confuses them.
type tenant struct{ project, key, user string }

func tenants(t *rapid.T) (a, b tenant) {
	letters := rapid.StringMatching(`[ab:/|]{0,8}`).Draw(t, "letters")
	cut := func(name string) tenant {
		i := rapid.IntRange(0, len(letters)).Draw(t, name+" ends")
		j := rapid.IntRange(i, len(letters)).Draw(t, name+"'s key ends")
		return tenant{letters[:i], letters[i:j], letters[j:]}
	}
	return cut("project"), cut("other")
}

// What answers are kept under, who waits for a call under way, and whose
// answers go with a user: for no two tenants it is the same, whatever they ask,
// however their names are cut, and beyond one word of it for nothing else.
func TestNoTwoTenantsShareAKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := tenants(t)
		prompt := rapid.SampledFrom([]string{`{"messages":[]}`, `{"messages":[],"seed":1}`, `{"messages":[],"x":"` + a.project + `"}`})
		ask := func(name string, s cache.Scope, who tenant) (cache.Key, [32]byte) {
			q := body(prompt.Draw(t, name+"'s prompt"))
			q.Project, q.KeyID, q.Holdout = who.project, who.key, rapid.Bool().Draw(t, name+" is held out")
			if rapid.Bool().Draw(t, name+" is in an experiment") {
				q.Experiments = []event.Arm{{Experiment: who.user, Arm: who.key}}
			}
			k, ok := cache.Keys{Scope: s, Similar: rapid.Bool().Draw(t, "similar")}.Of(q)
			if !ok {
				t.Fatal("no key")
			}
			return k, k.Within([]string{"small", "large"})
		}
		for _, s := range []cache.Scope{cache.ScopeKey, cache.ScopeProject} {
			one, in := ask("one", s, a)
			other, otherIn := ask("other", s, b)
			mayShare := a.project == b.project && (s == cache.ScopeProject || a.key == b.key)
			if !mayShare && (one.Sum == other.Sum || one.Exact == other.Exact || in == otherIn || one.Name() == other.Name() || one.Fingerprint() == other.Fingerprint()) {
				t.Fatalf("scope %s: %q and %q share a key", s, a, b)
			}
		}
		if same := a.project == b.project && a.user == b.user; (cache.OwnerOf(a.project, a.user) == cache.OwnerOf(b.project, b.user)) != same {
			t.Fatalf("%q and %q own the same", a, b)
		}
	})
}
