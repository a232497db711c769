package postgres_test

import (
	"testing"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/storetest"
)

func TestResponseCacheStore(t *testing.T) {
	t.Parallel()
	cachetest.TestStore(t, func(t *testing.T) cache.Store { return open(t, storetest.Postgres(t)).ResponseCache() })
}
