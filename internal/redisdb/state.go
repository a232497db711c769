package redisdb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/system"
)

// State is what Redis knows of how busu fares: memory, streams and their
// readers, dead letters, processes, and who publishes and counts. It takes a
// handful of round trips, however many partitions there are.
func (db *DB) State(ctx context.Context, partitions int) (*system.Redis, error) {
	s := &system.Redis{}
	ahead, took, err := db.clock(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the clock of redis: %w", err)
	}
	s.RoundTripMS, s.ClockMS = milliseconds(took), milliseconds(ahead)
	clock := time.Now().Add(ahead)
	room, fullest, err := db.memory(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the memory of redis: %w", err)
	}
	s.UsedBytes, s.BudgetBytes, s.Fullness = room.used, room.budget, fullest
	if s.Streams, err = db.Streams(ctx, partitions, clock); err != nil {
		return nil, err
	}
	if s.DeadLetters, err = db.CountDead(ctx, clock); err != nil {
		return nil, err
	}
	if s.Processes, err = db.Processes(ctx); err != nil {
		return nil, err
	}
	s.Leases, err = db.holders(ctx, partitions)
	return s, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// holders tells who publishes, and who counts which partition.
func (db *DB) holders(ctx context.Context, partitions int) (leases []system.Lease, err error) {
	pipe := db.rdb.Pipeline()
	leads, until := pipe.Get(ctx, publisherKey), pipe.PTTL(ctx, publisherKey)
	owners, ends := make([]*redis.StringCmd, partitions), make([]*redis.DurationCmd, partitions)
	for p := range partitions {
		owners[p] = pipe.Get(ctx, aggregateKey(p, "lease"))
		ends[p] = pipe.PTTL(ctx, aggregateKey(p, "lease"))
	}
	if _, err := pipe.Exec(ctx); ignoreNil(err) != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	add := func(name string, owner *redis.StringCmd, left *redis.DurationCmd) {
		if owner.Val() != "" {
			leases = append(leases, system.Lease{Name: name, Owner: owner.Val(), EndsMS: max(milliseconds(left.Val()), 0)})
		}
	}
	add("publisher", leads, until)
	for p := range partitions {
		add("aggregator/"+strconv.Itoa(p), owners[p], ends[p])
	}
	return leases, nil
}

// factLanes are all partitions of the streams that the worker persists.
func factLanes(partitions int) (lanes []event.Lane) {
	for _, stream := range []event.Stream{event.Completions, event.Feedback} {
		for p := range partitions {
			lanes = append(lanes, event.Lane{Stream: stream, Partition: p})
		}
	}
	return lanes
}

// look is what is asked of one stream at once.
type look struct {
	entries  *redis.IntCmd
	memory   *redis.IntCmd // nil: nobody wants to know
	groups   *redis.XInfoGroupsCmd
	position *redis.StringCmd // the aggregator's; nil where it does not read

	unread    *redis.XMessageSliceCmd // the first behind what was handed out
	uncounted *redis.XMessageSliceCmd // the first behind the aggregator's position
	pending   *redis.XPendingCmd
}

// Streams tells of every partition of every stream how far its readers are.
func (db *DB) Streams(ctx context.Context, partitions int, now time.Time) ([]system.Stream, error) {
	return db.streams(ctx, append(factLanes(partitions), event.Lane{Stream: event.Decisions}), true, now)
}

// streams asks for all lanes in two round trips, and for their memory where
// that is wanted.
func (db *DB) streams(ctx context.Context, lanes []event.Lane, memory bool, now time.Time) ([]system.Stream, error) {
	looks := make([]look, len(lanes))
	pipe := db.rdb.Pipeline()
	for i, lane := range lanes {
		l, key := &looks[i], StreamKey(lane)
		l.entries, l.groups = pipe.XLen(ctx, key), pipe.XInfoGroups(ctx, key)
		if memory {
			l.memory = pipe.MemoryUsage(ctx, key)
		}
		if lane.Stream == event.Completions {
			l.position = pipe.Get(ctx, aggregateKey(lane.Partition, "position"))
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its error; a stream may not be there yet
	pipe = db.rdb.Pipeline()
	asked := 0
	for i, lane := range lanes {
		if err := looks[i].entries.Err(); err != nil {
			return nil, fmt.Errorf("look at %s: %w", StreamKey(lane), err)
		}
		if looks[i].entries.Val() > 0 {
			asked += looks[i].askReaders(ctx, pipe, StreamKey(lane))
		}
	}
	if asked > 0 {
		if _, err := pipe.Exec(ctx); ignoreNil(err) != nil {
			return nil, fmt.Errorf("look at the readers of streams: %w", err)
		}
	}
	all := make([]system.Stream, len(lanes))
	for i, lane := range lanes {
		all[i] = looks[i].stream(lane, now)
	}
	return all, nil
}

// askReaders asks for what readers have not got to, and counts the commands.
func (l *look) askReaders(ctx context.Context, pipe redis.Pipeliner, key string) (asked int) {
	if g, ok := l.group(); ok {
		l.unread = pipe.XRangeN(ctx, key, "("+g.LastDeliveredID, "+", 1)
		asked++
		if g.Pending > 0 {
			l.pending = pipe.XPending(ctx, key, persistGroup)
			asked++
		}
	}
	if l.position != nil {
		from := "-"
		if at := l.position.Val(); at != "" {
			from = "(" + at
		}
		l.uncounted = pipe.XRangeN(ctx, key, from, "+", 1)
		asked++
	}
	return asked
}

func (l *look) group() (redis.XInfoGroup, bool) {
	for _, g := range l.groups.Val() {
		if g.Name == persistGroup {
			return g, true
		}
	}
	return redis.XInfoGroup{}, false
}

// stream is what came of it. The lag that XINFO gives can be wrong after a
// trim, so it only counts while there is an entry that was not handed out.
func (l *look) stream(lane event.Lane, now time.Time) system.Stream {
	s := system.Stream{Stream: lane.Stream.String(), Partition: lane.Partition, Key: StreamKey(lane),
		Entries: l.entries.Val()}
	if l.memory != nil {
		s.MemoryBytes = l.memory.Val()
	}
	oldest := ""
	if l.unread != nil && len(l.unread.Val()) > 0 {
		g, _ := l.group()
		s.Unread, oldest = max(g.Lag, 1), l.unread.Val()[0].ID
	}
	if l.pending != nil && l.pending.Err() == nil && l.pending.Val().Count > 0 {
		s.Pending, oldest = l.pending.Val().Count, l.pending.Val().Lower
	}
	s.OldestMS = ageOf(oldest, now)
	if l.uncounted != nil && len(l.uncounted.Val()) > 0 {
		s.UncountedMS = ageOf(l.uncounted.Val()[0].ID, now)
	}
	return s
}

// ageOf is how long ago an entry was added, in milliseconds; 0 for none.
func ageOf(id string, now time.Time) float64 {
	if id == "" {
		return 0
	}
	return max(float64(now.UnixMilli()-millisOf(id)), 1)
}
