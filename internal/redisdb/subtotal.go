package redisdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/rollup"
)

// storedSubtotal is a subtotal as it is stored, its cells by field as in a
// checkpoint.
type storedSubtotal struct {
	At   time.Time               `json:"at"`
	Sums map[string]*rollup.Cell `json:"sums"`
}

// encodeSubtotal gives nothing for none.
func encodeSubtotal(s *rollup.Subtotal) ([]byte, error) {
	if s == nil {
		return []byte{}, nil
	}
	stored := storedSubtotal{At: s.At, Sums: make(map[string]*rollup.Cell, len(s.Sums))}
	for _, pc := range s.Sums {
		stored.Sums[cellField(pc.Project, pc.Key)] = pc.Cell
	}
	return json.Marshal(stored)
}

func decodeSubtotal(body []byte) (rollup.Subtotal, error) {
	var stored storedSubtotal
	if err := json.Unmarshal(body, &stored); err != nil {
		return rollup.Subtotal{}, err
	}
	s := rollup.Subtotal{At: stored.At, Sums: make([]rollup.ProjectCell, 0, len(stored.Sums))}
	for field, cell := range stored.Sums {
		project, key, err := parseCellField(field)
		if err != nil {
			return rollup.Subtotal{}, err
		}
		if cell == nil {
			return rollup.Subtotal{}, fmt.Errorf("%q has no sums", field)
		}
		s.Sums = append(s.Sums, rollup.ProjectCell{Project: project, Key: key, Cell: cell})
	}
	return s, nil
}

// Subtotals gives what was saved last of each partition, in one round trip: fewer
// than there are partitions when of some there is nothing.
func (db *DB) Subtotals(ctx context.Context, partitions int) ([]rollup.Subtotal, error) {
	pipe := db.rdb.Pipeline()
	asked := make([]*redis.StringCmd, partitions)
	for p := range asked {
		asked[p] = pipe.Get(ctx, aggregateKey(p, "subtotal"))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read subtotals: %w", err)
	}
	var subtotals []rollup.Subtotal
	for p, answer := range asked {
		body, err := answer.Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read subtotal of partition %d: %w", p, err)
		}
		subtotal, err := decodeSubtotal(body)
		if err != nil {
			return nil, fmt.Errorf("read subtotal of partition %d: %w", p, err)
		}
		subtotals = append(subtotals, subtotal)
	}
	return subtotals, nil
}
