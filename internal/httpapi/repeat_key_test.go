package httpapi_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/httpapi"
)

// An Idempotency-Key means a request of the caller's project: no other one's
// answers are found under it, whatever callers write into it.
func TestNoTwoTenantsRepeatEachOther(t *testing.T) {
	t.Parallel()
	projects := rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,3}`)
	keys := rapid.StringMatching(`[a-z0-9:._-]{1,6}`)
	rapid.Check(t, func(t *rapid.T) {
		one, other, given, also := projects.Draw(t, "one"), projects.Draw(t, "other"), keys.Draw(t, "key"), keys.Draw(t, "other key")
		if !access.IsProject(one) {
			t.Fatalf("%q is no project", one)
		}
		same := one == other && given == also
		if (httpapi.RepeatKey(one, given) == httpapi.RepeatKey(other, also)) != same {
			t.Fatalf("%s %s is %s %s", one, given, other, also)
		}
	})
}
