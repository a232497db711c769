package cache_test

import (
	"testing"

	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) {
	redisdb.Quiet()
	storetest.Main(m)
}
