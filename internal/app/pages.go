package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/redisdb"
)

// progress is where experiments stand; see postgres.
type progress interface {
	Progress(ctx context.Context, project, id string, entered bool) (experiment.Status, experiment.State, experiment.Live, error)
}

// shared is where all processes keep results for each other; see redisdb.
type shared interface {
	KeptResults(ctx context.Context, project, id string) (redisdb.Kept, error)
	KeepResults(ctx context.Context, project, id string, mark int64, body []byte) error
	OutdateResults(ctx context.Context, project, id string) error
}

// pages tell how experiments stand: what this process has told lately, or another
// one has, else what PostgreSQL knows. One of all who ask at once reads. The
// last results are told while PostgreSQL is away, and say so.
type pages struct {
	source  progress
	shelf   shared
	breaker *gobreaker.CircuitBreaker[redisdb.Kept] // around the shelf
	flights singleflight.Group
	log     *slog.Logger

	mu   sync.Mutex
	told map[string]told // by project and experiment
}

// told are results that this process knows, and who had entered by then.
type told struct {
	page experiment.Page
	at   time.Time // when their reading began
	sum  entrants
}

// entrants are counted less often than the rest is read, the more of them there are.
type entrants struct {
	live experiment.Live
	took time.Duration
}

const (
	resultsWithin = 5 * time.Second
	shelfWithin   = 250 * time.Millisecond
	shelfProbes   = 2 * time.Second
	// Results are as good as new for so long, and are told for so long again while
	// newer ones are read.
	resultsFresh = time.Second
	resultsStale = 2 * time.Second
	entrantsRest = 20 // times what it took to count them
	mostTold     = 1000
)

func newPages(source progress, shelf shared, log *slog.Logger) *pages {
	return &pages{source: source, shelf: shelf, log: log, told: map[string]told{},
		breaker: gobreaker.NewCircuitBreaker[redisdb.Kept](gobreaker.Settings{
			Name: "results", Timeout: shelfProbes,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > tripAfter },
		})}
}

// Results implements httpapi.Experiments. What it gives was true at most two
// seconds before it was asked for: when an experiment has been decided for so
// long, nobody hears that it runs.
func (p *pages) Results(_ context.Context, project, id string) (experiment.Page, error) {
	key, asked := project+"\x00"+id, time.Now()
	last, have := p.recall(key)
	age := asked.Sub(last.at)
	if have && age < resultsFresh {
		return last.page, nil
	}
	for {
		reading := p.flights.DoChan(key, func() (any, error) { return p.read(project, id, key) })
		if have && age < resultsStale {
			return last.page, nil
		}
		read := <-reading
		if read.Err != nil {
			return nil, read.Err
		}
		if r := read.Val.(told); asked.Sub(r.at) < resultsStale { // else it had begun long before
			return r.page, nil
		}
	}
}

// read is nobody's own: others wait for it, too.
func (p *pages) read(project, id, key string) (told, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resultsWithin)
	defer cancel()
	began := time.Now()
	kept, shelfErr := p.breaker.Execute(func() (redisdb.Kept, error) {
		fast, cancel := context.WithTimeout(ctx, shelfWithin)
		defer cancel()
		return p.shelf.KeptResults(fast, project, id)
	})
	last, have := p.recall(key)
	if kept.Body != nil && kept.Age < resultsFresh {
		last.page, last.at = kept.Body, began.Add(-kept.Age)
		p.remember(key, last)
		return last, nil
	}
	page, sum, err := p.compute(ctx, project, id, last.sum, shelfErr)
	switch {
	case err == nil:
		last = told{page, began, sum}
		p.remember(key, last)
		if shelfErr == nil {
			if err := p.shelf.KeepResults(ctx, project, id, kept.Mark, page); err != nil {
				p.log.Debug("results cannot be kept for others", "experiment_id", id, "err", err)
			}
		}
		return last, nil
	case errors.Is(err, experiment.ErrUnknown):
		return told{}, err
	case kept.Body != nil:
		last.page = kept.Body
	case !have:
		return told{}, err
	}
	p.log.Debug("old results are told again", "experiment_id", id, "err", err)
	if last.page, err = last.page.Degraded("postgres"); err == nil {
		last.at = time.Now() // when to try again
		p.remember(key, last)
	}
	return last, err
}

// compute reads PostgreSQL, and counts who has entered if it is time to.
func (p *pages) compute(ctx context.Context, project, id string, sum entrants, shelfErr error) (experiment.Page, entrants, error) {
	began := time.Now()
	again := time.Since(sum.live.AsOf) >= max(resultsFresh, entrantsRest*sum.took)
	s, state, live, err := p.source.Progress(ctx, project, id, again)
	if err != nil {
		return nil, sum, err
	}
	if again {
		sum = entrants{live, time.Since(began)}
	} else {
		live.Entered, live.Strays = sum.live.Entered, sum.live.Strays
	}
	if shelfErr != nil {
		live.Degraded = append(live.Degraded, "redis")
	}
	results := s.Results(state, live)
	page, err := results.Page()
	return page, sum, err
}

// outdate lets nobody see again what was known until now.
func (p *pages) outdate(ctx context.Context, project, id string) {
	key := project + "\x00" + id
	p.mu.Lock()
	delete(p.told, key)
	p.mu.Unlock()
	p.flights.Forget(key)
	fast, cancel := context.WithTimeout(ctx, shelfWithin)
	defer cancel()
	if err := p.shelf.OutdateResults(fast, project, id); err != nil {
		p.log.Debug("old results are told for another moment", "experiment_id", id, "err", err)
	}
}

func (p *pages) recall(key string) (told, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.told[key]
	return last, ok
}

func (p *pages) remember(key string, t told) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.told[key]
	if !known && len(p.told) >= mostTold {
		clear(p.told)
	}
	if !before.at.After(t.at) {
		p.told[key] = t
	}
}
