package redisdb

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/idempotency"
)

// Idempotency implements idempotency.Store. One hash for each key holds the
// fingerprint of the request and either the token of who is at it or the
// answer.
type Idempotency struct{ *DB }

func idempotencyKey(key string) string { return "busu:idempotency:" + key }

// idempotencyOwnerKey is a sorted set: the hashes with a user's answers by the
// time they expire at the latest, in Unix milliseconds.
func idempotencyOwnerKey(o cache.Owner) string {
	return "busu:idempotency-owner:" + hex.EncodeToString(o[:])
}

// beginScript takes the lease, or gives what is kept.
//
//	KEYS[1] hash
//	ARGV[1] fingerprint, ARGV[2] token, ARGV[3] milliseconds of the lease
//	returns {'new'}, {'other'}, {'busy'} or {'done', answer}
var beginScript = redis.NewScript(`
local print = redis.call('HGET', KEYS[1], 'fingerprint')
if not print then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'new'}
end
if print ~= ARGV[1] then return {'other'} end
local answer = redis.call('HGET', KEYS[1], 'answer')
if answer then return {'done', answer} end
return {'busy'}
`)

// Begin implements idempotency.Store.
func (db Idempotency) Begin(ctx context.Context, key, fingerprint, token string) ([]byte, error) {
	found, err := beginScript.Run(ctx, db.rdb, []string{idempotencyKey(key)},
		fingerprint, token, idempotency.Lease.Milliseconds()).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("begin under an idempotency key: %w", err)
	}
	switch found[0] {
	case "other":
		return nil, idempotency.ErrOtherRequest
	case "busy":
		return nil, idempotency.ErrInFlight
	case "done":
		return []byte(found[1]), nil
	}
	return nil, nil
}

// Own implements idempotency.Store.
func (db Idempotency) Own(ctx context.Context, key, project, user string) error {
	const lives = idempotency.Longest + idempotency.Keep
	now := time.Now()
	pipe := db.rdb.Pipeline()
	index(ctx, pipe, idempotencyOwnerKey(cache.OwnerOf(project, user)), []redis.Z{owned(idempotencyKey(key), now.Add(lives))}, now, lives)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("note whose answer is kept for a repetition: %w", err)
	}
	return nil
}

// ForgetUser removes what is kept of a user's requests, and lets go of the keys
// of those under way: what they bring is not kept. It returns how many there
// were, under the name idempotency.
func (db Idempotency) ForgetUser(ctx context.Context, project, user string) (map[string]int64, error) {
	n, err := forgetOwner(ctx, db.rdb, idempotencyOwnerKey(cache.OwnerOf(project, user)), func(key string) string { return key })
	if err != nil {
		return nil, fmt.Errorf("forget answers kept for repetitions: %w", err)
	}
	return map[string]int64{"idempotency": n}, nil
}

// renewScript makes a lease last on.
//
//	KEYS[1] hash
//	ARGV[1] token, ARGV[2] milliseconds
//	returns 1, or 0 when the lease is not the token's
var renewScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

// Renew implements idempotency.Store.
func (db Idempotency) Renew(ctx context.Context, key, token string) error {
	return renewScript.Run(ctx, db.rdb, []string{idempotencyKey(key)}, token, idempotency.Lease.Milliseconds()).Err()
}

// endScript ends a lease.
//
//	KEYS[1] hash
//	ARGV[1] token, ARGV[2] answer ('' keeps nothing), ARGV[3] milliseconds to keep it
//	returns 1, or 0 when the lease is not the token's
var endScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('HDEL', KEYS[1], 'token')
redis.call('HSET', KEYS[1], 'answer', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
`)

// End implements idempotency.Store.
func (db Idempotency) End(ctx context.Context, key, token string, answer []byte) error {
	return endScript.Run(ctx, db.rdb, []string{idempotencyKey(key)}, token, answer, idempotency.Keep.Milliseconds()).Err()
}
