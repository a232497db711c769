package simulate

import "time"

// Compared is a figure that was measured, and what the model says of it.
type Compared struct {
	What                string
	Predicted, Measured float64
	Unit                string
	Fitted              bool // the model was made to agree
}

const (
	lagRate   = 20_000 // facts per second of the measured lags
	lagFor    = 5 * time.Second
	lagWarmUp = time.Second
	sightRate = 1000
	sightFor  = 10 * time.Second
	lagOfOne  = "from stream to row at 20,000/s, 1 worker"
	forever   = time.Hour
	atOnce    = time.Millisecond
	phases    = 8 // runs whose clocks stand differently to each other, of which the mean is taken
)

// Check predicts what was measured on one machine whose cores all parts share.
func (m Measured) Check(seed uint64) ([]Compared, error) {
	one := m.oneWorker()
	two, counting, live := one, one, one
	two.Workers = 2
	counting.Workers, counting.Aggregators = 0, 1
	live.Aggregators, live.Gather = 1, gather
	producing := two
	producing.API = 2
	all := []Compared{}
	rate := func(what string, s Setup, l Load, measured float64, took func(Outcome) time.Duration) error {
		l.For = forever
		o, err := Run(s, m.bare(), l, seed)
		if err == nil {
			all = append(all, Compared{what, float64(m.Facts) / took(o).Seconds(), measured, "/s", false})
		}
		return err
	}
	lag := func(what string, s Setup, l Load, measured Spread, of func(Outcome) Spread, fitted bool) error {
		mean, err := m.mean(s, l, of, seed)
		all = append(all, Compared{what + ", p50", ms(mean.P50), ms(measured.P50), "ms", fitted},
			Compared{what + ", p99", ms(mean.P99), ms(measured.P99), "ms", false})
		return err
	}
	seen := func(o Outcome) Spread { return o.Sight }
	for _, err := range []error{
		rate("draining a backlog, 1 worker", one, Load{Streamed: m.Facts}, m.DrainOne, func(o Outcome) time.Duration { return o.Took }),
		rate("draining a backlog, 2 workers", two, Load{Streamed: m.Facts}, m.DrainTwo, func(o Outcome) time.Duration { return o.Took }),
		rate("adding and storing, 2 workers", producing, Load{Journaled: m.Facts}, m.Producing, func(o Outcome) time.Duration { return o.Took }),
		rate("counting a backlog", counting, Load{Streamed: m.Facts}, m.Folds, func(o Outcome) time.Duration { return o.TookCounting }),
		lag(lagOfOne, one, paced(), m.LagOne, stored, true),
		lag("from stream to row at 20,000/s, 2 workers", two, paced(), m.LagTwo, stored, false),
		lag("from answer to live metrics at 1,000/s", live, Load{Rate: sightRate, Tick: atOnce, For: sightFor, WarmUp: lagWarmUp}, m.Sight, seen, false),
	} {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// oneWorker is the set-up of most measurements. Who adds to its stream is no API
// process, and lets nothing come together.
func (m Measured) oneWorker() Setup {
	s := Setup{API: 1, Partitions: 1, Masters: 1, Workers: 1, Machine: m.Machine}.defaults()
	s.Gather = atOnce
	return s
}

// paced is the load of the measured lags.
func paced() Load { return Load{Rate: lagRate, Tick: atOnce, For: lagFor, WarmUp: lagWarmUp} }

func stored(o Outcome) Spread { return o.Lag }

// mean is what comes of it, over phases.
func (m Measured) mean(s Setup, l Load, of func(Outcome) Spread, seed uint64) (sum Spread, err error) {
	for i := range uint64(phases) {
		o, err := Run(s, m.bare(), l, seed+i)
		if err != nil {
			return sum, err
		}
		sum = Spread{sum.P50 + of(o).P50/phases, sum.P99 + of(o).P99/phases}
	}
	return sum, nil
}

// bare are the costs without requests: the facts of these measurements were
// recorded, not answered.
func (m Measured) bare() Costs {
	c := m.Costs
	c.Request, c.RequestPostgres, c.RequestCache = 0, 0, 0
	return c
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Stall is what is missing of the slowest hundredth that was measured with one
// worker.
func Stall(check []Compared) time.Duration {
	for _, c := range check {
		if c.What == lagOfOne+", p99" {
			return max(0, time.Duration((c.Measured-c.Predicted)*float64(time.Millisecond)))
		}
	}
	return 0
}
