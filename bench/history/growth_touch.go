package history

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/requests"
	"github.com/busuhq/busu/internal/rollup"
)

// touch is which tables an answer of the product looked into, by PostgreSQL's
// own statistics: that is what pruning left when it ran.
type touch struct {
	name       string
	partitions int   // of completions that were looked into
	of         int   // that there are, with the default one
	rows       int64 // read in them
	rollups    int64 // rows of rollups read
}

// scans are those of a table since it was made.
type scans struct{ scans, rows int64 }

// reading is a question to the product's store.
type reading struct {
	name string
	ask  func(context.Context, *postgres.DB) error
}

// patience is more than any page takes: what is counted is all of it.
const patience = time.Minute

func (g *growth) readings() []reading {
	page := func(f requests.Filter) func(context.Context, *postgres.DB) error {
		return func(ctx context.Context, db *postgres.DB) error {
			_, err := db.FindRequests(ctx, event.DefaultProject, requests.Query{Filter: f, Limit: requests.UsualLimit}, patience)
			return err
		}
	}
	history := func(length, step time.Duration) func(context.Context, *postgres.DB) error {
		return func(ctx context.Context, db *postgres.DB) error {
			_, err := db.History(ctx, event.DefaultProject, rollup.Span{Length: length, Step: step, Top: 1}, g.now)
			return err
		}
	}
	then := g.now.AddDate(0, 0, -60).Truncate(24 * time.Hour)
	return []reading{
		{"the newest page", page(requests.Filter{})},
		{"failures", page(requests.Filter{Failed: new(true)})},
		{"failures of a day two months ago", page(requests.Filter{Failed: new(true), From: then, To: then.AddDate(0, 0, 1)})},
		{"of a user", page(requests.Filter{Users: []string{"user-00000"}})},
		{"history of 24 h in 5 minutes", history(24*time.Hour, 5*time.Minute)},
		{"history of 30 d in hours", history(30*24*time.Hour, time.Hour)},
	}
}

// touchTries are for what sessions before have read: some say so up to ten
// seconds later, once, which can only add.
const touchTries = 3

func (g *growth) touchAll(ctx context.Context, at *grown) error {
	g.Pool.Reset() // what its sessions have counted themselves
	for _, r := range g.readings() {
		var tries []touch
		for range touchTries {
			t, err := g.touched(ctx, r)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			tries = append(tries, t)
		}
		at.touched = append(at.touched, leastOf(tries))
	}
	return nil
}

// leastOf is what all tries have in common.
func leastOf(tries []touch) touch {
	least := tries[0]
	for _, t := range tries[1:] {
		least.partitions, least.rows, least.rollups = min(least.partitions, t.partitions), min(least.rows, t.rows), min(least.rollups, t.rollups)
	}
	return least
}

// toucher names the connections whose end is waited for.
const toucher = "busu bench touch"

// touched asks by connections of their own: what a session has looked into is
// known for sure when it has ended.
func (g *growth) touched(ctx context.Context, r reading) (t touch, err error) {
	before, err := g.scanned(ctx)
	if err != nil {
		return t, err
	}
	db, err := postgres.Open(ctx, postgres.Options{URL: g.URL, Name: toucher})
	if err != nil {
		return t, err
	}
	err = r.ask(ctx, db)
	db.Close()
	if err != nil {
		return t, err
	}
	if err := g.gone(ctx); err != nil {
		return t, err
	}
	after, err := g.scanned(ctx)
	if err != nil {
		return t, err
	}
	return compare(r.name, before, after), nil
}

func compare(name string, before, after map[string]scans) touch {
	t := touch{name: name}
	for table, now := range after {
		rows := now.rows - before[table].rows
		switch {
		case strings.HasPrefix(table, "rollups_"):
			t.rollups += rows
		case strings.HasPrefix(table, "completions_"):
			t.of++
			t.rows += rows
			if now.scans > before[table].scans {
				t.partitions++
			}
		}
	}
	return t
}

// gone waits until no session of a toucher is left.
func (g *growth) gone(ctx context.Context) error {
	for {
		var left int
		if err := g.Pool.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", toucher).Scan(&left); err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (g *growth) scanned(ctx context.Context) (map[string]scans, error) {
	rows, err := g.Pool.Query(ctx, `SELECT relname, seq_scan + coalesce(idx_scan, 0), seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]scans{}
	for rows.Next() {
		var table string
		var s scans
		if err := rows.Scan(&table, &s.scans, &s.rows); err != nil {
			return nil, err
		}
		all[table] = s
	}
	return all, rows.Err()
}
