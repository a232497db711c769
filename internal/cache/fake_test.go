package cache_test

import (
	"testing"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
)

// The fake does what the levels do.
func TestFakeStore(t *testing.T) {
	t.Parallel()
	cachetest.TestStore(t, func(*testing.T) cache.Store { return cachetest.NewFake() })
}
