package app

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// roll is what experiments there are, and where they stand; see postgres.
type roll interface {
	progress
	Experiments(ctx context.Context, project string, archived bool, most int) ([]experiment.Status, error)
}

// listing lists experiments with where they stand. What there is is read each
// time, for who has just started one looks for it; where they stand is read now
// and then, the less often the longer it takes. While PostgreSQL is away, what
// was read last is listed, and says so.
type listing struct {
	rows      roll
	lists     *readings[[]experiment.Status] // by project and whether archived ones are among them
	standings *readings[experiment.Standing] // by project and experiment
	log       *slog.Logger
}

const (
	mostListed = 1000
	// listWithin bounds a list, and where all that it lists stand.
	listWithin   = time.Second
	standingRest = 20          // times what it took to read it
	endedRest    = time.Minute // of one that has ended, which hardly changes
)

func newListing(rows roll, log *slog.Logger) *listing {
	return &listing{rows: rows, log: log, lists: newReadings[[]experiment.Status](0, 0, listWithin),
		standings: newReadings[experiment.Standing](resultsFresh, standingRest, listWithin)}
}

// List implements httpapi.Experiments.
func (l *listing) List(ctx context.Context, project string, archived bool) (experiment.List, error) {
	ctx, cancel := context.WithTimeout(ctx, listWithin)
	defer cancel()
	key, began := project+"\x00"+strconv.FormatBool(archived), time.Now()
	all, err := l.rows.Experiments(ctx, project, archived, mostListed)
	list := experiment.List{AsOf: began.UTC(), Degraded: []string{}}
	if err != nil {
		last, ok := l.lists.last(key)
		if !ok {
			return list, err
		}
		l.log.Debug("an old list of experiments is told again", "err", err)
		all, list.AsOf, list.Degraded = last.value, last.at.UTC(), append(list.Degraded, "postgres")
	} else {
		l.lists.keep(key, reading[[]experiment.Status]{value: all, at: began})
	}
	list.Experiments = make([]experiment.Listed, len(all))
	for _, i := range l.oldestFirst(all) {
		list.Experiments[i] = experiment.Listed{Status: all[i], Standing: l.standing(&all[i], err == nil && time.Since(began) < listWithin)}
	}
	return list, nil
}

func standingKey(s *experiment.Status) string { return s.Project + "\x00" + s.ID }

// oldestFirst are the places of those that were read longest ago, or never,
// before the others: there may not be time for all.
func (l *listing) oldestFirst(all []experiment.Status) []int {
	places, at := make([]int, len(all)), make([]time.Time, len(all))
	for i := range all {
		last, _ := l.standings.last(standingKey(&all[i]))
		places[i], at[i] = i, last.at
	}
	slices.SortStableFunc(places, func(a, b int) int { return at[a].Compare(at[b]) })
	return places
}

// standing is where an experiment stands, or stood; nil where that is not known.
func (l *listing) standing(s *experiment.Status, mayRead bool) *experiment.Standing {
	key := standingKey(s)
	last, have := l.standings.last(key)
	settled := have && s.EndedAt != nil && last.at.After(*s.EndedAt) && time.Since(last.at) < endedRest
	if mayRead && !settled {
		now, err := l.standings.get(key, func(ctx context.Context) (experiment.Standing, error) { return l.read(ctx, s.Project, s.ID) })
		if err == nil {
			return &now
		}
		l.log.Debug("where an experiment stands cannot be read", "experiment_id", s.ID, "err", err)
	}
	if !have {
		return nil
	}
	return &last.value
}

func (l *listing) read(ctx context.Context, project, id string) (experiment.Standing, error) {
	s, state, live, err := l.rows.Progress(ctx, project, id, true)
	if err != nil {
		return experiment.Standing{}, err
	}
	results := s.Results(state, live)
	return results.Standing(), nil
}
