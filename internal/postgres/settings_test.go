package postgres_test

import (
	"testing"

	"github.com/busuhq/busu/internal/storetest"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	s, err := open(t, storetest.Postgres(t)).Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server_version", "fsync", "full_page_writes", "synchronous_commit", "max_connections", "max_wal_size", "min_wal_size", "connections"} {
		if s[name] == "" {
			t.Errorf("%s is not told: %v", name, s)
		}
	}
	if s["migrated"] != "yes" {
		t.Errorf("migrated: %s", s["migrated"])
	}
}
