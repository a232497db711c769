package worker

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Streams keeps streams and their groups small.
type Streams interface {
	// Trim removes what is stored and older than horizon. Groups may hold it
	// back while there is memory.
	Trim(ctx context.Context, lane event.Lane, horizon time.Time, groups []string) (int64, error)
	// Fullness is the share of its memory budget that the stream store uses.
	Fullness(ctx context.Context) (float64, error)
	// Dismiss removes consumers that hold nothing and were idle for so long.
	Dismiss(ctx context.Context, lane event.Lane, idle time.Duration) (int64, error)
}

// Days makes the partitions that rows of the coming days go into, and removes
// those that are past their retention.
type Days interface {
	EnsureDays(ctx context.Context, from time.Time, days int) error
	DropDays(ctx context.Context, completions, features time.Time) (dropped []string, err error)
}

// Heartbeats gives what journals said last of themselves.
type Heartbeats interface {
	Heartbeats(ctx context.Context) ([]event.Heartbeat, error)
}

// Keeper keeps heartbeats for good.
type Keeper interface {
	KeepHeartbeats(ctx context.Context, beats []event.Heartbeat) error
}

// Rollups are what the facts of a minute add up to.
type Rollups interface {
	// MergeRollups adds up what batches added to the same minute, so that
	// there is one row of it.
	MergeRollups(ctx context.Context) (merged int, err error)
	// KeepFiveMinutes fills in sums of five minutes from a time on, and removes
	// older ones, as much as it should at once; 0: nothing is left to do.
	KeepFiveMinutes(ctx context.Context, from time.Time) (rows int64, err error)
	// ShrinkRollups gives back the room that a backlog has left.
	ShrinkRollups(ctx context.Context) error
}

// Upkeep keeps streams short, partitions ready and old ones away. Any number of processes may
// do it at once.
type Upkeep struct {
	Streams      Streams
	Days         Days
	Beats        Heartbeats
	Keeper       Keeper
	Rollups      Rollups
	Lanes        []event.Lane
	Groups       []string      // of outside readers, that trimming waits for
	Retention    time.Duration // how long entries stay for outside readers
	Keep         time.Duration // how long rows stay
	KeepFeatures time.Duration // what learning strategies saw of prompts
	Log          *slog.Logger

	alarmed bool
	unread  bool // there are facts in partitions that are not among Lanes
}

const (
	alarmAbove  = 0.7 // of the memory budget
	upkeepEvery = time.Second
	daysEvery   = time.Hour
	shrinkEvery = time.Minute
	fivesEvery  = time.Minute
	daysAhead   = 8 // yesterday, today and the coming six
	upkeepTries = 5 * time.Second
	dismissIdle = 10 * time.Minute
)

// Run keeps up until ctx ends.
func (u *Upkeep) Run(ctx context.Context) error {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	var daysDone, fivesDone, shrunk time.Time
	for {
		now := time.Now()
		if now.Sub(daysDone) >= daysEvery && u.keepDays(ctx, now) {
			daysDone = now
		}
		u.trim(ctx, now)
		u.watchMemory(ctx)
		u.keepHeartbeats(ctx)
		u.mergeRollups(ctx)
		if now.Sub(fivesDone) >= fivesEvery && u.keepFiveMinutes(ctx, now) {
			fivesDone = now
		}
		if now.Sub(shrunk) >= shrinkEvery {
			u.shrinkRollups(ctx)
			shrunk = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (u *Upkeep) keepDays(ctx context.Context, now time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	if err := u.Days.EnsureDays(ctx, now.AddDate(0, 0, -1), daysAhead); err != nil {
		u.Log.Debug("partitions cannot be made now", "err", err)
		return false
	}
	dropped, err := u.Days.DropDays(ctx, now.Add(-u.Keep), now.Add(-u.KeepFeatures))
	if err != nil {
		u.Log.Debug("partitions cannot be dropped now", "err", err)
		return false
	}
	if len(dropped) > 0 {
		u.Log.Info("days past their retention were dropped", "partitions", dropped)
	}
	return true
}

func (u *Upkeep) trim(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	for _, lane := range u.Lanes {
		if _, err := u.Streams.Trim(ctx, lane, now.Add(-u.Retention), u.Groups); err != nil {
			u.Log.Debug("stream cannot be trimmed now", "err", err)
			return
		}
		if _, err := u.Streams.Dismiss(ctx, lane, dismissIdle); err != nil {
			u.Log.Debug("consumers cannot be dismissed now", "err", err)
			return
		}
	}
}

// keepHeartbeats copies heartbeats to where they outlive Redis.
func (u *Upkeep) keepHeartbeats(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	beats, err := u.Beats.Heartbeats(ctx)
	if err == nil {
		u.watchLanes(beats)
		err = u.Keeper.KeepHeartbeats(ctx, beats)
	}
	if err != nil {
		u.Log.Debug("heartbeats cannot be kept now", "err", err)
	}
}

// watchLanes warns once of facts in partitions that are not read, as when their
// number was lowered: they would wait in their streams, and nobody would tell.
func (u *Upkeep) watchLanes(beats []event.Heartbeat) {
	read := map[string]bool{}
	for _, lane := range u.Lanes {
		read[lane.String()] = true
	}
	missed := map[string]bool{}
	for _, b := range beats {
		for lane, seq := range b.Seqs {
			if seq > 0 && !read[lane] {
				missed[lane] = true
			}
		}
	}
	if len(missed) > 0 && !u.unread {
		u.Log.Warn("facts go to partitions that this worker does not read: raise streams.read_partitions of all processes above them, and restart them",
			"lanes", slices.Sorted(maps.Keys(missed)))
	}
	u.unread = len(missed) > 0
}

// mergeRollups keeps what is not merged as little as a second brings.
func (u *Upkeep) mergeRollups(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	if _, err := u.Rollups.MergeRollups(ctx); err != nil {
		u.Log.Debug("rollups cannot be merged now", "err", err)
	}
}

// keepFiveMinutes lets the sums of five minutes reach as far back as anybody may
// ask for them, and reports whether nothing is left to do.
func (u *Upkeep) keepFiveMinutes(ctx context.Context, now time.Time) (done bool) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	rows, err := u.Rollups.KeepFiveMinutes(ctx, rollup.EarliestFrom(5*time.Minute, now))
	if err != nil {
		u.Log.Debug("sums of five minutes cannot be kept now", "err", err)
	}
	return err == nil && rows == 0
}

func (u *Upkeep) shrinkRollups(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	if err := u.Rollups.ShrinkRollups(ctx); err != nil {
		u.Log.Debug("rollups cannot be shrunk now", "err", err)
	}
}

// watchMemory warns once when Redis fills up, and tells when it has room again.
// When it is full, the stream takes nothing and facts wait in the journals.
func (u *Upkeep) watchMemory(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	full, err := u.Streams.Fullness(ctx)
	switch {
	case err != nil:
	case full > alarmAbove && !u.alarmed:
		u.alarmed = true
		u.Log.Warn("Redis fills up: slow readers are no longer waited for", "used", full)
	case full < alarmAbove && u.alarmed:
		u.alarmed = false
		u.Log.Info("Redis has room again", "used", full)
	}
}
