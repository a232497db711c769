package storetest

import (
	"context"
	"syscall"
	"testing"

	"github.com/busuhq/busu/internal/localstack"
)

// Server is a server of the test's own, to be killed and stopped at will. It
// ends with the test.
type Server struct {
	URL    string // stays the same over Restart
	server *localstack.Server
}

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
