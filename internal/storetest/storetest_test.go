package storetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func count(t *testing.T, conn *pgx.Conn, query string) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func execute(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func open(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries = -1
	options.ReadTimeout = 200 * time.Millisecond
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestPostgresIsMigratedAndPrivate(t *testing.T) {
	t.Parallel()
	one, two := connect(t, storetest.Postgres(t)), connect(t, storetest.Postgres(t))
	execute(t, one, "CREATE TABLE mine (i int)")
	if n := count(t, two, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"); n != 0 {
		t.Error("a table of one test is seen by another")
	}
	if n := count(t, one, "SELECT count(*) FROM completions"); n != 0 {
		t.Errorf("%d completions in a new database", n)
	}
}

func TestEmptyPostgresIsEmpty(t *testing.T) {
	t.Parallel()
	conn := connect(t, storetest.EmptyPostgres(t))
	if n := count(t, conn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
		t.Errorf("%d tables in an empty database", n)
	}
}

func TestPostgresIsDroppedWithItsTest(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("inner", func(t *testing.T) {
		url = storetest.Postgres(t)
		connect(t, url) // still connected at the end
	})
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		conn.Close(t.Context())
		t.Error("the database outlives its test")
	}
}

func TestRedisIsPrivate(t *testing.T) {
	t.Parallel()
	one, two := open(t, storetest.Redis(t)), open(t, storetest.Redis(t))
	if err := one.Set(t.Context(), "key", "mine", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := two.Get(t.Context(), "key").Result(); err != redis.Nil {
		t.Errorf("another test reads %q, %v", got, err)
	}
}

func TestRedisServerDiesHangsAndReturns(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	client := open(t, server.URL)
	if err := client.Set(t.Context(), "key", "kept", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	server.Restart(t)
	if got, err := client.Get(t.Context(), "key").Result(); got != "kept" || err != nil {
		t.Errorf("after the restart: %q, %v", got, err)
	}
	server.Stop(t)
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped server answers")
	}
	server.Cont(t)
	if got, err := client.Get(t.Context(), "key").Result(); got != "kept" || err != nil {
		t.Errorf("after going on: %q, %v", got, err)
	}
}

func TestPostgresServerDiesHangsAndReturns(t *testing.T) {
	t.Parallel()
	server := storetest.PostgresServer(t)
	conn := connect(t, server.URL)
	execute(t, conn, "CREATE TABLE kept AS SELECT 42 AS i")

	server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
		t.Error("a stopped server answers")
	}
	server.Cont(t)
	execute(t, connect(t, server.URL), "SELECT 1")

	server.Kill(t)
	if _, err := pgx.Connect(t.Context(), server.URL); err == nil {
		t.Error("a killed server answers")
	}
	server.Restart(t)
	if got := count(t, connect(t, server.URL), "SELECT i FROM kept"); got != 42 {
		t.Errorf("after the restart: %d", got)
	}
}

func TestServerEndsWithItsTestEvenWhenStopped(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("inner", func(t *testing.T) {
		server := storetest.RedisServer(t)
		url = server.URL
		server.Stop(t)
	})
	if err := open(t, url).Ping(t.Context()).Err(); err == nil {
		t.Error("the server outlives its test")
	}
}
