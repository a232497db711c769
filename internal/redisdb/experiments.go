package redisdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// pageTTL is how long results outlive their last reading, for when PostgreSQL
// is away.
const pageTTL = time.Hour

func experimentKey(project, id string) string {
	return fmt.Sprintf("busu:experiment:{%s/%s}:results", project, id)
}

// Kept are results of an experiment as somebody has read them.
type Kept struct {
	Body []byte        // nil: there are none
	Age  time.Duration // since that reading began
	Mark int64         // of this moment, to keep newer ones by
}

// keptScript gives what is kept.
//
//	KEYS[1] hash
//	returns milliseconds now and when the reading began, and the body
var keptScript = redis.NewScript(`
local now = redis.call('TIME')
local kept = redis.call('HMGET', KEYS[1], 'at', 'body')
return {now[1] * 1000 + math.floor(now[2] / 1000), tonumber(kept[1] or 0), kept[2]}
`)

// KeptResults gives the results of an experiment that were read last, and a mark
// of now. Ages are by the clock of Redis.
func (db *DB) KeptResults(ctx context.Context, project, id string) (Kept, error) {
	found, err := keptScript.Run(ctx, db.rdb, []string{experimentKey(project, id)}).Slice()
	if err != nil {
		return Kept{}, fmt.Errorf("read results of experiment %s: %w", id, err)
	}
	k := Kept{Mark: found[0].(int64)}
	if body, ok := found[2].(string); ok {
		k.Body, k.Age = []byte(body), time.Duration(k.Mark-found[1].(int64))*time.Millisecond
	}
	return k, nil
}

// keepScript keeps results unless there are newer ones: whoever was held up
// while reading must not put old results over them.
//
//	KEYS[1] hash
//	ARGV[1] mark of when the reading began, ARGV[2] milliseconds to keep it, ARGV[3] body
var keepScript = redis.NewScript(`
local at = redis.call('HGET', KEYS[1], 'at')
if at and tonumber(at) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'body', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`)

// KeepResults keeps the results of an experiment, the reading of which began at a
// mark, for others to read.
func (db *DB) KeepResults(ctx context.Context, project, id string, mark int64, body []byte) error {
	if err := keepScript.Run(ctx, db.rdb, []string{experimentKey(project, id)}, mark, pageTTL.Milliseconds(), body).Err(); err != nil {
		return fmt.Errorf("keep results of experiment %s: %w", id, err)
	}
	return nil
}

// outdateScript makes kept results old, and refuses those that are being read.
//
//	KEYS[1] hash
//	ARGV[1] milliseconds to keep that
var outdateScript = redis.NewScript(`
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'at', now[1] * 1000 + math.floor(now[2] / 1000) + 1)
redis.call('HDEL', KEYS[1], 'body')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`)

// OutdateResults lets nobody see again what was read of an experiment until now.
func (db *DB) OutdateResults(ctx context.Context, project, id string) error {
	err := outdateScript.Run(ctx, db.rdb, []string{experimentKey(project, id)}, pageTTL.Milliseconds()).Err()
	if err != nil && err != redis.Nil {
		return fmt.Errorf("outdate results of experiment %s: %w", id, err)
	}
	return nil
}
