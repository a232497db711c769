package redisdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

const beginning = "0-0"

// After returns up to count entries behind a position, in order and at once.
//
// behind is the position that they are behind. It differs from the one asked
// for when entries may be missing in between: because they were trimmed, or
// because Redis has lost its data and the position is not one of this stream
// any more. It lies before the one asked for when the stream was set back
// further than that.
func (db *DB) After(ctx context.Context, lane event.Lane, position string, count int) (entries []event.Entry, behind string, err error) {
	pipe := db.rdb.TxPipeline() // in one step, or what is trimmed between two looks would be missed
	trimming := pipe.Get(ctx, trimmedKey(lane))
	found := pipe.XRangeN(ctx, StreamKey(lane), position, "+", int64(count)+1) // with the position's own entry
	newest := pipe.XRevRangeN(ctx, StreamKey(lane), "+", "-", 1)
	_, _ = pipe.Exec(ctx) // each command has its error
	if err := errors.Join(ignoreNil(trimming.Err()), found.Err(), newest.Err()); err != nil {
		return nil, position, fmt.Errorf("read %s: %w", StreamKey(lane), err)
	}
	entries, trimmed := appendEntries(nil, lane, found.Val()), trimming.Val()
	switch {
	case trimmed != "" && before(position, trimmed):
		behind = trimmed
	case position == beginning || position == trimmed:
		behind = position
	case len(entries) > 0 && entries[0].ID == position:
		behind, entries = position, entries[1:]
	case len(entries) > 0:
		behind = previous(entries[0].ID)
	default:
		behind = endOf(newest.Val(), trimmed)
	}
	return entries[:min(count, len(entries))], behind, nil
}

// End is the position behind all entries that there are now.
func (db *DB) End(ctx context.Context, lane event.Lane) (string, error) {
	pipe := db.rdb.TxPipeline()
	trimming := pipe.Get(ctx, trimmedKey(lane))
	newest := pipe.XRevRangeN(ctx, StreamKey(lane), "+", "-", 1)
	_, _ = pipe.Exec(ctx)
	if err := errors.Join(ignoreNil(trimming.Err()), newest.Err()); err != nil {
		return "", fmt.Errorf("find the end of %s: %w", StreamKey(lane), err)
	}
	return endOf(newest.Val(), trimming.Val()), nil
}

// endOf is the last entry, or where it was when it is gone, too.
func endOf(newest []redis.XMessage, trimmed string) string {
	switch {
	case len(newest) > 0:
		return newest[0].ID
	case trimmed != "":
		return trimmed
	default:
		return beginning
	}
}

func ignoreNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// previous is the greatest id before another one.
func previous(id string) string {
	ms, seq := millisOf(id), sequenceOf(id)
	if seq == 0 {
		return strconv.FormatInt(ms-1, 10) + "-" + strconv.FormatUint(math.MaxUint64, 10)
	}
	return strconv.FormatInt(ms, 10) + "-" + strconv.FormatUint(seq-1, 10)
}
