package redisdb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/busuhq/busu/internal/event"
)

// Heartbeats gives the last heartbeat of every journal.
func (db *DB) Heartbeats(ctx context.Context) ([]event.Heartbeat, error) {
	all, err := db.rdb.HGetAll(ctx, heartbeatsKey).Result()
	if err != nil {
		return nil, fmt.Errorf("read heartbeats: %w", err)
	}
	var beats []event.Heartbeat
	for journal, body := range all {
		var b event.Heartbeat
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			return nil, fmt.Errorf("read heartbeat of journal %s: %w", journal, err)
		}
		beats = append(beats, b)
	}
	return beats, nil
}
