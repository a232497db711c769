package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/certificate"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/localstack"
)

// graceOf is how long requests under way may take to finish when the process
// stops. On a developer's machine nobody wants to wait for them.
func graceOf(cfg config.Config) time.Duration {
	if cfg.Process == config.All {
		return 200 * time.Millisecond
	}
	return 4 * time.Second
}

// stopping says how a process stops.
type stopping struct {
	drain time.Duration // how long it goes on answering though it is not ready
	grace time.Duration // how long requests under way may take then
}

// serve answers on l, over TLS where shown is not nil. On close it first is not
// ready, and goes on answering until balancers know; then it lets requests finish,
// then cancels those that did not and waits for their facts.
func serve(l net.Listener, shown *certificate.Keeper, h http.Handler, health *httpapi.Health, stop stopping, log *slog.Logger, life *lifecycle) {
	var leaving atomic.Bool
	server := httpapi.Server(lastAnswers(h, &leaving), log)
	requests, cancelRequests := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return requests }
	go func() {
		if err := ignoreClosed(answer(server, l, shown)); err != nil {
			life.fail(fmt.Errorf("serve: %w", err))
		}
	}()
	life.onClose("http", func(ctx context.Context) error {
		health.Drain()
		leaving.Store(true)
		time.Sleep(stop.drain) // a second signal ends all of it
		ctx, cancelAll := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancelAll()
		patient, cancel := context.WithTimeout(ctx, stop.grace)
		defer cancel()
		err := server.Shutdown(patient)
		cancelRequests()
		if errors.Is(err, context.DeadlineExceeded) {
			hurried, cancel := context.WithTimeout(ctx, stop.grace)
			defer cancel()
			if server.Shutdown(hurried) != nil {
				return server.Close()
			}
			return nil
		}
		return err
	})
}

// lastAnswers ends connections with their answers once the process is leaving:
// whoever comes again finds another process. Those that wait for a request stay
// open, for one may be on its way, which would fail.
func lastAnswers(h http.Handler, leaving *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// urls are where the stores are.
type urls struct {
	database, redis string
	inMemory        bool // Redis is in this process
	notes           []string
}

// startLocal starts private stores where none are configured. Only busu up
// does so; the single processes need stores that they can share.
func startLocal(ctx context.Context, cfg config.Config, log *slog.Logger, life *lifecycle) (urls, error) {
	u := urls{database: cfg.Database.Reveal(), redis: cfg.Redis.Reveal()}
	if u.database != "" && u.redis != "" {
		return u, nil
	}
	if cfg.Process != config.All {
		return u, errors.New("DATABASE_URL and REDIS_URL are needed: this process shares its stores with others (busu up brings its own)")
	}
	stack, err := localstack.Start(ctx, localstack.Options{
		Dir: cfg.StateDir, Postgres: u.database == "", Redis: u.redis == "", Log: log})
	if err != nil {
		return u, err
	}
	life.onClose("private stores", stack.Stop)
	if u.database == "" {
		u.database = stack.DatabaseURL
	}
	if u.redis == "" {
		u.redis, u.inMemory = stack.RedisURL, stack.RedisInProcess
	}
	u.notes = stack.Notes
	return u, nil
}

// welcome says where things are, once they are.
func welcome(out io.Writer, cfg config.Config, s *stores, addr net.Addr) {
	if cfg.Process != config.All {
		return
	}
	base := cfg.TLS.URL(addr.String())
	fmt.Fprintf(out, "\nbusu is up.\n\n  dashboard  %s/\n  metrics    %s/metrics/live\n", base, base)
	if cfg.Database.Reveal() == "" {
		fmt.Fprintf(out, "  postgres   psql %q\n", s.urls.database)
	}
	if cfg.Redis.Reveal() == "" {
		fmt.Fprintf(out, "  redis      %s\n", s.urls.redis)
	}
	if state, err := filepath.Abs(cfg.StateDir); err == nil {
		fmt.Fprintf(out, "  state      %s\n", state)
	}
	for _, note := range append(s.urls.notes, cfg.Notes...) {
		fmt.Fprintf(out, "  note       %s\n", note)
	}
	fmt.Fprintf(out, "\nTry it in another terminal:\n\n  curl -s %s/complete -H 'Content-Type: application/json' \\\n    -d '{\"prompt\": \"What is the capital of France?\", \"user_id\": \"ada\"}'\n\n  %s\n\nCtrl-C stops everything.\n", base, demoCommand(base))
}

// demoCommand is what sends traffic to this process.
func demoCommand(base string) string {
	command := os.Args[0] + " demo"
	if base != "http://"+config.DefaultAddr {
		command += " --url " + base
	}
	return command
}
