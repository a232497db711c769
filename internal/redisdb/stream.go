package redisdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

const eventField = "event"

// blockFor bounds reads that wait: a blocked read does not notice that its
// context has ended.
const blockFor = 200 * time.Millisecond

// blockWithin bounds the wait for their answer. It has to come by the context:
// for reads that wait, the client library has a timeout of its own, 10 seconds.
const blockWithin = blockFor + 2*time.Second

// Append adds entries to their streams, in order, in one round trip.
func (db *DB) Append(ctx context.Context, entries []event.Entry) error {
	pipe := db.rdb.Pipeline()
	for _, e := range entries {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: StreamKey(e.Lane), Values: []any{eventField, e.Body}})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("append to stream: %w", err)
	}
	return nil
}

// Tail returns up to count entries behind the position after ("" is the
// beginning), in order. Without any it waits a moment.
func (db *DB) Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error) {
	if after == "" {
		after = "0"
	}
	ctx, cancel := context.WithTimeout(ctx, blockWithin)
	defer cancel()
	streams, err := db.blocking.XRead(ctx, &redis.XReadArgs{
		Streams: []string{StreamKey(lane), after}, Count: int64(count), Block: blockFor}).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("tail %s: %w", StreamKey(lane), err)
	}
	return entriesOf(lane, streams), nil
}

func entriesOf(lane event.Lane, streams []redis.XStream) []event.Entry {
	var entries []event.Entry
	for _, s := range streams {
		entries = appendEntries(entries, lane, s.Messages)
	}
	return entries
}

func appendEntries(entries []event.Entry, lane event.Lane, messages []redis.XMessage) []event.Entry {
	for _, m := range messages {
		body, _ := m.Values[eventField].(string) // without the field: an empty body, which no one can decode
		entries = append(entries, event.Entry{Lane: lane, ID: m.ID, Body: []byte(body)})
	}
	return entries
}

// Consumer reads one lane in the group persist under a name of its own. It
// hands out first what it was given before and did not acknowledge. It is used
// by one goroutine.
type Consumer struct {
	db       *DB
	lane     event.Lane
	name     string
	ready    bool   // the group is there
	own      string // position in our pending entries, "" when they are through
	reclaims time.Time
	removed  atomic.Int64
}

// NewConsumer makes a consumer. name must be the same after a restart and
// differ between processes that run at once.
func (db *DB) NewConsumer(lane event.Lane, name string) *Consumer {
	return &Consumer{db: db, lane: lane, name: name, own: "0"}
}

const (
	readCount    = 1000
	reclaimEvery = 5 * time.Second
	reclaimIdle  = 30 * time.Second // far above the time a batch takes
)

// Read returns the next entries, or none after waiting a moment.
func (c *Consumer) Read(ctx context.Context, now time.Time) ([]event.Entry, error) {
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	if now.Sub(c.reclaims) >= reclaimEvery {
		c.reclaims = now
		if taken, err := c.reclaim(ctx); err != nil || len(taken) > 0 {
			return taken, c.lost(err)
		}
	}
	if c.own != "" {
		entries, err := c.read(ctx, c.own, -1)
		if err == nil {
			err = c.lost(c.countDeliveries(ctx, entries))
		}
		if err != nil || len(entries) > 0 {
			return c.passOwn(entries), err
		}
		c.own = ""
	}
	return c.read(ctx, ">", blockFor)
}

// Lost counts entries that were removed from the stream while they were
// pending: nobody will ever get them.
func (c *Consumer) Lost() int64 { return c.removed.Load() }

func (c *Consumer) passOwn(entries []event.Entry) []event.Entry {
	if len(entries) > 0 {
		c.own = entries[len(entries)-1].ID
	}
	return entries
}

func (c *Consumer) read(ctx context.Context, from string, block time.Duration) ([]event.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, blockWithin)
	defer cancel()
	streams, err := c.db.blocking.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: persistGroup, Consumer: c.name, Streams: []string{StreamKey(c.lane), from},
		Count: readCount, Block: block}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return entriesOf(c.lane, streams), c.lost(err)
}

// reclaim takes over what other consumers have held for too long.
func (c *Consumer) reclaim(ctx context.Context) ([]event.Entry, error) {
	messages, _, removed, err := c.db.rdb.XAutoClaimWithDeleted(ctx, &redis.XAutoClaimArgs{
		Stream: StreamKey(c.lane), Group: persistGroup, Consumer: c.name,
		MinIdle: reclaimIdle, Start: "0-0", Count: readCount}).Result()
	c.removed.Add(int64(len(removed)))
	entries := appendEntries(nil, c.lane, messages)
	if err != nil {
		return entries, err
	}
	return entries, c.countDeliveries(ctx, entries)
}

// countDeliveries finds out how often pending entries of ours, which are in
// order, were handed out before this time.
func (c *Consumer) countDeliveries(ctx context.Context, entries []event.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	pending, err := c.db.rdb.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: StreamKey(c.lane), Group: persistGroup,
		Start: entries[0].ID, End: entries[len(entries)-1].ID, Count: readCount, Consumer: c.name}).Result()
	counts := make(map[string]int64, len(pending))
	for _, p := range pending {
		counts[p.ID] = p.RetryCount - 1
	}
	for i := range entries {
		entries[i].Deliveries = counts[entries[i].ID]
	}
	return err
}

// join makes sure that the group is there, from the beginning of the stream:
// a group made at its end would pass over what is in it.
func (c *Consumer) join(ctx context.Context) error {
	if c.ready {
		return nil
	}
	err := c.db.rdb.XGroupCreateMkStream(ctx, StreamKey(c.lane), persistGroup, "0").Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return fmt.Errorf("make group %s of %s: %w", persistGroup, StreamKey(c.lane), err)
	}
	c.ready = true
	return nil
}

// lost notices what an error may mean. An answer that did not arrive may have
// handed out entries: they are pending under our name, and come first again.
// When the group is gone, the next Read makes it.
func (c *Consumer) lost(err error) error {
	if err == nil {
		return nil
	}
	c.own = "0"
	if strings.HasPrefix(err.Error(), "NOGROUP") {
		c.ready = false
	}
	return fmt.Errorf("read %s: %w", StreamKey(c.lane), err)
}

// Ack says that entries are stored for good.
func (c *Consumer) Ack(ctx context.Context, entries []event.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	if err := c.db.rdb.XAck(ctx, StreamKey(c.lane), persistGroup, ids...).Err(); err != nil {
		return fmt.Errorf("acknowledge %s: %w", StreamKey(c.lane), err)
	}
	return nil
}

// millisOf is the time in an entry's id, in Unix milliseconds.
func millisOf(id string) int64 {
	ms, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(ms, 10, 64)
	return n
}
