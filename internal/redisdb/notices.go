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

// trimNoticesScript removes entries of before a time.
//
//	KEYS    stream, its trimmed id
//	ARGV[1] Unix milliseconds
//	returns the number of removed entries
var trimNoticesScript = redis.NewScript(trimBefore + `
return trim(ARGV[1] .. '-0')
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
