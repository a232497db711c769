package aggregator_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/aggregator"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/rollup"
)

// wall is a board in memory, with a chair that is given and taken away.
type wall struct {
	books   rollup.Books
	now     time.Time
	leads   bool
	written map[string]int // snapshots, by project, since it was wiped
}

func (w *wall) Lead(context.Context, string) (bool, error) { return w.leads, nil }
func (w *wall) Resign(context.Context, string) error       { return nil }

func (w *wall) Providers(context.Context) ([]rollup.ProviderState, error) {
	return []rollup.ProviderState{}, nil
}

func (w *wall) Pipeline(context.Context, int, time.Time) (rollup.Pipeline, error) {
	return rollup.Pipeline{}, nil
}

func (w *wall) Subtotals(context.Context, int) ([]rollup.Subtotal, error) {
	for _, b := range w.books {
		b.Advance(w.now)
	}
	return []rollup.Subtotal{w.books.Subtotal(w.now)}, nil
}

func (w *wall) Publish(_ context.Context, _, project string, s rollup.Snapshot, reports []rollup.Report) error {
	if len(reports) != len(rollup.Windows()) || s.TotalRequests != reports[0].TotalRequests {
		return fmt.Errorf("%d reports, and a snapshot of %d requests", len(reports), s.TotalRequests)
	}
	w.written[project]++
	return nil
}

func (w *wall) ask(project string, ago time.Duration) {
	f := eventtest.Completion(rand.New(rand.NewPCG(1, 1)), w.now.Add(-ago))
	f.Project = project
	w.books.Fold([]*event.CompletionRecorded{f})
}

// Who has asked in the last minute, or of whom something has come late, is
// published in every turn; who is quiet in one of eight, not all in the same; and
// all of them in the first turn of who comes to lead.
func TestQuietProjectsAreBarelyPublished(t *testing.T) {
	t.Parallel()
	const quiet, turns = 40, 8
	w := &wall{books: rollup.Books{}, now: time.Now(), leads: true}
	p := &aggregator.Publisher{Partitions: 1, Owner: "one", Chair: w, Board: w, Providers: w, Log: slog.New(slog.DiscardHandler)}
	turn := func() (written map[string]int) {
		w.written = map[string]int{}
		if err := p.PublishOnce(t.Context(), w.now); err != nil {
			t.Fatal(err)
		}
		return w.written
	}
	for i := range quiet {
		w.ask(fmt.Sprint("quiet-", i), 10*time.Minute)
	}
	w.ask("busy", time.Second)
	if n := len(turn()); n != quiet+2 { // the default project, too
		t.Errorf("%d projects are published at first, of %d", n, quiet+2)
	}
	sum, most := map[string]int{}, 0
	for range turns {
		written := turn()
		if written["busy"] != 1 {
			t.Error("a turn left out who has asked in the last minute")
		}
		for project := range written {
			sum[project]++
		}
		most = max(most, len(written))
	}
	for i := range quiet {
		if n := sum[fmt.Sprint("quiet-", i)]; n != 1 {
			t.Errorf("a quiet project was published %d times in %d turns", n, turns)
		}
	}
	if most > quiet/2 {
		t.Errorf("%d of %d were published in one turn", most, quiet)
	}
	w.ask("quiet-0", time.Hour)
	if turn()["quiet-0"] != 1 {
		t.Error("what came late waits")
	}
	w.leads = false
	turn()
	w.leads = true
	if n := len(turn()); n != quiet+2 {
		t.Errorf("who leads again publishes %d projects", n)
	}
}
