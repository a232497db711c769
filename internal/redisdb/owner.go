package redisdb

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// index adds keys to those of an owner, a sorted set by the time that they
// expire, and removes those that have. No key lives longer than longest.
func index(ctx context.Context, pipe redis.Pipeliner, owner string, keys []redis.Z, now time.Time, longest time.Duration) {
	pipe.ZAdd(ctx, owner, keys...)
	pipe.ZRemRangeByScore(ctx, owner, "-inf", strconv.FormatInt(now.UnixMilli(), 10))
	pipe.PExpire(ctx, owner, longest+time.Second)
}

// owned is a member of an owner's set: a key, or what tells it.
func owned(member string, until time.Time) redis.Z {
	return redis.Z{Score: float64(until.UnixMilli()), Member: member}
}

// ownedPage bounds the keys that are removed in one round trip.
const ownedPage = 1000

// forgetOwner removes the keys that members of an owner's set stand for, and
// returns how many there were.
func forgetOwner(ctx context.Context, rdb redis.UniversalClient, owner string, keyOf func(member string) string) (removed int64, err error) {
	for {
		members, err := rdb.ZRange(ctx, owner, 0, ownedPage-1).Result()
		if err != nil || len(members) == 0 {
			return removed, err
		}
		n, err := unlinkOwned(ctx, rdb, owner, members, keyOf)
		if removed += n; err != nil {
			return removed, err
		}
	}
}

// unlinkOwned removes some members of an owner's set, and their keys.
func unlinkOwned(ctx context.Context, rdb redis.UniversalClient, owner string, members []string, keyOf func(member string) string) (removed int64, err error) {
	if len(members) == 0 {
		return 0, nil
	}
	pipe := rdb.Pipeline()
	unlinked, gone := make([]*redis.IntCmd, len(members)), make([]any, len(members))
	for i, member := range members {
		unlinked[i], gone[i] = pipe.Unlink(ctx, keyOf(member)), member
	}
	pipe.ZRem(ctx, owner, gone...)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, err
	}
	for _, n := range unlinked {
		removed += n.Val()
	}
	return removed, nil
}
