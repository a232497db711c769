package localstack

import (
	"context"
	"time"
)

// Pauses before a server that ended by itself is started again.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	calmDown     = 10 * time.Second // a life after which the first applies again
)

// guard starts the server again whenever it ends, until Close, so that a
// crash of a store costs seconds and not the session. What waits for it
// reconnects: the address stays.
func (s *Server) guard(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	s.guardEnd, s.guarded = cancel, make(chan struct{})
	go func() {
		defer close(s.guarded)
		pause := firstPause
		for p := s.process(); waitEnd(ctx, p); p = s.process() {
			if time.Since(p.started) > calmDown {
				pause = firstPause
			}
			s.log.Warn(s.Name+" ended by itself; starting it again", "status", p.cmd.ProcessState.String(), "log", s.LogPath)
			pause = s.revive(ctx, pause)
		}
	}()
}

// revive tries until the server serves or ctx ends, and returns the pause to
// take before the next time.
func (s *Server) revive(ctx context.Context, pause time.Duration) time.Duration {
	for {
		select {
		case <-ctx.Done():
			return pause
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
		err := s.Start(ctx)
		if err == nil {
			s.log.Warn(s.Name + " runs again")
			return pause
		}
		if ctx.Err() == nil {
			s.log.Error(s.Name+" cannot be started again; trying on", "err", err, "pause", pause.String())
		}
	}
}

// waitEnd is false when ctx ended first.
func waitEnd(ctx context.Context, p *process) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.done:
		return ctx.Err() == nil
	}
}
