package redisdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/cache"
)

// claimCacheScript gives an answer, or the lease for making it.
//
//	KEYS[1] lease, KEYS[2] … entries, in the order they are wanted
//	ARGV[1] owner, ARGV[2] milliseconds the lease lasts
//	returns the entry, or false; and 0, or how many milliseconds another's lease
//	will last
var claimCacheScript = redis.NewScript(`
for i = 2, #KEYS do
  local entry = redis.call('GET', KEYS[i])
  if entry then return {entry, 0} end
end
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return {false, math.max(redis.call('PTTL', KEYS[1]), 1)}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {false, 0}
`)

// extendCacheScript makes a lease last, if it is still the owner's or nobody's.
//
//	KEYS[1] lease
//	ARGV[1] owner, ARGV[2] milliseconds it lasts
var extendCacheScript = redis.NewScript(`
local owner = redis.call('GET', KEYS[1])
if not owner or owner == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 0
`)

// releaseCacheScript gives a lease back, if it is still the owner's.
//
//	KEYS[1] lease
//	ARGV[1] owner
var releaseCacheScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
`)

// Claim returns the entry of the first of models that has one. Without one it
// takes the lease for owner, or returns how long another's will last.
func (c *Cache) Claim(ctx context.Context, k cache.Key, models []string, owner string, lasts time.Duration) ([]byte, time.Duration, error) {
	keys := appendEntryKeys(append(make([]string, 0, 1+len(models)), cacheLeaseKey(k)), k, models)
	claim := func(run func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd) question {
		return func(ctx context.Context, c redis.Cmdable) func() ([]byte, time.Duration, error) {
			return parseClaim(run(ctx, c, keys, owner, lasts.Milliseconds()))
		}
	}
	body, held, err := c.lookups.ask(ctx, claim(claimCacheScript.EvalSha))
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		body, held, err = c.lookups.ask(ctx, claim(claimCacheScript.Eval))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("claim cached answer: %w", err)
	}
	return body, held, nil
}

func parseClaim(cmd *redis.Cmd) func() ([]byte, time.Duration, error) {
	return func() ([]byte, time.Duration, error) {
		reply, err := cmd.Slice()
		if err != nil {
			return nil, 0, err
		}
		if len(reply) != 2 {
			return nil, 0, fmt.Errorf("%d values instead of 2", len(reply))
		}
		if entry, ok := reply[0].(string); ok {
			return []byte(entry), 0, nil
		}
		held, _ := reply[1].(int64)
		return nil, time.Duration(held) * time.Millisecond, nil
	}
}

// Extend makes owner's lease last from now on.
func (c *Cache) Extend(ctx context.Context, k cache.Key, owner string, lasts time.Duration) error {
	return extendCacheScript.Run(ctx, c.db.rdb, []string{cacheLeaseKey(k)}, owner, lasts.Milliseconds()).Err()
}

// Release gives owner's lease back.
func (c *Cache) Release(ctx context.Context, k cache.Key, owner string) error {
	return releaseCacheScript.Run(ctx, c.db.rdb, []string{cacheLeaseKey(k)}, owner).Err()
}
