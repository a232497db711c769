package redisdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Dead is an entry that could not be processed.
type Dead struct {
	ID     string // among the dead letters
	Stream string // where it came from
	Entry  string // its id there
	Reason string
	Body   string
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

// Replay puts a dead letter back at the end of the stream that it came from,
// and takes it from the dead letters, in one transaction. It returns ErrNone
// when there is no such letter, or somebody else has just replayed it.
func (db *DB) Replay(ctx context.Context, id string) error {
	letter, err := db.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	err = db.rdb.Watch(ctx, func(tx *redis.Tx) error {
		left, err := tx.XRangeN(ctx, deadKey, id, id, 1).Result()
		if err != nil || len(left) == 0 {
			return errors.Join(err, ErrNone)
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: letter.Stream, Values: []any{eventField, letter.Body}})
			pipe.XDel(ctx, deadKey, id)
			return nil
		})
		return err
	}, deadKey)
	if err != nil && !errors.Is(err, ErrNone) {
		return fmt.Errorf("replay dead letter %s: %w", id, err)
	}
	return err
}
