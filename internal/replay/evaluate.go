package replay

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/routing"
)

// split is what is learned from and what is tested on.
type split struct{ train, test []*item }

// moment is a point of the training at which all splits are scored.
type moment struct {
	trained int // rows learned from, of the largest split
	scored  []scored
	prior   []scored // the same rows as the shipped prior sees them
	online  online
	weight  float64 // of the gate, mean over splits
	took    time.Duration
}

// Evaluate scores a strategy on data, having trained it on train, or on the
// other folds of data. The reports are in the order of training; the last is
// that of its end.
func Evaluate(ctx context.Context, data, train []Row, o Options) ([]Report, error) {
	e, err := ran(ctx, data, train, o)
	if err != nil {
		return nil, err
	}
	reports := make([]Report, len(e.moments))
	for i := range e.moments {
		reports[i] = e.report(&e.moments[i])
	}
	return reports, nil
}

// ran is an evaluation that has run.
func ran(ctx context.Context, data, train []Row, o Options) (*evaluation, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Learns() && len(train) == 0 && o.Folds == 0 {
		return nil, errors.New("a strategy that learns needs rows to learn from, or folds")
	}
	if len(train) > 0 && o.Folds > 0 {
		return nil, errors.New("rows to learn from and folds exclude each other")
	}
	if len(data) == 0 {
		return nil, errors.New("there are no rows to score on")
	}
	models, err := modelsOf(slices.Concat(data, train))
	if err != nil {
		return nil, err
	}
	tested, learned := ready(data, models), ready(train, models)
	f := newField(models, tested)
	if len(learned) > 0 {
		f = newField(models, learned)
	}
	e := evaluation{o: o, field: &f, splits: splits(tested, learned, o.Folds)}
	e.plan()
	if err := e.run(ctx); err != nil {
		return nil, err
	}
	return &e, nil
}

// splits divides by a hash of the ids, so that a row's fold depends on nothing
// else.
func splits(tested, learned []item, folds int) []split {
	if folds == 0 {
		return []split{{train: pointers(learned), test: pointers(tested)}}
	}
	all := make([]split, folds)
	for i := range tested {
		h := fnv.New32a()
		_, _ = h.Write([]byte(tested[i].row.ID))
		for k := range all {
			if int(h.Sum32()%uint32(folds)) == k {
				all[k].test = append(all[k].test, &tested[i])
			} else {
				all[k].train = append(all[k].train, &tested[i])
			}
		}
	}
	return all
}

func pointers(items []item) []*item {
	p := make([]*item, len(items))
	for i := range items {
		p[i] = &items[i]
	}
	return p
}

// evaluation is one run over all splits.
type evaluation struct {
	o       Options
	field   *field
	splits  []split
	stops   []int // requests after which to score; the last is the end
	moments []moment
	done    int
	total   int
}

// plan shuffles and cuts what is learned from, and lays down the stops.
func (e *evaluation) plan() {
	longest := 0
	for k := range e.splits {
		train := e.splits[k].train
		slices.SortFunc(train, func(a, b *item) int { return cmp.Compare(a.row.ID, b.row.ID) })
		rand.New(rand.NewPCG(e.o.Seed, 4)).Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
		if e.o.TrainSize > 0 {
			train = train[:min(len(train), e.o.TrainSize)]
		}
		e.splits[k].train = train
		longest = max(longest, len(train))
		e.total += len(train)
	}
	if e.o.Learns() {
		for _, n := range slices.Sorted(slices.Values(e.o.Checkpoints)) {
			if n < longest && !slices.Contains(e.stops, n) {
				e.stops = append(e.stops, n)
			}
		}
	}
	e.stops = append(e.stops, longest)
	e.moments = make([]moment, len(e.stops))
	for i, n := range e.stops {
		e.moments[i].trained = n
	}
}

func (e *evaluation) run(ctx context.Context) error {
	for k := range e.splits {
		if err := e.runSplit(ctx, k); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (e *evaluation) runSplit(ctx context.Context, k int) error {
	s := newStream(e.o, e.field, e.o.Seed+uint64(k)<<32)
	train, test := e.splits[k].train, e.splits[k].test
	if !e.o.Learns() {
		train = nil
	}
	stops := make([]int, len(e.stops))
	for i, n := range e.stops {
		stops[i] = min(n, len(train))
	}
	if len(train) == 0 {
		return e.score(s, test, len(stops)-1)
	}
	s.o.Progress = nil
	last := 0
	return s.run(ctx, train, stops, func(stop int) error {
		e.advance(stops[stop] - last)
		last = stops[stop]
		return e.score(s, test, stop)
	})
}

func (e *evaluation) advance(by int) {
	e.done += by
	if e.o.Progress != nil {
		e.o.Progress(e.done, e.total)
	}
}

// score has the strategy look at the rows as it is, without exploring.
func (e *evaluation) score(s *stream, test []*item, stop int) error {
	m := &e.moments[stop]
	shipped := routing.Shipped{Prior: e.o.Shipped}
	began := e.now()
	rows, err := e.look(s.strategy(routing.Exploration{}), test)
	if err != nil {
		return err
	}
	m.took += e.now().Sub(began)
	m.scored = append(m.scored, rows...)
	if rows, err = e.look(shipped, test); err != nil {
		return err
	}
	m.prior = append(m.prior, rows...)
	m.weight += s.model.Weight() / float64(len(e.splits))
	m.online.requests += s.online.requests
	m.online.strong += s.online.strong
	m.online.gained += s.online.gained
	m.online.gap += s.online.gap
	return nil
}

func (e *evaluation) now() time.Time {
	if e.o.Now == nil {
		return time.Time{}
	}
	return e.o.Now()
}

func (e *evaluation) look(s routing.Strategy, test []*item) ([]scored, error) {
	rows := make([]scored, len(test))
	for i, it := range test {
		plan, err := s.Plan(it.request(0), e.field.candidates)
		if err != nil {
			return nil, err
		}
		rows[i] = scored{dataset: it.row.Dataset, quality: make([]float64, len(e.field.names)), truth: it.results}
		for _, c := range plan.Choices {
			rows[i].quality[e.field.index(c.Model.ID)] = c.Quality
		}
		for _, line := range e.field.lines {
			rows[i].cost = append(rows[i].cost, line.at(it.tokens))
		}
	}
	return rows, nil
}
