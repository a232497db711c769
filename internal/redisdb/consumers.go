package redisdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// dismissScript removes consumers that are gone for good. One that holds
// entries stays, since removing it would drop them.
//
//	KEYS[1] stream
//	ARGV[1] group, ARGV[2] milliseconds that a consumer must have been idle
//	returns how many were removed
var dismissScript = redis.NewScript(`
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then return 0 end
local removed = 0
for _, c in ipairs(consumers) do
  local consumer = {}
  for i = 1, #c, 2 do consumer[c[i]] = c[i + 1] end
  if consumer['pending'] == 0 and consumer['idle'] > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    removed = removed + 1
  end
end
return removed
`)

// Dismiss removes consumers of a lane that hold nothing and have not read for
// longer than idle, and returns how many those were.
func (db *DB) Dismiss(ctx context.Context, lane event.Lane, idle time.Duration) (int64, error) {
	n, err := dismissScript.Run(ctx, db.rdb, []string{StreamKey(lane)}, persistGroup, idle.Milliseconds()).Int64()
	if err != nil {
		return 0, fmt.Errorf("dismiss consumers of %s: %w", StreamKey(lane), err)
	}
	return n, nil
}
