// Package storetest gives tests a real PostgreSQL and a real Redis, isolated
// per test: a database cloned from a migrated template, and a logical Redis
// database of its own. Tests that use it can run in parallel.
//
// TEST_DATABASE_URL and TEST_REDIS_URL name servers to use, as withstores
// sets them for a whole run. Without them each test process starts servers of
// its own. A server that cannot be had fails the test: nothing is skipped.
package storetest

import (
	"context"
	"os"
	"testing"
)

// Variables that name the servers to use, with the right to create databases.
const (
	PostgresVariable = "TEST_DATABASE_URL"
	RedisVariable    = "TEST_REDIS_URL"
	// ClusterVariable names a Redis Cluster to use instead: it has one database,
	// which is emptied for each test, so that none may run beside another.
	ClusterVariable = "TEST_REDIS_CLUSTER_URL"
)

// Postgres returns the URL of a new database with busu's schema. It is
// dropped when the test ends, whoever is still connected.
func Postgres(t testing.TB) string {
	t.Helper()
	admin := adminURL(t)
	template, err := Template(t.Context(), admin)
	if err != nil {
		t.Fatalf("storetest: the template database: %v", err)
	}
	return newDatabase(t, admin, template)
}

// EmptyPostgres returns the URL of a new database with nothing in it.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	return newDatabase(t, adminURL(t), "template0")
}

// Redis returns the URL of a logical database that is empty and no other
// test's. What Redis keeps per server is shared with other tests: pub/sub
// channels, CONFIG, INFO, scripts. RedisServer gives a server of its own.
func Redis(t testing.TB) string {
	t.Helper()
	if url := os.Getenv(ClusterVariable); url != "" {
		flushCluster(t, url)
		return url
	}
	url, err := redisOnce.get(t)
	if err != nil {
		t.Fatalf("storetest: Redis: %v", err)
	}
	return newRedisDatabase(t, url)
}

// Main runs the tests and stops the servers they have started, for use as
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
//
// Without it the servers end with the process, and their files stay until
// the next run removes them.
func Main(m *testing.M) {
	code := m.Run()
	postgresOnce.stop(context.Background())
	redisOnce.stop(context.Background())
	os.Exit(code)
}

func adminURL(t testing.TB) string {
	t.Helper()
	url, err := postgresOnce.get(t)
	if err != nil {
		t.Fatalf("storetest: PostgreSQL: %v", err)
	}
	return url
}
