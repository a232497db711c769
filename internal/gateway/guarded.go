package gateway

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// TrippedGuards tells the projects whose routed answers were shown to be too
// bad.
type TrippedGuards interface {
	Tripped(ctx context.Context) ([]string, error)
}

// Guards are the projects whose guards have tripped, as last heard of. It is
// safe for concurrent use; the zero value has heard of none.
type Guards struct {
	tripped atomic.Pointer[map[string]bool]
}

// Tripped reports whether a project's guard has.
func (g *Guards) Tripped(project string) bool {
	tripped := g.tripped.Load()
	return tripped != nil && (*tripped)[project]
}

// Follow hears of guards until ctx ends. While none can be heard of, what was
// heard last stands.
func (g *Guards) Follow(ctx context.Context, from TrippedGuards, log *slog.Logger) error {
	return follow(ctx, log, "guards cannot be read now: what was read last stands", func(ctx context.Context) error {
		return g.update(ctx, from)
	})
}

func (g *Guards) update(ctx context.Context, from TrippedGuards) error {
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	projects, err := from.Tripped(ctx)
	if err != nil {
		return err
	}
	tripped := make(map[string]bool, len(projects))
	for _, p := range projects {
		tripped[p] = true
	}
	g.tripped.Store(&tripped)
	return nil
}
