package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// queueFeatures stores what strategies that learn saw of the prompts.
func queueFeatures(batch *pgx.Batch, added []*event.CompletionRecorded) {
	var ids [][16]byte
	var times []time.Time
	var features [][]byte
	for _, f := range added {
		if len(f.Features) > 0 {
			ids, times, features = append(ids, f.ID), append(times, f.At), append(features, f.Features)
		}
	}
	if len(ids) > 0 {
		batch.Queue(`INSERT INTO features (id, at, features) SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::bytea[])
			ON CONFLICT DO NOTHING`, ids, times, features)
	}
}
