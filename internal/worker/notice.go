package worker

import (
	"context"
	"log/slog"
	"time"
)

// Questions are stored, and some are asked again.
type Questions interface {
	// NoteRegenerated notes, from a time on, the answers after which their user
	// asked the same again at once. It goes as far as it can, but no further than
	// most, and returns where it ended.
	NoteRegenerated(ctx context.Context, from, now time.Time, most time.Duration) (until time.Time, err error)
}

// Noticer notices what says something of answers though nobody judges them:
// that a user asked the same again. Any number of processes may do it at once.
// It begins a while before it started, since noting again changes nothing: what
// happened while no process ran for longer goes unnoticed.
type Noticer struct {
	Questions Questions
	Log       *slog.Logger
}

const (
	noticeEvery  = time.Minute // what is read is this and the minute behind it
	noticeWithin = 30 * time.Second
	noticeBack   = time.Hour
	noticeMost   = 2 * time.Minute // at once
)

// Run notices until ctx ends. PostgreSQL being away only makes it wait.
func (n *Noticer) Run(ctx context.Context) error {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	from := time.Now().Add(-noticeBack)
	for {
		from = n.catchUp(ctx, from)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// catchUp goes on in steps until there is nothing left.
func (n *Noticer) catchUp(ctx context.Context, from time.Time) time.Time {
	for ctx.Err() == nil {
		now := time.Now()
		if earliest := now.Add(-noticeBack); from.Before(earliest) { // others did it
			from = earliest
		}
		until, err := n.step(ctx, from, now)
		if err != nil && ctx.Err() == nil {
			n.Log.Debug("what is asked again goes unnoticed for now", "err", err)
		}
		if err != nil || until.Sub(from) < noticeMost {
			return until
		}
		from = until
	}
	return from
}

func (n *Noticer) step(ctx context.Context, from, now time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, noticeWithin)
	defer cancel()
	return n.Questions.NoteRegenerated(ctx, from, now, noticeMost)
}
