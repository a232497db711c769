package redisdb

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/cache"
)

// Cache is the part of Redis that keeps answers. Other parts may share the
// server: it keeps to a budget of its own.
type Cache struct {
	db      *DB
	ttl     time.Duration
	budget  int64
	lookups merger
}

// Cache gives the part that keeps answers, each for ttl at most. In all, they
// take no more than budget bytes, by estimate; 0 is no limit, for a server that
// is there for them alone and evicts by itself.
func (db *DB) Cache(ttl time.Duration, budget int64) *Cache {
	return &Cache{db: db, ttl: ttl, budget: budget, lookups: merger{rdb: db.rdb}}
}

// The answers to a question, and the lease for making one, share a hash tag.
// Another form of the places by which answers are forgotten needs another name
// here: what is given must be found by who forgets.
func appendEntryKey(dst []byte, k cache.Key, model string) []byte {
	dst = k.AppendName(append(dst, "busu:cache:answer:{"...))
	return append(append(dst, "}:"...), model...)
}

// appendEntryKeys adds those of answers that models have given.
func appendEntryKeys(keys []string, k cache.Key, models []string) []string {
	var room [128]byte // for all but the model's name
	all := string(appendEntryKey(room[:0], k, ""))
	for _, model := range models {
		keys = append(keys, all+model)
	}
	return keys
}

func cacheLeaseKey(k cache.Key) string { return "busu:cache:lease:{" + k.Name() + "}" }

const (
	cacheChangesKey = "busu:cache:changes" // stream of what other processes must know
	cacheBytesKey   = "busu:cache:bytes"   // slot of time → bytes stored in it

	keptField = "kept" // fingerprints of keys, 8 bytes each
	goneField = "gone" // owner, and the requests where only their entries are gone

	mostChanges = 4096 // far above what comes while a process reads none
	changesPage = 1000
)

// Find returns the entry of the first of models that has one, or nil.
func (c *Cache) Find(ctx context.Context, k cache.Key, models []string) ([]byte, error) {
	if len(models) == 0 {
		return nil, nil
	}
	body, _, err := c.lookups.ask(ctx, firstOf(appendEntryKeys(make([]string, 0, len(models)), k, models)))
	if err != nil {
		return nil, fmt.Errorf("find cached answer: %w", err)
	}
	return body, nil
}

// reserveScript takes bytes from the budget. What was stored counts until it
// has expired: by slots of time, each an eighth of what entries live.
//
//	KEYS[1] bytes by slot
//	ARGV[1] bytes wanted, ARGV[2] budget, ARGV[3] milliseconds of a slot
//	returns the bytes that were granted: those wanted, or what is left
var reserveScript = redis.NewScript(`
local now = redis.call('TIME')
local slot = math.floor((now[1] * 1000 + math.floor(now[2] / 1000)) / ARGV[3])
local used = 0
local slots = redis.call('HGETALL', KEYS[1])
for i = 1, #slots, 2 do
  if slot - tonumber(slots[i]) > 8 then
    redis.call('HDEL', KEYS[1], slots[i])
  else
    used = used + tonumber(slots[i + 1])
  end
end
local granted = math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - used)
if granted <= 0 then return 0 end
redis.call('HINCRBY', KEYS[1], string.format('%.0f', slot), string.format('%.0f', granted))
redis.call('PEXPIRE', KEYS[1], ARGV[3] * 9)
return granted
`)

const budgetSlots = 8

// cacheOverhead is about what an entry takes beside its body, in bytes: its
// key, its place in its project's set and that of its request, which may be alone in
// its second.
const cacheOverhead = 700

// costOf is about what an item takes, in bytes. Redis's allocator may give a
// quarter more than is asked for.
func costOf(i cache.Item) int64 { return cacheOverhead + int64(len(i.Body))*5/4 }

// reserve returns the items that the budget has room for.
func (c *Cache) reserve(ctx context.Context, items []cache.Item) ([]cache.Item, error) {
	if c.budget == 0 {
		return items, nil
	}
	var wanted int64
	for _, i := range items {
		wanted += costOf(i)
	}
	granted, err := reserveScript.Run(ctx, c.db.rdb, []string{cacheBytesKey}, wanted, c.budget, max(c.ttl.Milliseconds()/budgetSlots, 1)).Int64()
	if err != nil {
		return nil, err
	}
	for n, i := range items {
		if granted -= costOf(i); granted < 0 {
			return items[:n], nil
		}
	}
	return items, nil
}

// Keep stores as many of the items as there is room for, gives back the leases
// of all, and tells the other processes.
func (c *Cache) Keep(ctx context.Context, items []cache.Item, now time.Time) (int, error) {
	fit, err := c.reserve(ctx, items)
	if err != nil {
		return 0, fmt.Errorf("keep %d answers: %w", len(items), err)
	}
	pipe := c.db.rdb.Pipeline()
	c.keep(ctx, pipe, fit, now)
	for _, i := range items {
		if i.Lease != "" {
			releaseCacheScript.Eval(ctx, pipe, []string{cacheLeaseKey(i.Key)}, i.Lease)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("keep %d answers: %w", len(items), err)
	}
	return len(fit), nil
}

// keep writes the places before the entries: none is to be where nobody finds it
// to forget it.
func (c *Cache) keep(ctx context.Context, pipe redis.Pipeliner, items []cache.Item, now time.Time) {
	if len(items) == 0 {
		return
	}
	kept := make([]byte, 0, 8*len(items))
	places := newCachePlaces(len(items))
	for _, i := range items {
		kept = binary.LittleEndian.AppendUint64(kept, i.Key.Fingerprint())
		places.add(i)
	}
	places.write(ctx, pipe, now, c.ttl)
	for n, i := range items {
		if stay := i.Until.Sub(now); stay >= time.Millisecond {
			pipe.Set(ctx, places.keys[n], i.Body, stay)
		}
	}
	tell(ctx, pipe, keptField, kept)
}

func tell(ctx context.Context, pipe redis.Pipeliner, field string, value []byte) {
	pipe.XAdd(ctx, &redis.XAddArgs{Stream: cacheChangesKey, MaxLen: mostChanges, Approx: true, Values: []any{field, value}})
}

// changesScript reads what changed, and what tells whether something is
// missing before it.
//
//	KEYS[1] changes
//	ARGV[1] position, ARGV[2] most entries
//	returns the number of all entries, the ids of the first and the last one or
//	'', and the entries behind the position
var changesScript = redis.NewScript(`
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then return {0, '', '', {}} end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return {redis.call('XLEN', KEYS[1]), first[1], last[1],
  redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])}
`)

const beforeAll = "0-0"

// Changes returns what processes stored and forgot after a position; after ""
// only the position behind all of it.
func (c *Cache) Changes(ctx context.Context, after string) (cache.Page, error) {
	count := changesPage
	if after == "" {
		count = 1
	}
	reply, err := changesScript.Run(ctx, c.db.rdb, []string{cacheChangesKey}, cmp.Or(after, beforeAll), count).Slice()
	if err != nil {
		return cache.Page{}, fmt.Errorf("read changes of cached answers: %w", err)
	}
	length, first, last, entries := parseChanges(reply)
	page := cache.Page{Position: cmp.Or(after, beforeAll)}
	if after == "" {
		page.Position, page.Gap = cmp.Or(last, beforeAll), true
		return page, nil
	}
	if length > 0 && (length >= mostChanges && before(after, first) || before(last, after)) {
		page.Position, page.Gap = last, true // trimmed, or written anew by an older clock
		return page, nil
	}
	for _, e := range entries {
		page.Position = e.id
		page.Changes = append(page.Changes, e.change)
	}
	page.More = len(entries) == changesPage
	return page, nil
}

type changeEntry struct {
	id     string
	change cache.Change
}

// parseChanges reads the script's reply; what is not as it should be is left
// out.
func parseChanges(reply []any) (length int64, first, last string, entries []changeEntry) {
	if len(reply) != 4 {
		return 0, "", "", nil
	}
	length, _ = reply[0].(int64)
	first, _ = reply[1].(string)
	last, _ = reply[2].(string)
	list, _ := reply[3].([]any)
	for _, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			continue
		}
		e := changeEntry{}
		e.id, _ = pair[0].(string)
		if fields, _ := pair[1].([]any); len(fields) == 2 {
			field, _ := fields[0].(string)
			value, _ := fields[1].(string)
			e.change = parseChange(field, value)
		}
		entries = append(entries, e)
	}
	return length, first, last, entries
}

func parseChange(field, value string) cache.Change {
	var change cache.Change
	switch field {
	case keptField:
		change.Kept = make([]uint64, len(value)/8)
		for i := range change.Kept {
			change.Kept[i] = binary.LittleEndian.Uint64([]byte(value[8*i:]))
		}
	case goneField:
		rest := value[copy(change.Owner[:], value):]
		change.Requests = make([]uuid.UUID, len(rest)/len(uuid.UUID{}))
		for i := range change.Requests {
			copy(change.Requests[i][:], rest[i*len(uuid.UUID{}):])
		}
	}
	return change
}
