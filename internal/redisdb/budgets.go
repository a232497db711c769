package redisdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// deskKey is a hash: when this memory of budgets began, in which run of Redis
// it was last touched, and until when nothing is granted. All that belongs to
// budgets shares its hash tag, so that one script sees whether any of it was
// lost.
const deskKey = "{busu:budgets}:desk"

// accountsPrefix begins the keys of accounts.
const accountsPrefix = "{busu:budgets}:account:"

// accountKey is a hash, of which processes are named as budget.Keeper has it:
//
//	made, m, s, w, as, at, al, rd  when it was made; up to which minute what is
//	       stored, s, is all; the same to the millisecond; when that was read,
//	       and came; what was stored when the account was made; until when
//	       somebody reads again
//	l:<process>, t:, n:            what it holds; when it said so; which report
//	c:<process>, d:                up to which minute its spending is stored; when it was found dead
//	u:<process>:<minute>           what it has spent
func accountKey(a budget.Account) string {
	return fmt.Sprintf("%s%s:%s:%d:%s", accountsPrefix, a.Scope, a.Period, a.Began, a.Name)
}

// syncBudgetsScript takes reports of accounts, and leases. Money is in
// nano-dollars, exact up to 2^53 of them.
//
//	KEYS[1] desk, KEYS[2] … accounts
//	ARGV[1] process
//	ARGV[2] when what is stored was read, in microseconds, 0: nothing new;
//	ARGV[3] its minute, ARGV[4] the same in milliseconds
//	ARGV[5] number of journals, and for each: id, milliseconds until which all is stored, 1 when it is closed
//	then for each account: limit; Unix seconds when it began, and when it can go;
//	  1 when it was read, what is stored of it before the minute, and in all;
//	  seq; what the process holds, wants, needs; number of minutes, and for each: minute, what was spent
//	returns for each account: state, granted, free, spent, held by others, covered minute, journals, 1 to read
var syncBudgetsScript = redis.NewScript(fmt.Sprintf(`
local FORGET, QUIET, YOUNG, READ, SKEW, ACTIVE = %d, %d, %d, %d, %d, %d
local OPEN, QUIETLY, BLANK, STALE, LATE = %d, %d, %d, %d, %d
`, budget.Forget.Milliseconds(), budget.QuietFor.Milliseconds(), budget.YoungFor.Milliseconds(), budget.ReadEvery.Milliseconds(), budget.Skew.Milliseconds(), budget.Active.Milliseconds(),
	budget.Open, budget.Quiet, budget.Blank, budget.Stale, budget.Late) + `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local text = function(n) return string.format('%.0f', n) end
local split = function(process) return string.match(process, '^(.*)/(%d+)$') end

local i = 1
local arg = function() i = i + 1; return ARGV[i] end
local num = function() return tonumber(arg()) end
local me = ARGV[1]
local myJournal, myBoot = split(me)

-- A desk of another run may have lost what was said last; one that is not there, everything.
local ok, info = pcall(redis.call, 'INFO', 'server')
local run = ok and type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
local desk = redis.call('HMGET', KEYS[1], 'born', 'run', 'quiet')
local born, quiet = tonumber(desk[1]), tonumber(desk[3])
if not born or desk[2] ~= run then
  born, quiet = born or now, now + QUIET
  redis.call('HSET', KEYS[1], 'born', text(born), 'run', run, 'quiet', text(quiet))
end

local asOf, mark, whole, covers = num(), num(), num(), {}
for _ = 1, num() do
  local journal = arg()
  covers[journal] = {upto = num(), closed = arg() == '1'}
end

-- read gives an account: its own fields, and those of processes.
local read = function(key)
  local all = redis.call('HGETALL', key)
  local own, who = {}, {}
  for f = 1, #all, 2 do
    local kind, process, minute = string.match(all[f], '^(%l):([^:]+):?(%d*)$')
    if not kind then
      own[all[f]] = tonumber(all[f + 1])
    else
      local p = who[process] or {u = {}}
      who[process] = p
      if kind == 'u' then p.u[tonumber(minute)] = tonumber(all[f + 1]) else p[kind] = tonumber(all[f + 1]) end
    end
  end
  return own, who
end

-- forget removes what a process has spent before a minute.
local forget = function(key, name, p, before)
  for minute in pairs(p.u) do
    if minute < before then
      redis.call('HDEL', key, 'u:' .. name .. ':' .. text(minute))
      p.u[minute] = nil
    end
  end
end

local drop = function(key, who, name)
  forget(key, name, who[name], math.huge)
  redis.call('HDEL', key, 'l:' .. name, 't:' .. name, 'n:' .. name, 'c:' .. name, 'd:' .. name)
  who[name] = nil
end

-- cover takes what is stored of journals, and lets go of processes that are
-- gone and of which everything is.
local cover = function(key, own, who)
  for name, p in pairs(who) do
    local journal, boot = split(name)
    local c = covers[journal]
    if c then
      local upto = math.floor(c.upto / 60000)
      if c.closed and c.upto >= tonumber(boot) then
        upto = own.m
        if not p.d then
          p.d = c.upto
          redis.call('HSET', key, 'd:' .. name, text(p.d))
        end
      end
      upto = math.min(upto, own.m)
      if upto > (p.c or 0) then
        p.c = upto
        redis.call('HSET', key, 'c:' .. name, text(upto))
        forget(key, name, p, upto)
      end
    end
  end
  local gone = {}
  for name, p in pairs(who) do
    local c = (p.c or 0) * 60000
    if name ~= me and (p.d and c >= p.d + SKEW or c >= (p.t or 0) + FORGET) then gone[#gone + 1] = name end
  end
  for _, name in ipairs(gone) do drop(key, who, name) end
end

-- take takes what is stored, unless what is known was read later.
local take = function(key, own, who, lossy, before, all)
  if asOf <= (own.as or 0) or mark < (own.m or 0) then return end
  own.as, own.m, own.s, own.w, own.at = asOf, mark, before, whole, now
  redis.call('HSET', key, 'as', text(asOf), 'm', text(mark), 's', text(before), 'w', text(whole), 'at', text(now))
  if mark * 60000 >= own.made + SKEW then
    cover(key, own, who)
  elseif not own.al and (not lossy or whole >= born + SKEW) then
    own.al = all
    redis.call('HSET', key, 'al', text(all))
  end
end

local replies = {}
for k = 2, #KEYS do
  local key = KEYS[k]
  local limit, began, ends = num(), num(), num()
  local wasRead, before, all = arg() == '1', num(), num()
  local seq, holds, wants, needs = num(), num(), num(), num()
  local said, stale = {}, false
  for _ = 1, num() do
    local minute = num()
    said[minute] = num()
  end

  local own, who = read(key)
  if not own.made then
    own.made = now
    redis.call('HSET', key, 'made', text(now))
    redis.call('EXPIREAT', key, ends)
  end
  if wasRead and asOf > 0 then take(key, own, who, born > began * 1000, before, all) end

  local p = who[me] or {u = {}}
  local state = OPEN
  for minute in pairs(said) do stale = stale or minute < (p.c or 0) end
  if p.n and seq <= p.n then
    state = LATE
  elseif stale then
    state = STALE
  else
    who[me] = p
    for minute in pairs(p.u) do
      if not said[minute] then redis.call('HDEL', key, 'u:' .. me .. ':' .. text(minute)) end
    end
    for minute, cost in pairs(said) do
      if p.u[minute] ~= cost then redis.call('HSET', key, 'u:' .. me .. ':' .. text(minute), text(cost)) end
    end
    p.u, p.l, p.t, p.n = said, holds, now, seq
    for name, other in pairs(who) do
      local journal, boot = split(name)
      if journal == myJournal and tonumber(boot) < tonumber(myBoot) and not other.d then
        other.d = now
        redis.call('HSET', key, 'd:' .. name, text(now))
      end
    end
  end

  local stored = own.al
  if own.m and own.m * 60000 >= own.made + SKEW then stored = own.s end
  local spent, held, active, journals, seen = stored or 0, 0, 1, {}, {}
  for name, other in pairs(who) do
    for _, cost in pairs(other.u) do spent = spent + cost end
    if name ~= me then
      held = held + (other.l or 0)
      if not other.d and now - (other.t or 0) < ACTIVE then active = active + 1 end
    end
    local journal = split(name)
    if not seen[journal] then
      seen[journal] = true
      journals[#journals + 1] = journal
    end
  end

  local free, granted = limit - spent - held - (p.l or 0), 0
  if state == OPEN and now < quiet then state = QUIETLY end
  if state == OPEN and not stored then state = now < born + YOUNG and QUIETLY or BLANK end
  if state == OPEN and free > 0 and free >= needs then
    granted = math.min(wants, math.max(needs, math.floor(free / (2 * active))), free)
  end
  if p.t == now and p.n == seq then
    redis.call('HSET', key, 'l:' .. me, text(p.l + granted), 't:' .. me, text(now), 'n:' .. me, text(seq))
  end

  local again = 0
  if (not stored or now - (own.at or 0) > READ) and now >= (own.rd or 0) then
    again = 1
    redis.call('HSET', key, 'rd', text(now + (stored and 3000 or 300)))
  end
  replies[#replies + 1] = {state, text(granted), text(free - granted), text(spent), text(held),
    text(p.c or 0), table.concat(journals, ' '), again}
end
return replies
`)

// keepAccounts is how long an account stays after its period.
const keepAccounts = 48 * time.Hour

// Sync implements budget.Desk.
func (db *DB) Sync(ctx context.Context, process string, reports []budget.Report, stored *budget.Stored) ([]budget.Reply, error) {
	if stored == nil {
		stored = new(budget.Stored)
	}
	keys, args := make([]string, 1, 1+len(reports)), storedArgs(process, stored)
	keys[0] = deskKey
	for _, r := range reports {
		keys = append(keys, accountKey(r.Account))
		args = append(args, reportArgs(r, stored)...)
	}
	raw, err := syncBudgetsScript.Run(ctx, db.rdb, keys, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("report budgets: %w", err)
	}
	if len(raw) != len(reports) {
		return nil, fmt.Errorf("report budgets: %d replies to %d reports", len(raw), len(reports))
	}
	replies := make([]budget.Reply, len(raw))
	for i, r := range raw {
		if replies[i], err = parseBudgetReply(r); err != nil {
			return nil, fmt.Errorf("report budgets: %w", err)
		}
	}
	return replies, nil
}

func storedArgs(process string, s *budget.Stored) []any {
	asOf, minute, until := int64(0), int64(0), int64(0)
	if !s.AsOf.IsZero() {
		asOf = s.AsOf.UnixMicro()
	}
	if !s.Mark.IsZero() {
		minute, until = s.Mark.Unix()/60, s.Until.UnixMilli()
	}
	args := []any{process, asOf, minute, until, len(s.Journals)}
	for _, c := range s.Journals {
		args = append(args, c.Journal, c.Until.UnixMilli(), c.Closed)
	}
	return args
}

func reportArgs(r budget.Report, s *budget.Stored) []any {
	sums, wasRead := s.Accounts[r.Account]
	args := []any{int64(r.Limit), r.Began, r.End().Add(keepAccounts).Unix(), wasRead, int64(sums.Before), int64(sums.All),
		r.Seq, int64(r.Holds), int64(r.Wants), int64(r.Needs), len(r.Spent)}
	for _, m := range r.Spent {
		args = append(args, m.Minute, int64(m.Cost))
	}
	return args
}

func parseBudgetReply(raw any) (r budget.Reply, err error) {
	values, ok := raw.([]any)
	if !ok || len(values) != 8 {
		return r, fmt.Errorf("%v is no reply", raw)
	}
	state, isState := values[0].(int64)
	journals, isText := values[6].(string)
	read, isFlag := values[7].(int64)
	if !isState || !isText || !isFlag {
		return r, fmt.Errorf("%v is no reply", raw)
	}
	r = budget.Reply{State: budget.State(state), Journals: strings.Fields(journals), Read: read == 1}
	numbers := [5]int64{}
	for i := range numbers {
		text, _ := values[i+1].(string)
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return r, err
		}
	}
	r.Granted, r.Free, r.Spent, r.Held = pricing.Nanos(numbers[0]), pricing.Nanos(numbers[1]), pricing.Nanos(numbers[2]), pricing.Nanos(numbers[3])
	r.Covered = numbers[4]
	return r, nil
}
