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

// owned is a key in its owner's set.
func owned(key string, until time.Time) redis.Z {
	return redis.Z{Score: float64(until.UnixMilli()), Member: key}
}

// ownedPage bounds the keys that are removed in one round trip.
const ownedPage = 1000

// forgetOwner removes an owner's keys, and returns how many there were.
func forgetOwner(ctx context.Context, rdb redis.UniversalClient, owner string) (removed int64, err error) {
	for {
		keys, err := rdb.ZRange(ctx, owner, 0, ownedPage-1).Result()
		if err != nil || len(keys) == 0 {
			return removed, err
		}
		pipe := rdb.Pipeline()
		unlinked, members := make([]*redis.IntCmd, len(keys)), make([]any, len(keys))
		for i, key := range keys {
			unlinked[i], members[i] = pipe.Unlink(ctx, key), key
		}
		pipe.ZRem(ctx, owner, members...)
		if _, err := pipe.Exec(ctx); err != nil {
			return removed, err
		}
		for _, n := range unlinked {
			removed += n.Val()
		}
	}
}
