package redisdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// shippedKey notes, per journal, the last seq that was added to a lane's
// stream. It is written together with the entries: when Redis loses the end of
// what it was told, it loses the note as well.
func shippedKey(l event.Lane) string { return besideKey(l, "shipped") }

// NotShipped stands for the note of a run that was not added.
const NotShipped = -1

// Ship adds runs to their streams, in order, and notes how far each came. It
// gives the notes that it found, one per run: one that is lower than what was
// shipped before says that Redis has lost something. What one server holds is
// added as a whole or not at all; when it fails, the runs that have a note were
// added nevertheless.
func (db *DB) Ship(ctx context.Context, runs []event.Run) (before []int64, err error) {
	before = make([]int64, len(runs))
	places := map[string][]int{}
	for i, run := range runs {
		before[i] = NotShipped
		place := db.place(run.Lane)
		places[place] = append(places[place], i)
	}
	var mu sync.Mutex // of before and err
	var all sync.WaitGroup
	for _, at := range places {
		ship := func() {
			notes, failed := db.shipTogether(ctx, runs, at)
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = fmt.Errorf("append to stream: %w", failed)
				return
			}
			for i, note := range notes {
				before[at[i]] = note
			}
		}
		if len(places) == 1 {
			ship()
		} else {
			all.Go(ship)
		}
	}
	all.Wait()
	return before, err
}

// place tells keys apart that are on different servers, or may be.
func (db *DB) place(l event.Lane) string {
	switch {
	case !db.spread():
		return ""
	case l.Stream == event.Decisions:
		return decisionsKey
	default:
		return strconv.Itoa(l.Partition) // the hash tag
	}
}

// shipTogether adds the runs at some indexes in one transaction.
func (db *DB) shipTogether(ctx context.Context, runs []event.Run, at []int) (notes []int64, err error) {
	pipe := db.rdb.TxPipeline()
	found := make([]*redis.StringCmd, len(at))
	for i, run := range at {
		run := runs[run]
		found[i] = pipe.HGet(ctx, shippedKey(run.Lane), run.Journal)
		var stream any = StreamKey(run.Lane) // once for all
		for _, body := range run.Bodies {    // pipe.XAdd takes twice the memory for each
			_ = pipe.Process(ctx, redis.NewStringCmd(ctx, "xadd", stream, "*", eventField, body)) // only queued: Exec has the error
		}
		pipe.HSet(ctx, shippedKey(run.Lane), run.Journal, run.Last)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	for _, cmd := range found {
		note, err := noteOf(cmd)
		if err != nil {
			return nil, err
		}
		notes = append(notes, note)
	}
	return notes, nil
}

// noteOf is the seq that was noted, 0 for none.
func noteOf(cmd *redis.StringCmd) (int64, error) {
	text, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// Beat puts a journal's heartbeat in place of its last one, and gives the notes
// on the lanes that the journal shipped to.
func (db *DB) Beat(ctx context.Context, b event.Heartbeat, lanes []event.Lane) (noted map[event.Lane]int64, err error) {
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode heartbeat: %w", err)
	}
	pipe := db.rdb.Pipeline()
	pipe.HSet(ctx, heartbeatsKey, b.Journal, body)
	found := map[event.Lane]*redis.StringCmd{}
	for _, lane := range lanes {
		found[lane] = pipe.HGet(ctx, shippedKey(lane), b.Journal)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("send heartbeat: %w", err)
	}
	noted = map[event.Lane]int64{}
	for lane, cmd := range found {
		if noted[lane], err = noteOf(cmd); err != nil {
			return nil, fmt.Errorf("send heartbeat: %w", err)
		}
	}
	return noted, nil
}
