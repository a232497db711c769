package redisdb

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/limit"
)

// limitsKey is a hash: in which run of Redis this memory of limits was last
// touched, when that was (last), until when no concurrency is granted (young),
// and since when somebody has been heard (since); and of processes, c:<process>,
// when it came, and t:<process>, when it was heard. Times are in milliseconds.
const limitsKey = "{busu:limits}:desk"

// keepLimitsKey is for how long nobody may be heard of.
const keepLimitsKey = 7 * 24 * time.Hour

// limitKey is a hash:
//
//	level, at              what nobody holds, in units, and as of which millisecond: of rates
//	s:<process>, v:, d:    its share of 1, its level, and what is asked of it a second; of
//	                       concurrency, what it holds, what of it is not used (below 0: what it lacks), and
//	                       what it would like
//	n:<process>, t:        which report said so, and when it came
//
// All have one hash tag, so that one script takes the reports of all.
func limitKey(b limit.Bucket) string {
	if b.User != "" {
		return fmt.Sprintf("{busu:limits}:%s:%s:%s", b.Kind, b.Key, b.User)
	}
	return fmt.Sprintf("{busu:limits}:%s:%s", b.Kind, b.Key)
}

// shareLimitsScript takes reports of limits, and gives shares.
//
//	KEYS[1] desk, KEYS[2] … limits
//	ARGV[1] process
//	then for each limit: 1 for concurrency, the limit, seq, share, level, what is given back, demand, needs
//	returns processes, 1 when all have heard of this one, and for each limit: 1 when it came late, share and
//	level on top, what may be kept, what nobody holds, what others hold, as of how many milliseconds ago, 1
//	when the desk is young
var shareLimitsScript = redis.NewScript(fmt.Sprintf(`
local LEASE, HOLD, PAUSE, QUIET, KNOWN, REMEMBER, KEEP = %d, %d, %d, %d, %d, %d, %d
local SPARE, EVEN, TOLERANCE = %v, %v, %v
`, limit.Lease.Milliseconds(), limit.Hold.Milliseconds(), limit.Pause.Milliseconds(), limit.Quiet.Milliseconds(), limit.Known.Milliseconds(), limit.Remember.Milliseconds(),
	keepLimitsKey.Milliseconds(), limit.Spare, limit.Even, limit.Tolerance) + `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local text = function(n) return string.format('%.17g', n) end
local me, i = ARGV[1], 1
local num = function() i = i + 1; return tonumber(ARGV[i]) end

-- read gives a hash: its own fields, and those of processes.
local read = function(key)
  local all = redis.call('HGETALL', key)
  local own, who = {}, {}
  for f = 1, #all, 2 do
    local kind, name = string.match(all[f], '^(%l):(.*)$')
    if not kind then
      own[all[f]] = all[f + 1]
    else
      who[name] = who[name] or {}
      who[name][kind] = tonumber(all[f + 1])
    end
  end
  return own, who
end

local drop = function(key, who, name)
  redis.call('HDEL', key, 's:' .. name, 'v:' .. name, 'd:' .. name, 'n:' .. name, 't:' .. name, 'c:' .. name)
  who[name] = nil
end

-- dropSilent lets go of all others that were not heard of since a time. No time
-- is ahead: a clock may have been set.
local dropSilent = function(key, who, since, within)
  local silent = {}
  for name, p in pairs(who) do
    if p.t > now then
      p.t = now
      redis.call('HSET', key, 't:' .. name, text(now))
    end
    if name ~= me and now - math.max(p.t, since) > within then silent[#silent + 1] = name end
  end
  for _, name in ipairs(silent) do drop(key, who, name) end
end

-- A desk of another run may have lost what was said last; one that is not there, everything.
local ok, info = pcall(redis.call, 'INFO', 'server')
local run = ok and type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
local desk, processes = read(KEYS[1])
local young, since, last = tonumber(desk.young or 0), tonumber(desk.since or 0), tonumber(desk.last or 0)
if not desk.last or desk.run ~= run then young = now + HOLD end
if young > now + HOLD then young = now + HOLD end
if now - last > PAUSE or now < last then since = now end
local mine = processes[me] or {c = now}
if mine.c > now then mine.c = now end
mine.t = now
processes[me] = mine
redis.call('HSET', KEYS[1], 'run', run, 'young', text(young), 'since', text(since), 'last', text(now), 'c:' .. me, text(mine.c), 't:' .. me, text(now))
redis.call('PEXPIRE', KEYS[1], KEEP)
dropSilent(KEYS[1], processes, since, LEASE)
local count = 0
for _ in pairs(processes) do count = count + 1 end

local othersOf = function(who)
  local others = 0
  for name, p in pairs(who) do
    if name ~= me then others = others + math.max(p.v, 0) end
  end
  return others
end

local write = function(key, p)
  redis.call('HSET', key, 's:' .. me, text(p.s), 'v:' .. me, text(p.v), 'd:' .. me, text(p.d), 'n:' .. me, text(p.n), 't:' .. me, text(p.t))
end

-- lend is about how many requests may be under way at once.
local lend = function(key, most, seq, share, level, demand, needs)
  local own, who = read(key)
  dropSilent(key, who, since, HOLD)
  if who[me] and seq <= who[me].n then return {1, '0', '0', '0', '0', '0', 0, 0} end
  local p = {s = share, v = level, d = demand, n = seq, t = now}
  who[me] = p
  local free, n, all, lack, silence = most, 0, 0, 0, 0
  for name, o in pairs(who) do
    free, n, all = free - o.s, n + 1, all + o.d
    if name ~= me then
      lack = lack + math.max(-o.v, 0)
      if o.s > 0 and now - o.t < QUIET then silence = math.max(silence, now - o.t) end
    end
  end
  local isYoung = now < young
  if share == 0 and demand == 0 and needs == 0 then
    drop(key, who, me)
    return {0, '0', '0', '0', text(free), text(othersOf(who)), silence, isYoung and 1 or 0}
  end
  local spare = math.max(1, math.floor(most * SPARE))
  local part = math.min(demand, most - spare)
  if all > most - spare then part = math.floor((most - spare) * (EVEN / n + (1 - EVEN) * demand / all)) end
  local more = 0
  if not isYoung then more = math.max(math.min(part - share, free - spare - lack), math.min(needs, free), 0) end
  p.s, p.v, free = share + more, level + more - needs, free - more
  local keep = p.s
  if p.s > math.max(part * TOLERANCE, part + 1) then keep = part end
  if lack > free then keep = math.min(keep, p.s - math.min(lack - free, math.max(p.v, 0))) end
  if free < spare then keep = math.max(math.min(keep, p.s - spare + free), 0) end
  write(key, p)
  redis.call('PEXPIRE', key, REMEMBER)
  return {0, text(more), text(more), text(keep), text(free), text(othersOf(who)), silence, isYoung and 1 or 0}
end

-- divide is about rates.
local divide = function(key, room, seq, share, level, gives, demand, needs)
  local own, who = read(key)
  local unheld = function()
    local rest = 1
    for _, p in pairs(who) do rest = rest - p.s end
    return rest
  end
  local pool = tonumber(own.level or room)
  local gone = math.max(now - tonumber(own.at or now), 0)
  pool = pool + math.max(unheld(), 0) * room * gone / 60000
  dropSilent(key, who, 0, LEASE)

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
    write(key, {s = share + more, v = level + lift, d = demand, n = seq, t = now})
  end
  redis.call('HSET', key, 'level', text(pool), 'at', text(now))
  redis.call('PEXPIRE', key, REMEMBER)

  return {late and 1 or 0, text(more), text(lift), text(keep), text(pool), text(othersOf(who)), 0, 0}
end

local replies = {}
for k = 2, #KEYS do
  local isLent, most, seq, held, level, gives, demand, needs = num() == 1, num(), num(), num(), num(), num(), num(), num()
  if isLent then
    replies[#replies + 1] = lend(KEYS[k], most, seq, held, level, demand, needs)
  else
    replies[#replies + 1] = divide(KEYS[k], most, seq, held, level, gives, demand, needs)
  end
end
return {count, now - mine.c >= KNOWN and 1 or 0, replies}
`)

// Share implements limit.Desk.
func (db *DB) Share(ctx context.Context, process string, reports []limit.Report) (limit.Answer, error) {
	keys, args := append(make([]string, 0, 1+len(reports)), limitsKey), append(make([]any, 0, 1+8*len(reports)), process)
	for _, r := range reports {
		keys = append(keys, limitKey(r.Bucket))
		args = append(args, r.Kind == limit.Concurrency, r.Most, r.Seq, r.Share, r.Level, r.Gives, r.Demand, r.Needs)
	}
	raw, err := shareLimitsScript.Run(ctx, db.rdb, keys, args...).Slice()
	if err != nil {
		return limit.Answer{}, fmt.Errorf("share limits: %w", err)
	}
	answer, err := parseLimitAnswer(raw, len(reports))
	if err != nil {
		return limit.Answer{}, fmt.Errorf("share limits: %w", err)
	}
	return answer, nil
}

func parseLimitAnswer(raw []any, reports int) (a limit.Answer, err error) {
	if len(raw) != 3 {
		return a, fmt.Errorf("%v is no answer", raw)
	}
	count, isCount := raw[0].(int64)
	settled, isFlag := raw[1].(int64)
	replies, isList := raw[2].([]any)
	if !isCount || !isFlag || !isList || len(replies) != reports {
		return a, fmt.Errorf("%d replies to %d reports: %v", len(replies), reports, raw)
	}
	a = limit.Answer{Processes: int(count), Settled: settled == 1, Replies: make([]limit.Reply, reports)}
	for i, r := range replies {
		if a.Replies[i], err = parseLimitReply(r); err != nil {
			return a, err
		}
	}
	return a, nil
}

func parseLimitReply(raw any) (r limit.Reply, err error) {
	values, ok := raw.([]any)
	if !ok || len(values) != 8 {
		return r, fmt.Errorf("%v is no reply", raw)
	}
	late, isLate := values[0].(int64)
	silence, isAge := values[6].(int64)
	young, isYoung := values[7].(int64)
	if !isLate || !isAge || !isYoung {
		return r, fmt.Errorf("%v is no reply", raw)
	}
	r.Late, r.Silence, r.Young = late == 1, time.Duration(silence)*time.Millisecond, young == 1
	for i, into := range []*float64{&r.Share, &r.Level, &r.Keep, &r.Pool, &r.Others} {
		text, _ := values[i+1].(string)
		if *into, err = strconv.ParseFloat(text, 64); err != nil {
			return r, err
		}
		if math.IsNaN(*into) || math.IsInf(*into, 0) {
			return r, fmt.Errorf("%q is no share", text)
		}
	}
	return r, nil
}
