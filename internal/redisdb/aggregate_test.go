package redisdb_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
)

func TestCheckpointIsSavedByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	lease := func(owner string, want bool) {
		t.Helper()
		if got, err := db.Lease(t.Context(), 0, owner); err != nil || got != want {
			t.Errorf("%s has the lease: %t (%v)", owner, got, err)
		}
	}
	lease("one", true)
	lease("other", false)
	lease("one", true)
	r := rand.New(rand.NewPCG(3, 4))
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	books := rollup.Books{}
	for range 50 {
		books.Fold([]*event.CompletionRecorded{eventtest.Completion(r, at)})
	}
	c := rollup.Checkpoint{Position: "5-0", Seqs: map[string]event.Ranges{"a": {{First: 1, Last: 7}, {First: 9, Last: 9}}}}
	if _, err := db.LoadCheckpoint(t.Context(), 0); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("before anything is saved: %v", err)
	}
	for key, cell := range books.Of(event.DefaultProject).Changed() {
		c.Cells = append(c.Cells, rollup.ProjectCell{Project: "default", Key: key, Cell: cell})
	}
	if err := db.SaveCheckpoint(t.Context(), 0, "other", c); !errors.Is(err, redisdb.ErrNotOwner) {
		t.Errorf("another could save: %v", err)
	}
	if err := db.ResetCheckpoint(t.Context(), 0, "other", c); !errors.Is(err, redisdb.ErrNotOwner) {
		t.Errorf("another could begin anew: %v", err)
	}
	if err := db.ResetCheckpoint(t.Context(), 0, "one", c); err != nil {
		t.Fatal(err)
	}
	got, err := db.LoadCheckpoint(t.Context(), 0)
	if err != nil || got.Position != "5-0" || !slices.Equal(got.Seqs["a"], c.Seqs["a"]) || !sameCells(got.Cells, c.Cells) {
		t.Errorf("loaded %+v: %v", got, err)
	}
	gone := rollup.Checkpoint{After: "5-0", Position: "6-0"}
	for _, pc := range c.Cells {
		gone.Cells = append(gone.Cells, rollup.ProjectCell{Project: pc.Project, Key: pc.Key})
	}
	if err := db.SaveCheckpoint(t.Context(), 0, "one", gone); err != nil {
		t.Fatal(err)
	}
	if got, err := db.LoadCheckpoint(t.Context(), 0); err != nil || len(got.Cells) != 0 || len(got.Seqs["a"]) != 2 {
		t.Errorf("after all cells went: %+v, %v", got, err)
	}
	fresh := rollup.Checkpoint{Position: "7-0", Seqs: map[string]event.Ranges{"b": {{First: 1, Last: 1}}}, Cells: c.Cells[:1]}
	if err := db.ResetCheckpoint(t.Context(), 0, "one", fresh); err != nil {
		t.Fatal(err)
	}
	if got, err := db.LoadCheckpoint(t.Context(), 0); err != nil || len(got.Seqs) != 1 || !sameCells(got.Cells, fresh.Cells) {
		t.Errorf("after a reset: %+v, %v", got, err)
	}
	for key, field := range map[string]string{"busu:aggregate:{0}:cells": "default", "busu:aggregate:{0}:seqs": "b"} {
		if err := plain.HSet(t.Context(), key, field, "nonsense").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.LoadCheckpoint(t.Context(), 0); !errors.Is(err, redisdb.ErrNone) {
			t.Errorf("with nonsense in %s: %v", key, err)
		}
		if err := plain.HDel(t.Context(), key, field).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Release(t.Context(), 0, "one"); err != nil {
		t.Fatal(err)
	}
	lease("other", true)
}

func sameCells(a, b []rollup.ProjectCell) bool {
	index := map[string]rollup.Cell{}
	for _, c := range a {
		index[c.Project+fmt.Sprint(c.Key)] = *c.Cell
	}
	for _, c := range b {
		if !reflect.DeepEqual(index[c.Project+fmt.Sprint(c.Key)], *c.Cell) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestPublishAndPipeline(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if _, err := db.Live(t.Context(), "default"); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("before anything is published: %v", err)
	}
	if p, err := db.Pipeline(t.Context(), 1, time.Now()); err != nil || p != (rollup.Pipeline{}) {
		t.Errorf("an empty pipeline measures %+v: %v", p, err)
	}
	if err := db.Append(t.Context(), entries(0, 1200)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	given := read(t, c, 1000)
	if err := c.Ack(t.Context(), given[:400]); err != nil {
		t.Fatal(err)
	}
	p, err := db.Pipeline(t.Context(), 1, time.Now().Add(time.Minute))
	if err != nil || p.StreamEntries != 1200 || p.Unread != 200 || p.Pending != 600 || p.OldestMS < 60_000 {
		t.Errorf("the pipeline measures %+v: %v", p, err)
	}
	w := rollup.Windows()[0]
	report := rollup.NewReport(w, rollup.Cells{}, rollup.SourceRedis, time.Now())
	if leads, err := db.Lead(t.Context(), "me"); err != nil || !leads {
		t.Fatal(leads, err)
	}
	if err := db.Publish(t.Context(), "me", "default", rollup.NewSnapshot(report, nil, &p), []rollup.Report{report}); err != nil {
		t.Fatal(err)
	}
	if s, err := db.Live(t.Context(), "default"); err != nil || *s.Pipeline != p {
		t.Errorf("live: %+v, %v", s, err)
	}
	if got, err := db.Report(t.Context(), "default", w); err != nil || !got.AsOf.Equal(report.AsOf) {
		t.Errorf("report: %+v, %v", got, err)
	}
	if ttl := plain.TTL(t.Context(), "metrics:latest").Val(); ttl <= 0 || ttl > 30*time.Second {
		t.Errorf("metrics:latest lives for %s", ttl)
	}
	if _, err := db.Live(t.Context(), "another"); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("another project's snapshot: %v", err)
	}
}
