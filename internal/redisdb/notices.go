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
//
//	KEYS    stream, its trimmed id
//	ARGV[1] Unix milliseconds
//	returns the number of removed entries
var trimNoticesScript = redis.NewScript(`
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first or tonumber(string.match(first[1], '%d+')) >= tonumber(ARGV[1]) then return 0 end
local last = redis.call('XREVRANGE', KEYS[1], '(' .. ARGV[1] .. '-0', '-', 'COUNT', 1)[1]
redis.call('SET', KEYS[2], last[1])
return redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1] .. '-0')
`)

// TrimNotices removes from a lane that nobody persists what is older than
// horizon.
func (db *DB) TrimNotices(ctx context.Context, lane event.Lane, horizon time.Time) error {
	keys := []string{StreamKey(lane), trimmedKey(lane)}
	if err := trimNoticesScript.Run(ctx, db.rdb, keys, horizon.UnixMilli()).Err(); err != nil {
		return fmt.Errorf("trim %s: %w", StreamKey(lane), err)
	}
	return nil
}
