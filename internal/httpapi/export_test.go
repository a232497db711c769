package httpapi

import (
	"context"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/limit"
)

// Screen is what live metrics are shown on.
type Screen struct{ screen *screen }

// NewScreen makes one.
func NewScreen(m Metrics) Screen { return Screen{newScreen(m)} }

// Look shows a project's snapshot.
func (s Screen) Look(ctx context.Context, project string) error {
	_, err := s.screen.snapshot(ctx, view{project: project})
	return err
}

// Kept is how many snapshots are kept.
func (s Screen) Kept() int {
	s.screen.mu.Lock()
	defer s.screen.mu.Unlock()
	return len(s.screen.shown)
}

// LimitsOf are those of a caller's key, for a request of one of its users.
func LimitsOf(caller access.Caller, user string) limit.Limits { return limitsOf(caller, user) }

// RepeatKey is what an answer to a request with an Idempotency-Key is kept under.
func RepeatKey(project, given string) string { return repeatKey(project, given) }
