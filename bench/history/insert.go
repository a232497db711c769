package history

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
)

// insert is how fast completions are stored.
type insert struct {
	name string
	rate float64 // per second
}

const (
	insertRows  = 60_000
	insertBatch = 1000
)

// explorerIndexes are those of the migration requests_explorer.
var explorerIndexes = []string{"completions_by_session", "completions_by_caller_id", "completions_in_trouble", "completions_in_experiments"}

// measureInserts stores the same in two empty databases, with and without the
// explorer's indexes, batch by batch in turns.
func (b *bench) measureInserts(ctx context.Context) error {
	names := []string{"with the explorer's indexes", "without"}
	var dbs []*postgres.DB
	for i := range names {
		db, err := b.scratch(ctx, fmt.Sprintf("busu_insert_%d", i), i == 1)
		if err != nil {
			return err
		}
		defer db.Close()
		dbs = append(dbs, db)
	}
	took := make([]time.Duration, len(dbs))
	for done := 0; done < insertRows; done += insertBatch {
		var facts []*event.CompletionRecorded
		for i := range insertBatch {
			facts = append(facts, b.crowd.fact((done+i)*b.Rows/insertRows/100, b.now.Add(-time.Hour)))
		}
		for i := range dbs {
			db := (i + done/insertBatch) % len(dbs)
			began := time.Now()
			if _, err := dbs[db].InsertCompletions(ctx, facts); err != nil {
				return err
			}
			took[db] += time.Since(began)
		}
	}
	for i, name := range names {
		b.facts.inserts = append(b.facts.inserts, insert{name, insertRows / took[i].Seconds()})
	}
	return nil
}

func (b *bench) scratch(ctx context.Context, name string, bare bool) (*postgres.DB, error) {
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name} {
		if _, err := b.Pool.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(b.URL)
	if err != nil {
		return nil, err
	}
	u.Path = "/" + name
	db, err := postgres.Open(ctx, postgres.Options{URL: u.String(), Name: "busu bench"})
	if err != nil {
		return nil, err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	if bare {
		if err := dropIndexes(ctx, u.String()); err != nil {
			return nil, err
		}
	}
	return db, db.EnsureDays(ctx, b.now.AddDate(0, 0, -1), 3)
}
