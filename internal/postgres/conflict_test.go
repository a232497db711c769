package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/system"
)

// What the primary does cancels a statement of the replica: it is tried on the
// primary, once, and the replica stays in use.
func TestConflictWithRecovery(t *testing.T) {
	t.Parallel()
	primary := storetest.PostgresServer(t)
	replica := storetest.PostgresReplica(t, primary)
	db, err := Open(t.Context(), Options{URL: primary.URL, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	r, err := NewReader(t.Context(), db, ReaderOptions{URL: replica.URL, MaxLag: time.Hour, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	impatient, err := Open(t.Context(), Options{URL: replica.URL, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(impatient.Close)
	for _, sql := range []string{`ALTER SYSTEM SET max_standby_streaming_delay = 0`, `SELECT pg_reload_conf()`} {
		if _, err := impatient.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for r.Replica().State != system.ReplicaUsed {
		if err := r.Look(t.Context()); t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	var asked []*DB
	covers, err := r.read(t.Context(), func(ctx context.Context, of *DB) error {
		asked = append(asked, of)
		tx, err := of.pool.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
		if _, err := tx.Exec(ctx, `SELECT FROM actions`); err != nil || of == db {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO actions (project, action, target) VALUES ('p', 'a', 't')`); err == nil {
			t.Error("the replica's transactions can write")
		}
		if err := tx.Rollback(ctx); err != nil {
			return err
		}
		// The primary locks what this one reads: it gives way.
		if tx, err = of.pool.Begin(ctx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT FROM actions`); err != nil {
			return err
		}
		if _, err := db.pool.Exec(ctx, `LOCK TABLE actions IN ACCESS EXCLUSIVE MODE; SELECT pg_current_xact_id()`); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `SELECT pg_sleep(600)`)
		return err
	})
	if err != nil || !covers.IsZero() || len(asked) != 2 || asked[0] != r.replica || asked[1] != db {
		t.Errorf("%d were asked, the last covers %s: %v", len(asked), covers, err)
	}
	if s := r.Replica().State; s != system.ReplicaUsed {
		t.Errorf("the replica is %q afterwards", s)
	}

	// Who reads from a replica that does not answer any more goes on at the
	// primary once that is seen.
	asked = nil
	_, err = r.read(t.Context(), func(ctx context.Context, of *DB) error {
		if asked = append(asked, of); of == db {
			return nil
		}
		replica.Kill(t)
		for r.Replica().State != system.ReplicaAway {
			_ = r.Look(t.Context()) // tells why it is away
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil || len(asked) != 2 {
		t.Errorf("of a read that hung, %d were asked: %v", len(asked), err)
	}
}
