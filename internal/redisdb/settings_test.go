package redisdb_test

import (
	"testing"

	"github.com/busuhq/busu/internal/redisdb"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s, err := db.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"redis_version", "appendonly", "appendfsync", "maxmemory", "maxmemory-policy"} {
		if s[name] == "" {
			t.Errorf("%s is not told: %v", name, s)
		}
	}
	gone, err := redisdb.Open("redis://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := gone.Settings(t.Context()); err == nil {
		t.Errorf("of one that is not there: %v", s)
	}
	if err := gone.Close(); err != nil {
		t.Error(err)
	}
}
