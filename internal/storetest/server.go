package storetest

import (
	"context"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/localstack"
)

// Server is a server of the test's own, to be killed and stopped at will. It
// ends with the test.
type Server struct {
	URL    string // stays the same over Restart
	server *localstack.Server
}

// Process is what it runs as, for who is no test.
func (s *Server) Process() *localstack.Server { return s.server }

// PostgresServer starts a PostgreSQL for this test alone; URL names a
// database with busu's schema. It keeps its data over Kill and Restart.
func PostgresServer(t testing.TB) *Server {
	t.Helper()
	stack := dedicated(t, localstack.Options{Postgres: true})
	template, err := Template(t.Context(), stack.DatabaseURL)
	if err != nil {
		t.Fatalf("storetest: the template database: %v", err)
	}
	const name = "busu_test"
	if err := execute(t.Context(), stack.DatabaseURL, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatalf("storetest: a database for this test: %v", err)
	}
	return &Server{URL: withDatabase(stack.DatabaseURL, name), server: stack.Postgres}
}

// PostgresReplica starts a PostgreSQL that follows another one, and waits until
// it has what that had.
func PostgresReplica(t testing.TB, primary *Server) *Server {
	t.Helper()
	stack := dedicated(t, localstack.Options{Postgres: true, PostgresOf: primary.URL})
	u, err := url.Parse(primary.URL)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	replica := &Server{URL: withDatabase(stack.DatabaseURL, strings.TrimPrefix(u.Path, "/")), server: stack.Postgres}
	Follows(t, replica, primary)
	return replica
}

// Follows waits until a replica has what its primary has now.
func Follows(t testing.TB, replica, primary *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), formWithin)
	defer cancel()
	var at string
	if err := ask(ctx, primary.URL, "SELECT pg_current_wal_lsn()::text", &at); err != nil {
		t.Fatalf("storetest: %v", err)
	}
	err := await(ctx, func() bool {
		var has bool
		err := ask(ctx, replica.URL, "SELECT pg_last_wal_replay_lsn() >= '"+at+"'::pg_lsn", &has)
		return err == nil && has
	})
	if err != nil {
		t.Fatalf("storetest: the replica does not follow: %v", err)
	}
}

// Promote makes a replica a primary, and waits until it is one.
func Promote(t testing.TB, replica *Server) {
	t.Helper()
	var done bool
	if err := ask(t.Context(), replica.URL, "SELECT pg_promote(true, 60)", &done); err != nil || !done {
		t.Fatalf("storetest: the replica was not promoted: %v", err)
	}
}

func ask(ctx context.Context, url, question string, answer any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, question).Scan(answer)
}

// RedisServer starts a Redis for this test alone, with its append-only file
// on as in production: it keeps its data over Kill and Restart.
func RedisServer(t testing.TB) *Server {
	t.Helper()
	stack := dedicated(t, localstack.Options{Redis: true, AppendOnly: true})
	return &Server{URL: stack.RedisURL, server: stack.Redis}
}

func dedicated(t testing.TB, o localstack.Options) *Stack {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	stack, err := Start(ctx, o, t.Output())
	if err != nil {
		t.Fatalf("storetest: a server for this test: %v", err)
	}
	t.Cleanup(func() {
		if err := stack.Stop(ctx); err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	return stack
}

// Kill ends the server as a crash would, and waits for its end. Clients see
// their connections break and new ones refused.
func (s *Server) Kill(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGKILL) }

// Stop makes the server hang: connections stay, are even accepted, and
// nothing answers. Cont ends that.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGSTOP) }

// Cont lets a stopped server go on.
func (s *Server) Cont(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.server.Signal(sig); err != nil {
		t.Fatalf("storetest: %v", err)
	}
}

// Restart starts a killed server again, at the same address and with its
// data, and waits until it serves. A running one is killed first.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	_ = s.server.Signal(syscall.SIGKILL) // fails when it is not running
	if err := s.server.Start(t.Context()); err != nil {
		t.Fatalf("storetest: %v", err)
	}
}
