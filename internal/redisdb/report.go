package redisdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/rollup"
)

// reportTTL is how long a snapshot outlives its aggregator.
const reportTTL = 30 * time.Second

// publisherLeads is how long a publisher that was killed keeps others from
// publishing.
const publisherLeads = 2 * time.Second

// Lead takes or keeps the right to publish, and reports whether owner has it.
func (db *DB) Lead(ctx context.Context, owner string) (bool, error) {
	leads, err := db.lease(ctx, publisherKey, owner, publisherLeads)
	if err != nil {
		return false, fmt.Errorf("lease publishing: %w", err)
	}
	return leads, nil
}

// Resign lets another publish at once.
func (db *DB) Resign(ctx context.Context, owner string) error {
	return releaseScript.Run(ctx, db.rdb, []string{publisherKey}, owner).Err()
}

// publishScript sets what is read from here, provided that the owner still
// leads: one that was held up since must not put old figures over newer ones.
//
//	KEYS[1] lease, then a key for each body
//	ARGV[1] owner, ARGV[2] milliseconds to keep them, then the bodies
//	returns 1, or 0 when another leads
var publishScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[2]) end
return 1
`)

// ErrNotLeading says that another publishes now.
var ErrNotLeading = errors.New("another process publishes")

// Publish puts a project's live snapshot and reports where they are read.
func (db *DB) Publish(ctx context.Context, owner, project string, s rollup.Snapshot, reports []rollup.Report) error {
	keys, args := []string{publisherKey, latestKey(project)}, []any{owner, reportTTL.Milliseconds()}
	values := []any{s}
	for _, r := range reports {
		keys, values = append(keys, windowKey(project, r.Window)), append(values, r)
	}
	for i, value := range values {
		body, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode %s: %w", keys[i+1], err)
		}
		args = append(args, body)
	}
	published, err := publishScript.Run(ctx, db.rdb, keys, args...).Int()
	if err != nil {
		return fmt.Errorf("publish metrics of %s: %w", project, err)
	}
	if published == 0 {
		return ErrNotLeading
	}
	return nil
}

// Live reads the live snapshot of a project, or ErrNone.
func (db *DB) Live(ctx context.Context, project string) (rollup.Snapshot, error) {
	return get[rollup.Snapshot](ctx, db, latestKey(project))
}

// Report reads the metrics of a project over a window, or ErrNone.
func (db *DB) Report(ctx context.Context, project string, w rollup.Window) (rollup.Report, error) {
	return get[rollup.Report](ctx, db, windowKey(project, w.Name))
}

func get[T any](ctx context.Context, db *DB, key string) (value T, err error) {
	body, err := db.rdb.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return value, ErrNone
	}
	if err != nil {
		return value, fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(body, &value); err != nil {
		return value, fmt.Errorf("read %s: %w", key, err)
	}
	return value, nil
}

// Pipeline measures how far the facts of all partitions have come: completions
// and feedback, and what waits in the journals of all processes.
func (db *DB) Pipeline(ctx context.Context, partitions int, now time.Time) (rollup.Pipeline, error) {
	var p rollup.Pipeline
	streams, err := db.streams(ctx, factLanes(partitions), false, now)
	if err != nil {
		return p, fmt.Errorf("measure pipeline: %w", err)
	}
	for _, s := range streams {
		p.StreamEntries += s.Entries
		p.Unread += s.Unread
		p.Pending += s.Pending
		p.OldestMS = max(p.OldestMS, s.OldestMS)
	}
	dead, err := db.rdb.XLen(ctx, deadKey).Result()
	if err != nil {
		return p, fmt.Errorf("measure pipeline: %w", err)
	}
	p.DeadLetters = dead
	processes, err := db.Processes(ctx)
	if err != nil {
		return p, fmt.Errorf("measure pipeline: %w", err)
	}
	for _, process := range processes {
		if j := process.Journal; j != nil {
			p.JournalBytes += j.Bytes
			p.JournalMaxBytes += j.MaxBytes
			p.JournalBacklog += j.Backlog
		}
	}
	return p, nil
}
