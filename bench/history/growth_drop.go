package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// drop is the removal of a day by its retention.
type drop struct {
	rows  int64
	tries int // each waits up to 2 s for queries to let go
	took  time.Duration
	waits waits // of inserts meanwhile
}

// waits are how long inserts took.
type waits struct {
	inserts           int
	p50, p99, longest time.Duration
}

const (
	steadyBatch = 100 // facts, as come at 1,000 requests a second
	calmBatches = 100 // before the drop
	nextBatches = 5   // after it
)

// stored is a batch that was stored.
type stored struct{ began, ended time.Time }

// dropOldest removes the oldest day by the product's own code, while facts of
// now are stored without a pause.
func (g *growth) dropOldest(ctx context.Context, at *grown) error {
	next := g.oldest.AddDate(0, 0, 1)
	if err := g.Pool.QueryRow(ctx, "SELECT count(*) FROM completions WHERE at < $1", next).Scan(&at.drop.rows); err != nil {
		return err
	}
	fmt.Fprintf(g.Progress, "drop %s: %d rows\n", g.oldest.Format(time.DateOnly), at.drop.rows)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, failed := g.insertOn(ctx)
	var all []stored
	take := func(n int) error {
		for range n {
			select {
			case s := <-batches:
				all = append(all, s)
			case err := <-failed:
				return err
			}
		}
		return nil
	}
	used := others()
	if err := take(calmBatches); err != nil {
		return err
	}
	at.inserts = rate{rows: calmBatches * steadyBatch, cpu: others() - used}
	for _, s := range all {
		at.inserts.took += s.ended.Sub(s.began)
	}
	began, err := g.dropDay(ctx, at, next)
	if err != nil {
		return err
	}
	ended := time.Now()
	at.drop.took = ended.Sub(began)
	if err := take(len(batches) + nextBatches); err != nil {
		return err
	}
	at.calm, at.drop.waits = split(all, began, ended)
	g.oldest = next
	cancel()
	return <-failed
}

// dropDay tries until it may: the product tries once a second.
func (g *growth) dropDay(ctx context.Context, at *grown, before time.Time) (began time.Time, err error) {
	table := "completions_" + g.oldest.Format("20060102")
	for began = time.Now(); ; {
		at.drop.tries++
		dropped, err := g.DB.DropDays(ctx, before, before)
		if err == nil && !slices.Contains(dropped, table) {
			err = fmt.Errorf("%s was not dropped, but %v", table, dropped)
		}
		if err == nil || at.drop.tries == 10 {
			return began, err
		}
	}
}

// insertOn stores batches of now until ctx ends, one after the other, and then
// says how that went.
func (g *growth) insertOn(ctx context.Context) (<-chan stored, <-chan error) {
	batches, failed := make(chan stored, 100_000), make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			var facts []*event.CompletionRecorded
			for i := range steadyBatch {
				facts = append(facts, g.crowd.factAt(i, time.Now()))
			}
			began := time.Now()
			if _, err := g.DB.Persist(ctx, facts); err != nil {
				if ctx.Err() == nil {
					failed <- err
					return
				}
				break
			}
			batches <- stored{began, time.Now()}
		}
		failed <- nil
	}()
	return batches, failed
}

// split tells batches that ended before something from those that were under way
// in it.
func split(all []stored, began, ended time.Time) (before, during waits) {
	var calm, held []time.Duration
	for _, s := range all {
		switch took := s.ended.Sub(s.began); {
		case !s.ended.After(began):
			calm = append(calm, took)
		case !s.began.After(ended):
			held = append(held, took)
		}
	}
	return waitsOf(calm), waitsOf(held)
}

func waitsOf(took []time.Duration) waits {
	if len(took) == 0 {
		return waits{}
	}
	slices.Sort(took)
	n := len(took)
	return waits{inserts: n, p50: took[n/2], p99: took[n*99/100], longest: took[n-1]}
}
