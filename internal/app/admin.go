package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/busuhq/busu/internal/admin"
	"github.com/busuhq/busu/internal/certificate"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/httpapi"
)

// startAdmin shows profiles, and lets how much is logged be changed, where the
// operator wants that; and by signal anyway.
func startAdmin(cfg config.Config, shown *certificate.Keeper, level *admin.Level, log *slog.Logger, life *lifecycle) error {
	life.start("log level", func(ctx context.Context) error { return followSignals(ctx, level, log) })
	if cfg.Admin == "" {
		return nil
	}
	listener, err := net.Listen("tcp", cfg.Admin)
	if err != nil {
		return fmt.Errorf("cannot listen on %s (%w): stop what listens there, or choose another address with BUSU_ADMIN_ADDR", cfg.Admin, rootCause(err))
	}
	server := httpapi.Server(admin.Handler(cfg.AdminKey.Reveal(), level), log)
	go func() {
		if err := ignoreClosed(answer(server, listener, shown)); err != nil {
			life.fail(fmt.Errorf("serve profiles: %w", err))
		}
	}()
	// It is closed last, so that a process that does not stop can be looked into.
	life.onClose("admin", func(context.Context) error { return ignoreClosed(server.Close()) })
	log.Info("profiles are shown", "addr", cfg.TLS.URL(listener.Addr().String())+"/debug/pprof/")
	return nil
}

// followSignals logs all from SIGUSR1 on, and what is configured from SIGUSR2 on.
func followSignals(ctx context.Context, level *admin.Level, log *slog.Logger) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				level.Set(slog.LevelDebug)
			} else {
				level.Reset()
			}
			log.Log(ctx, level.Level(), "the log level has changed", "level", level.Level())
		}
	}
}
