package redisdb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// trimScript removes entries that persist has acknowledged and that are older
// than the horizon. What persist has not acknowledged stays, whatever its age.
//
//	KEYS[1] stream
//	ARGV[1] group, ARGV[2] horizon in Unix milliseconds
//	returns the number of removed entries; 0 without the stream or the group
var trimScript = redis.NewScript(`
local function before(a, b)
  local am, as = string.match(a, '(%d+)-(%d+)')
  local bm, bs = string.match(b, '(%d+)-(%d+)')
  am, as, bm, bs = tonumber(am), tonumber(as), tonumber(bm), tonumber(bs)
  return am < bm or (am == bm and as < bs)
end
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then return 0 end
local limit
for _, g in ipairs(groups) do
  local group = {}
  for i = 1, #g, 2 do group[g[i]] = g[i + 1] end
  if group['name'] == ARGV[1] then
    limit = group['last-delivered-id']
    if group['pending'] > 0 then
      limit = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
    end
  end
end
if not limit then return 0 end
local horizon = ARGV[2] .. '-0'
if before(horizon, limit) then limit = horizon end
return redis.call('XTRIM', KEYS[1], 'MINID', limit)
`)

// Trim removes from a lane's stream what is stored for good and older than
// horizon, and returns how many entries that were.
func (db *DB) Trim(ctx context.Context, lane event.Lane, horizon time.Time) (int64, error) {
	n, err := trimScript.Run(ctx, db.rdb, []string{StreamKey(lane)},
		persistGroup, strconv.FormatInt(horizon.UnixMilli(), 10)).Int64()
	if err != nil {
		return 0, fmt.Errorf("trim %s: %w", StreamKey(lane), err)
	}
	return n, nil
}
