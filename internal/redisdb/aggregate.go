package redisdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

const cellSeparator = "\x1f"

func cellField(p string, k rollup.Key) string {
	return strings.Join([]string{p, k.Window, strconv.FormatInt(k.Slot, 10), k.Dim.Kind, k.Dim.Name}, cellSeparator)
}

func parseCellField(field string) (project string, k rollup.Key, err error) {
	parts := strings.SplitN(field, cellSeparator, 5)
	if len(parts) != 5 {
		return "", k, fmt.Errorf("%q does not name a cell", field)
	}
	slot, err := strconv.ParseInt(parts[2], 10, 64)
	return parts[0], rollup.Key{Window: parts[1], Slot: slot, Dim: rollup.Dim{Kind: parts[3], Name: parts[4]}}, err
}

// leaseFor is how long an aggregator that was killed keeps others from its
// partition.
const leaseFor = 5 * time.Second

// leaseScript takes or keeps the right to write something. A lease that lasts
// longer than any was given for says that the clock went back since, and nothing
// of how long its owner has been silent: it is free. Should the owner live, what
// it writes is refused, and it begins again.
//
//	KEYS[1] lease
//	ARGV[1] owner, ARGV[2] milliseconds it lasts
//	returns 1 when the owner has it, else 0
var leaseScript = redis.NewScript(`
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] and redis.call('PTTL', KEYS[1]) <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

// Lease takes or keeps the right to write a partition's aggregates, and
// reports whether owner has it.
func (db *DB) Lease(ctx context.Context, partition int, owner string) (bool, error) {
	got, err := db.lease(ctx, aggregateKey(partition, "lease"), owner, leaseFor)
	if err != nil {
		return false, fmt.Errorf("lease aggregates of partition %d: %w", partition, err)
	}
	return got, nil
}

func (db *DB) lease(ctx context.Context, key, owner string, lasts time.Duration) (bool, error) {
	got, err := leaseScript.Run(ctx, db.rdb, []string{key}, owner, lasts.Milliseconds()).Int()
	return got == 1, err
}

// releaseScript gives the lease back, if it is still the owner's.
//
//	KEYS[1] lease
//	ARGV[1] owner
var releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
`)

// Release gives the lease back, so that another aggregator need not wait.
func (db *DB) Release(ctx context.Context, partition int, owner string) error {
	return releaseScript.Run(ctx, db.rdb, []string{aggregateKey(partition, "lease")}, owner).Err()
}

// saveScript stores a checkpoint in one step, provided that the owner still
// has the lease, and that there is what changes are relative to: Redis may have
// lost it, or have come back older, while the lease was free or the same.
//
//	KEYS    lease, position, seqs, cells, subtotal
//	ARGV[1] owner, ARGV[2] 'reset' to forget all that was saved before, else ''
//	ARGV[3] position before, ARGV[4] position, ARGV[5] subtotal ('' leaves the one before)
//	ARGV[6] number n of journals, then n × (journal, seqs)
//	then for each cell: field, JSON ('' when it is gone)
//	returns 1, or 0 when the lease is another's or the position before is another
var saveScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == 'reset' then
  redis.call('DEL', KEYS[3], KEYS[4])
elseif redis.call('GET', KEYS[2]) ~= ARGV[3] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[4])
if ARGV[5] ~= '' then redis.call('SET', KEYS[5], ARGV[5]) end
local at = 7
for _ = 1, tonumber(ARGV[6]) do
  redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
  at = at + 2
end
while at < #ARGV do
  if ARGV[at + 1] == '' then
    redis.call('HDEL', KEYS[4], ARGV[at])
  else
    redis.call('HSET', KEYS[4], ARGV[at], ARGV[at + 1])
  end
  at = at + 2
end
return 1
`)

// ErrNotOwner says that another aggregator has the partition, or that what was
// saved before is not there any more.
var ErrNotOwner = errors.New("another aggregator has this partition, or redis has lost what was saved of it")

// SaveCheckpoint stores what changed since the one before.
func (db *DB) SaveCheckpoint(ctx context.Context, partition int, owner string, c rollup.Checkpoint) error {
	return db.save(ctx, partition, owner, "", c)
}

// ResetCheckpoint stores a checkpoint in place of all that was saved before,
// but for the subtotal, which holds until there is another.
func (db *DB) ResetCheckpoint(ctx context.Context, partition int, owner string, c rollup.Checkpoint) error {
	return db.save(ctx, partition, owner, "reset", c)
}

func (db *DB) save(ctx context.Context, partition int, owner, mode string, c rollup.Checkpoint) error {
	args := make([]any, 0, 6+2*len(c.Seqs)+2*len(c.Cells))
	args = append(args, owner, mode, c.After, c.Position, encodeSubtotal(c.Subtotal), len(c.Seqs))
	for journal, seqs := range c.Seqs {
		args = append(args, journal, seqs.String())
	}
	for _, pc := range c.Cells {
		body := []byte{}
		if pc.Cell != nil {
			var err error
			if body, err = json.Marshal(pc.Cell); err != nil {
				return err
			}
		}
		args = append(args, cellField(pc.Project, pc.Key), body)
	}
	keys := []string{aggregateKey(partition, "lease"), aggregateKey(partition, "position"),
		aggregateKey(partition, "seqs"), aggregateKey(partition, "cells"), aggregateKey(partition, "subtotal")}
	saved, err := saveScript.Run(ctx, db.rdb, keys, args...).Int()
	if err != nil {
		return fmt.Errorf("save aggregates of partition %d: %w", partition, err)
	}
	if saved == 0 {
		return ErrNotOwner
	}
	return nil
}

// LoadCheckpoint reads what was saved of a partition, or ErrNone: also when it
// cannot be read, for then the ledger has to do.
func (db *DB) LoadCheckpoint(ctx context.Context, partition int) (rollup.Checkpoint, error) {
	pipe := db.rdb.TxPipeline()
	position := pipe.Get(ctx, aggregateKey(partition, "position"))
	seqs := pipe.HGetAll(ctx, aggregateKey(partition, "seqs"))
	cells := pipe.HGetAll(ctx, aggregateKey(partition, "cells"))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return rollup.Checkpoint{}, fmt.Errorf("load aggregates of partition %d: %w", partition, err)
	}
	if errors.Is(position.Err(), redis.Nil) {
		return rollup.Checkpoint{}, ErrNone
	}
	c := rollup.Checkpoint{Position: position.Val(), Seqs: map[string]event.Ranges{}}
	for journal, text := range seqs.Val() {
		ranges, err := event.ParseRanges(text)
		if err != nil {
			return rollup.Checkpoint{}, fmt.Errorf("%w to read: seqs of journal %s: %w", ErrNone, journal, err)
		}
		c.Seqs[journal] = ranges
	}
	for field, body := range cells.Val() {
		project, key, err := parseCellField(field)
		cell := new(rollup.Cell)
		if err = errors.Join(err, json.Unmarshal([]byte(body), cell)); err != nil {
			return rollup.Checkpoint{}, fmt.Errorf("%w to read: cell %q: %w", ErrNone, field, err)
		}
		c.Cells = append(c.Cells, rollup.ProjectCell{Project: project, Key: key, Cell: cell})
	}
	return c, nil
}

// Gap looks whether entries behind a position were removed from a lane's
// stream before its aggregator could read them. If so, it gives the position
// behind them; otherwise "".
func (db *DB) Gap(ctx context.Context, lane event.Lane, position string) (behind string, err error) {
	trimmed, err := db.rdb.Get(ctx, trimmedKey(lane)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("look for a gap in %s: %w", StreamKey(lane), err)
	}
	if before(position, trimmed) {
		return trimmed, nil
	}
	return "", nil
}
