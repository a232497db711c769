package redisdb

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
)

// Dead is an entry that could not be processed.
type Dead struct {
	ID     string // among the dead letters
	Stream string // where it came from
	Entry  string // its id there
	Reason string
	Body   string
}

// mostStored bounds the dead letters where facts that are stored go to them,
// too: whoever may send feedback can have any number of them refused.
const mostStored = 100_000

// storedEntry stands for the id of an entry that is not on its stream any more.
const storedEntry = "-"

// BuryStored keeps facts that were refused after they were stored, with the
// reasons. Where there are very many dead letters they are left out, since they
// are stored.
func (db *DB) BuryStored(ctx context.Context, refused []event.Refused) error {
	n, err := db.rdb.XLen(ctx, deadKey).Result()
	if err == nil && n < mostStored {
		pipe := db.rdb.TxPipeline()
		for _, r := range refused {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: deadKey, Values: []any{
				eventField, r.Body, "reason", r.Reason, "stream", StreamKey(r.Lane), "id", storedEntry}})
		}
		_, err = pipe.Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("bury %d facts: %w", len(refused), err)
	}
	return nil
}

// DeadLetters lists up to count dead letters behind an id, "" for the first.
func (db *DB) DeadLetters(ctx context.Context, after string, count int) ([]Dead, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	messages, err := db.rdb.XRangeN(ctx, deadKey, from, "+", int64(count)).Result()
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	var letters []Dead
	for _, m := range messages {
		letters = append(letters, deadOf(m))
	}
	return letters, nil
}

func deadOf(m redis.XMessage) Dead {
	field := func(name string) string {
		value, _ := m.Values[name].(string)
		return value
	}
	return Dead{ID: m.ID, Stream: field("stream"), Entry: field("id"), Reason: field("reason"), Body: field(eventField)}
}

// DeadLetter reads one dead letter, or returns ErrNone.
func (db *DB) DeadLetter(ctx context.Context, id string) (Dead, error) {
	messages, err := db.rdb.XRangeN(ctx, deadKey, id, id, 1).Result()
	if err != nil {
		return Dead{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	if len(messages) == 0 {
		return Dead{}, ErrNone
	}
	return deadOf(messages[0]), nil
}
