package redisdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// Bury moves entries that cannot be processed to the dead letters, with the
// reasons and the original bytes: in one transaction where one server holds
// both, else one after the other, so that none is buried twice and none is gone.
func (c *Consumer) Bury(ctx context.Context, refused []event.Refused) error {
	if len(refused) == 0 {
		return nil
	}
	bury := c.buryAtOnce
	if c.db.spread() {
		bury = c.buryApart
	}
	if err := bury(ctx, refused); err != nil {
		return fmt.Errorf("bury %d entries of %s: %w", len(refused), StreamKey(c.lane), err)
	}
	return nil
}

func (c *Consumer) buryAtOnce(ctx context.Context, refused []event.Refused) error {
	pipe := c.db.rdb.TxPipeline()
	for _, r := range refused {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: deadKey, Values: []any{
			eventField, r.Body, "reason", r.Reason, "stream", StreamKey(c.lane), "id", r.ID}})
	}
	pipe.XAck(ctx, StreamKey(c.lane), persistGroup, idsOf(refused)...)
	_, err := pipe.Exec(ctx)
	return err
}

func idsOf(refused []event.Refused) []string {
	ids := make([]string, len(refused))
	for i, r := range refused {
		ids[i] = r.ID
	}
	return ids
}

// buryingKey is a hash: the ids of a lane's entries that are dead letters and
// may not have been acknowledged yet.
func buryingKey(l event.Lane) string { return "{" + deadKey + "}:burying:" + StreamKey(l) }

// buryingTTL is how long whoever died between the two steps has to come back,
// before what it holds can be buried twice.
const buryingTTL = 24 * time.Hour

// buryScript adds those that are not there yet.
//
//	KEYS    dead letters, ids that were added
//	ARGV[1] milliseconds to know the ids, ARGV[2] stream
//	then for each: id, body, reason
var buryScript = redis.NewScript(`
for i = 3, #ARGV, 3 do
  if redis.call('HSETNX', KEYS[2], ARGV[i], '') == 1 then
    redis.call('XADD', KEYS[1], '*', '` + eventField + `', ARGV[i + 1], 'reason', ARGV[i + 2], 'stream', ARGV[2], 'id', ARGV[i])
  end
end
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 0
`)

func (c *Consumer) buryApart(ctx context.Context, refused []event.Refused) error {
	keys, args := []string{deadKey, buryingKey(c.lane)}, []any{buryingTTL.Milliseconds(), StreamKey(c.lane)}
	for _, r := range refused {
		args = append(args, r.ID, r.Body, r.Reason)
	}
	if err := buryScript.Run(ctx, c.db.rdb, keys, args...).Err(); err != nil {
		return err
	}
	ids := idsOf(refused)
	if err := c.db.rdb.XAck(ctx, StreamKey(c.lane), persistGroup, ids...).Err(); err != nil {
		return err
	}
	return c.db.rdb.HDel(ctx, buryingKey(c.lane), ids...).Err()
}

// replayScript puts a dead letter back, once: others that are buried or replayed
// meanwhile do not stand in its way.
//
//	KEYS    dead letters, stream that it came from
//	ARGV[1] its id, ARGV[2] its body
//	returns 1, or 0 when it is gone
var replayScript = redis.NewScript(`
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', '` + eventField + `', ARGV[2])
return 1
`)

// Replay puts a dead letter back at the end of the stream that it came from,
// and takes it from the dead letters: in one step where one server holds both.
// It returns ErrNone when there is no such letter, or somebody else has just
// replayed it.
func (db *DB) Replay(ctx context.Context, id string) error {
	letter, err := db.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	var replayed bool
	if db.spread() {
		replayed, err = db.replayApart(ctx, letter)
	} else {
		replayed, err = replayScript.Run(ctx, db.rdb, []string{deadKey, letter.Stream}, id, letter.Body).Bool()
	}
	if err != nil {
		return fmt.Errorf("replay dead letter %s: %w", id, err)
	}
	if !replayed {
		return ErrNone
	}
	return nil
}

// replayingTTL is how long a dead letter waits for whoever died while replaying
// it. Then it can be replayed again, and its fact comes twice, which changes
// nothing.
const replayingTTL = 10 * time.Second

// claimLetterScript takes the right to replay a dead letter.
//
//	KEYS    dead letters, claim
//	ARGV[1] id, ARGV[2] milliseconds the claim lasts
//	returns 1, or 0 when it is gone or another's
var claimLetterScript = redis.NewScript(`
if not redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1] then return 0 end
return redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[2]) and 1 or 0
`)

func (db *DB) replayApart(ctx context.Context, letter Dead) (bool, error) {
	claim := "{" + deadKey + "}:replaying:" + letter.ID
	claimed, err := claimLetterScript.Run(ctx, db.rdb, []string{deadKey, claim}, letter.ID, replayingTTL.Milliseconds()).Bool()
	if err != nil || !claimed {
		return false, err
	}
	if err := db.rdb.XAdd(ctx, &redis.XAddArgs{Stream: letter.Stream, Values: []any{eventField, letter.Body}}).Err(); err != nil {
		return false, err
	}
	pipe := db.rdb.TxPipeline()
	pipe.XDel(ctx, deadKey, letter.ID)
	pipe.Del(ctx, claim)
	_, err = pipe.Exec(ctx)
	return true, err
}
