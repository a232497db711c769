package redisdb

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/limit"
)

// limitKey is a hash:
//
//	level, at              what nobody holds, in units, and as of which millisecond
//	s:<process>, v:, d:    its share of 1, its level, and what is asked of it a second
//	n:<process>, t:        which report said so, and when it came
//
// All have one hash tag, so that one script takes the reports of all.
func limitKey(b limit.Bucket) string { return fmt.Sprintf("{busu:limits}:%s:%s", b.Kind, b.Key) }

// shareLimitsScript takes reports of limits, and gives shares.
//
//	KEYS: a limit each
//	ARGV[1] process
//	then for each: units per minute, seq, share, level, what is given back, demand, needs
//	returns for each: 1 when it came late, share and level on top, what may be kept, what nobody holds, what others hold
var shareLimitsScript = redis.NewScript(fmt.Sprintf(`
local LEASE, REMEMBER = %d, %d
local SPARE, EVEN, TOLERANCE = %v, %v, %v
`, limit.Lease.Milliseconds(), limit.Remember.Milliseconds(), limit.Spare, limit.Even, limit.Tolerance) + `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local text = function(n) return string.format('%.17g', n) end
local me, i = ARGV[1], 1
local num = function() i = i + 1; return tonumber(ARGV[i]) end

local read = function(key)
  local all = redis.call('HGETALL', key)
  local own, who = {}, {}
  for f = 1, #all, 2 do
    local kind, name = string.match(all[f], '^(%l):(.*)$')
    if not kind then
      own[all[f]] = tonumber(all[f + 1])
    else
      who[name] = who[name] or {}
      who[name][kind] = tonumber(all[f + 1])
    end
  end
  return own, who
end

local drop = function(key, who, name)
  redis.call('HDEL', key, 's:' .. name, 'v:' .. name, 'd:' .. name, 'n:' .. name, 't:' .. name)
  who[name] = nil
end

local replies = {}
for _, key in ipairs(KEYS) do
  local room, seq, share, level, gives, demand, needs = num(), num(), num(), num(), num(), num(), num()
  local own, who = read(key)
  local unheld = function()
    local rest = 1
    for _, p in pairs(who) do rest = rest - p.s end
    return rest
  end
  local pool = own.level or room
  local gone = math.max(now - (own.at or now), 0)
  pool = pool + math.max(unheld(), 0) * room * gone / 60000
  local silent = {}
  for name, p in pairs(who) do
    if name ~= me and now - p.t > LEASE then silent[#silent + 1] = name end
  end
  for _, name in ipairs(silent) do drop(key, who, name) end

  local late = who[me] and seq <= who[me].n
  local more, lift, keep, free = 0, 0, share, 0
  if not late then
    who[me] = {s = share, v = level, d = demand, n = seq, t = now}
    free = unheld()
    pool = math.min(pool + gives, math.max(free, 0) * room)
  end
  if late then
  elseif share == 0 and demand == 0 and needs == 0 then
    drop(key, who, me)
  else
    local n, all = 0, 0
    for _, p in pairs(who) do n, all = n + 1, all + p.d end
    local part = share
    if all > 0 then part = (1 - SPARE) * (EVEN / n + (1 - EVEN) * demand / all) end
    if part > share and free > 0 then
      more = math.max(math.min(part - share, math.max(free - SPARE, free / 2)), 0)
      lift = math.max(pool, 0) * more / free
    end
    lift = lift + math.max(math.min(needs - lift, pool - lift), 0)
    keep = share + more
    if share > part * TOLERANCE then keep = part end
    if free < 0 then keep = math.max(math.min(keep, share + free), 0) end
    pool = pool - lift
    redis.call('HSET', key, 's:' .. me, text(share + more), 'v:' .. me, text(level + lift), 'd:' .. me, text(demand), 'n:' .. me, text(seq), 't:' .. me, text(now))
  end
  redis.call('HSET', key, 'level', text(pool), 'at', text(now))
  redis.call('PEXPIRE', key, REMEMBER)

  local others = 0
  for name, p in pairs(who) do
    if name ~= me then others = others + math.max(p.v, 0) end
  end
  replies[#replies + 1] = {late and 1 or 0, text(more), text(lift), text(keep), text(pool), text(others)}
end
return replies
`)

// Share implements limit.Desk.
func (db *DB) Share(ctx context.Context, process string, reports []limit.Report) ([]limit.Reply, error) {
	keys, args := make([]string, 0, len(reports)), append(make([]any, 0, 1+7*len(reports)), process)
	for _, r := range reports {
		keys = append(keys, limitKey(r.Bucket))
		args = append(args, r.PerMinute, r.Seq, r.Share, r.Level, r.Gives, r.Demand, r.Needs)
	}
	raw, err := shareLimitsScript.Run(ctx, db.rdb, keys, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("share limits: %w", err)
	}
	if len(raw) != len(reports) {
		return nil, fmt.Errorf("share limits: %d replies to %d reports", len(raw), len(reports))
	}
	replies := make([]limit.Reply, len(raw))
	for i, r := range raw {
		if replies[i], err = parseLimitReply(r); err != nil {
			return nil, fmt.Errorf("share limits: %w", err)
		}
	}
	return replies, nil
}

func parseLimitReply(raw any) (r limit.Reply, err error) {
	values, ok := raw.([]any)
	if !ok || len(values) != 6 {
		return r, fmt.Errorf("%v is no reply", raw)
	}
	late, ok := values[0].(int64)
	if !ok {
		return r, fmt.Errorf("%v is no reply", raw)
	}
	r.Late = late == 1
	for i, into := range []*float64{&r.Share, &r.Level, &r.Keep, &r.Pool, &r.Others} {
		text, _ := values[i+1].(string)
		if *into, err = strconv.ParseFloat(text, 64); err != nil {
			return r, err
		}
	}
	return r, nil
}
