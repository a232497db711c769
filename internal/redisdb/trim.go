package redisdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// trimBefore begins scripts that remove from KEYS[1] what is before an id, and
// write down in KEYS[2] the id of the last one removed. It looks at the first
// entry before it looks for that one: where all are newer, XREVRANGE goes through
// the whole stream to find none, which takes Redis half a second of three million.
const trimBefore = `
local function before(a, b)
  local am, as = string.match(a, '(%d+)-(%d+)')
  local bm, bs = string.match(b, '(%d+)-(%d+)')
  am, as, bm, bs = tonumber(am), tonumber(as), tonumber(bm), tonumber(bs)
  return am < bm or (am == bm and as < bs)
end
local function trim(limit)
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not first or not before(first[1], limit) then return 0 end
  local last = redis.call('XREVRANGE', KEYS[1], '(' .. limit, '-', 'COUNT', 1)[1]
  redis.call('SET', KEYS[2], last[1])
  return redis.call('XTRIM', KEYS[1], 'MINID', limit)
end`

// trimScript removes entries that persist has acknowledged and that are older
// than the horizon, and writes down the id of the last one removed: a reader
// that stands there or behind has missed nothing. What persist has not
// acknowledged stays, whatever its age. The aggregator's position and other
// groups hold entries back too, while there is memory for it.
//
//	KEYS    stream, its trimmed id, the aggregator's position where it reads the stream
//	ARGV[1] group, ARGV[2] horizon in Unix milliseconds
//	ARGV[3] 1 to wait for the aggregator and the groups that follow, else 0
//	ARGV[4] … names of other groups
//	returns the number of removed entries; 0 without the stream or the group
var trimScript = redis.NewScript(trimBefore + `
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then return 0 end
local others = {}
for i = 4, #ARGV do others[ARGV[i]] = true end
local limit, held
for _, g in ipairs(groups) do
  local group = {}
  for i = 1, #g, 2 do group[g[i]] = g[i + 1] end
  local name, from = group['name'], group['last-delivered-id']
  if name == ARGV[1] or others[name] then
    if group['pending'] > 0 then from = redis.call('XPENDING', KEYS[1], name)[2] end
    if name == ARGV[1] then
      limit = from
    elseif not held or before(from, held) then
      held = from
    end
  end
end
if not limit then return 0 end
local horizon = ARGV[2] .. '-0'
if before(horizon, limit) then limit = horizon end
if ARGV[3] == '1' then
  local position = KEYS[3] and redis.call('GET', KEYS[3])
  if position and position ~= '' and before(position, limit) then limit = position end
  if held and before(held, limit) then limit = held end
end
if limit == '0-0' then return 0 end
return trim(limit)
`)

const (
	holdUpTo     = 0.7     // of the memory budget: then readers get a gap
	budgetIfNone = 1 << 30 // bytes, where Redis has no maxmemory
)

// Trim removes from a lane's stream what is stored for good and older than
// horizon, and returns how many entries that were. Groups of others may hold
// it back, as the aggregator does, up to a share of the memory.
func (db *DB) Trim(ctx context.Context, lane event.Lane, horizon time.Time, groups []string) (int64, error) {
	server, err := db.holder(ctx, StreamKey(lane))
	if err != nil {
		return 0, fmt.Errorf("trim %s: %w", StreamKey(lane), err)
	}
	room, err := memoryOf(ctx, server)
	if err != nil {
		return 0, fmt.Errorf("trim %s: %w", StreamKey(lane), err)
	}
	hold := 0
	if room.fullness() < holdUpTo {
		hold = 1
	}
	keys := []string{StreamKey(lane), trimmedKey(lane)}
	if lane.Stream == event.Completions {
		keys = append(keys, aggregateKey(lane.Partition, "position"))
	}
	args := []any{persistGroup, strconv.FormatInt(horizon.UnixMilli(), 10), hold}
	for _, group := range groups {
		args = append(args, group)
	}
	n, err := trimScript.Run(ctx, db.rdb, keys, args...).Int64()
	if err != nil {
		return 0, fmt.Errorf("trim %s: %w", StreamKey(lane), err)
	}
	return n, nil
}

// Fullness is the share of its memory budget that Redis uses; 0 where it does
// not say. Of a cluster it is that of the fullest server.
func (db *DB) Fullness(ctx context.Context) (float64, error) {
	_, fullest, err := db.memory(ctx)
	return fullest, err
}

// ignoreUnknown lets pass that an in-process Redis does not know a section.
func ignoreUnknown(err error) error {
	if strings.Contains(err.Error(), "section") {
		return nil
	}
	return err
}

// before compares two entry ids; the empty one is before all.
func before(a, b string) bool {
	if ms := millisOf(a) - millisOf(b); ms != 0 {
		return ms < 0
	}
	return sequenceOf(a) < sequenceOf(b)
}

// sequenceOf is what parts entries of the same millisecond.
func sequenceOf(id string) uint64 {
	_, seq, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseUint(seq, 10, 64)
	return n
}
