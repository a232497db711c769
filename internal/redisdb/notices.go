package redisdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// Shipped is the seq up to which a journal's facts were added to a lane's
// stream; 0 when Redis knows of none.
func (db *DB) Shipped(ctx context.Context, journal string, lane event.Lane) (int64, error) {
	seq, err := noteOf(db.rdb.HGet(ctx, shippedKey(lane), journal))
	if err != nil {
		return 0, fmt.Errorf("read what was shipped to %s: %w", StreamKey(lane), err)
	}
	return seq, nil
}

// trimNoticesScript removes entries of before a time, and writes down the id of
// the last one removed, as trimScript does.
var trimNoticesScript = redis.NewScript(`
local last = redis.call('XREVRANGE', KEYS[1], '(' .. ARGV[1], '-', 'COUNT', 1)[1]
if not last then return 0 end
redis.call('SET', KEYS[2], last[1])
return redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
`)

// TrimNotices removes from a lane that nobody persists what is older than
// horizon.
func (db *DB) TrimNotices(ctx context.Context, lane event.Lane, horizon time.Time) error {
	keys := []string{StreamKey(lane), trimmedKey(lane)}
	if err := trimNoticesScript.Run(ctx, db.rdb, keys, fmt.Sprintf("%d-0", horizon.UnixMilli())).Err(); err != nil {
		return fmt.Errorf("trim %s: %w", StreamKey(lane), err)
	}
	return nil
}
