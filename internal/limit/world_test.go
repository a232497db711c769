package limit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
)

// world plays processes against a desk, in time that it makes.
type world struct {
	*rand.Rand
	now       time.Time
	desk      *limittest.Desk
	away      bool // the desk does not answer
	perMinute int64
	processes []*process
	made      int // processes so far

	served, passed float64 // units, of all
	over           float64 // what a bucket in one piece would be over its rate now
	worst          float64 // the most that it ever was
}

type process struct {
	name  string
	lease *limit.Holding
	rate  float64       // units a second that are asked for
	skew  time.Duration // of its clock
	said  *limit.Report
	at    time.Time // when the reply comes
	heard limit.Reply
	lost  bool
	under []took
}

type took struct {
	n, used float64
	until   time.Time
}

func newWorld(seed uint64, perMinute int64, rates ...float64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 2)), now: time.UnixMilli(1_700_000_000_000), perMinute: perMinute}
	w.desk = limittest.NewDesk(func() time.Time { return w.now })
	for _, r := range rates {
		w.join(r)
	}
	return w
}

var bucket = limit.Bucket{Key: "k", Kind: limit.Tokens}

func (w *world) join(rate float64) {
	w.made++
	w.processes = append(w.processes, &process{name: fmt.Sprint(w.made), lease: limit.NewHolding(bucket), rate: rate})
}

const step = 5 * time.Millisecond

// run lets time go by. Requests take size units, and use what they took, or some
// of it a while later.
func (w *world) run(d time.Duration, size float64, refunds bool) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(step)
		w.over = max(w.over-float64(w.perMinute)/60*step.Seconds(), 0)
		for _, p := range w.processes {
			w.ends(p)
			w.asks(p, size, refunds)
			w.talks(p)
		}
		w.worst = max(w.worst, w.over)
	}
}

func (w *world) asks(p *process, size float64, refunds bool) {
	if w.Float64() >= p.rate*step.Seconds()/size {
		return
	}
	clock := w.now.Add(p.skew)
	passed, knows := p.lease.Try(clock, w.perMinute, size)
	if !passed && !knows { // it waits for one exchange
		w.talks(p)
		w.hears(p)
		if passed, _ = p.lease.Try(clock, w.perMinute, size); passed {
			w.talks(p)
		}
	}
	if !passed {
		return
	}
	used := size
	if refunds {
		used = size * w.Float64()
	}
	w.passed++
	w.served += used
	w.over += used
	p.under = append(p.under, took{size, used, w.now.Add(time.Duration(w.IntN(500)) * time.Millisecond)})
}

func (w *world) ends(p *process) {
	kept := p.under[:0]
	for _, t := range p.under {
		if t.until.After(w.now) {
			kept = append(kept, t)
		} else {
			p.lease.Settle(w.now.Add(p.skew), t.n, t.used)
		}
	}
	p.under = kept
}

// talks hears a reply that has come, and reports what is due.
func (w *world) talks(p *process) {
	if p.said != nil && !w.now.Before(p.at) {
		w.hears(p)
	}
	if p.said != nil || !p.lease.Due(w.now.Add(p.skew)) {
		return
	}
	said := p.lease.Report(w.now.Add(p.skew))
	p.said, p.at, p.lost = &said, w.now.Add(time.Duration(w.IntN(20))*time.Millisecond), w.away || w.IntN(40) == 0
	if w.away {
		return
	}
	replies, err := w.desk.Share(context.Background(), p.name, []limit.Report{said})
	if err != nil {
		panic(err)
	}
	p.heard = replies.Replies[0]
}

func (w *world) hears(p *process) {
	if p.said == nil {
		return
	}
	if p.lost {
		p.lease.Fail(w.now.Add(p.skew), *p.said)
	} else {
		p.lease.Hear(w.now.Add(p.skew), *p.said, p.heard)
	}
	p.said = nil
}

func (w *world) crash(i int) {
	rate := w.processes[i].rate
	w.processes = append(w.processes[:i], w.processes[i+1:]...)
	w.join(rate)
}

// In any time, no more passes than what a minute allows and the rate in that
// time, and a request of each process beyond: whatever is asked for, while
// processes crash, reports and replies are lost, and the desk is away.
func TestNoMoreThanTheLimitPasses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		draw := rand.New(rand.NewPCG(seed, 9))
		perMinute := []int64{2, 10, 60, 600, 30_000}[draw.IntN(5)]
		size := []float64{1, 1, max(float64(perMinute)/20, 1)}[draw.IntN(3)]
		rates := make([]float64, 1+draw.IntN(4))
		for i := range rates {
			rates[i] = float64(perMinute) / 60 * 4 * draw.Float64()
		}
		w := newWorld(seed, perMinute, rates...)
		for range 12 {
			w.run(time.Duration(draw.IntN(20_000))*time.Millisecond, size, draw.IntN(2) == 0)
			switch draw.IntN(4) {
			case 0:
				w.crash(draw.IntN(len(w.processes)))
			case 1:
				w.away = !w.away
			case 2:
				w.processes[draw.IntN(len(w.processes))].rate *= 3 * draw.Float64()
			}
		}
		if most := float64(perMinute)*(1+limit.Spare) + size*float64(w.made); w.worst > most+1e-6 {
			t.Errorf("seed %d: %d processes with %d a minute let %.1f pass at once, more than %.1f", seed, w.made, perMinute, w.worst, most)
		}
	}
}

// Losing all that Redis knew lets a minute's worth more pass, at most.
func TestADeskThatForgetsIsBounded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		w := newWorld(seed, 600, 30, 10, 20)
		w.run(30*time.Second, 1, false)
		w.desk.Lose()
		w.join(20)
		w.run(60*time.Second, 1, false)
		if most := 600*(2+limit.Spare) + 4; w.worst > most {
			t.Errorf("seed %d: %.1f passed at once, more than %.1f", seed, w.worst, most)
		}
		if shares, levels := w.desk.Whole(bucket); shares > 1+1e-9 || levels > 600*(1+limit.Spare) {
			t.Errorf("seed %d: the shares are %v, the levels %v", seed, shares, levels)
		}
	}
}

// What is asked for is served: all of it below the limit, and the limit above,
// alone and beside others, however uneven they are.
func TestWhatIsAskedForIsServed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rates []float64
		least float64 // units a second, of 10
	}{
		"alone, above":     {[]float64{40}, 9.8},
		"alone, below":     {[]float64{6}, 5.7},
		"two, even":        {[]float64{20, 20}, 9.3},
		"two, one has all": {[]float64{40, .05}, 8.5},
		"four, below":      {[]float64{4, 1, 1, 1}, 6.3},
		"four, above":      {[]float64{40, 1, 10, 1}, 8.5},
	} {
		w := newWorld(7, 600, c.rates...)
		w.run(2*time.Minute, 1, false)
		before := w.served
		w.run(4*time.Minute, 1, false)
		if rate := (w.served - before) / 240; rate < c.least || rate > 10.5 {
			t.Errorf("%s: %.2f a second are served", name, rate)
		}
	}
}

// A process that takes over from one that crashed is served within seconds, and
// so is one beside another that is busy.
func TestSharesComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(3, 600, 20)
	w.run(time.Minute, 1, false)
	w.crash(0)
	w.run(2*limit.Lease, 1, false)
	before := w.served
	w.run(10*time.Second, 1, false)
	if got := (w.served - before) / 10; got < 9 {
		t.Errorf("after a crash, %.1f a second are served", got)
	}
	w.join(20)
	w.run(3*time.Second, 1, false)
	if share, _ := w.processes[1].lease.Holds(); share < .3 {
		t.Errorf("who came later has a share of %.2f", share)
	}
}

// Shares follow demand, and requests that are larger than the room of a share
// pass as often as all of the limit lets them.
func TestSharesFollowDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(6, 600, 20, 20)
	w.run(time.Minute, 1, false)
	w.processes[0].rate = 0
	w.run(3*time.Second, 1, false)
	if share, _ := w.processes[1].lease.Holds(); share < .6 {
		t.Errorf("who alone is asked has a share of %.2f", share)
	}
	large := newWorld(6, 60, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20)
	large.run(2*time.Minute, 10, false)
	before := large.served
	large.run(3*time.Minute, 10, false)
	if got := (large.served - before) / 180; got < .7 || got > 1.4 { // some pay debts later
		t.Errorf("%.1f a second are served of large requests", got)
	}
}

// Without the desk, each goes on with its share.
func TestWithoutADeskSharesStay(t *testing.T) {
	t.Parallel()
	w := newWorld(5, 600, 20, 20)
	w.run(time.Minute, 1, false)
	w.away = true
	before := w.served
	w.run(4*time.Minute, 1, false)
	if got := (w.served - before) / 240; got < 9 || got > 10.1 {
		t.Errorf("%.1f a second are served without a desk", got)
	}
	fresh := limit.NewHolding(bucket)
	if passed, knows := fresh.Try(w.now, 600, 1); passed || knows {
		t.Errorf("who has nothing says %v, %v", passed, knows)
	}
}

// Clocks that are set do not keep a limit shut, nor open it for more than what a
// minute allows.
func TestClocksThatAreSet(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-time.Hour, -time.Second, 20 * time.Second, time.Hour} {
		w := newWorld(4, 600, 100)
		w.run(time.Minute, 1, false)
		w.processes[0].skew = by
		w.run(time.Second, 1, false)
		before := w.served
		w.run(time.Minute, 1, false)
		if got := (w.served - before) / 60; got < 9 {
			t.Errorf("%s: %.1f a second are served", by, got)
		}
		if w.worst > 600*(2+limit.Spare) {
			t.Errorf("%s: %.1f passed at once", by, w.worst)
		}
	}
}

// Whatever requests took and used, and however often they are settled: after a
// minute without any, all is there again.
func TestNothingStaysShut(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		w := newWorld(seed, 6000, 300, 50, 10)
		w.run(time.Minute, 50, true)
		for _, p := range w.processes {
			p.rate = 0
		}
		w.run(90*time.Second, 50, true)
		shares, _ := w.desk.Whole(bucket)
		replies, err := w.desk.Share(t.Context(), "another", []limit.Report{{Bucket: bucket, Most: 6000, Seq: 1, Demand: 1, Needs: 6000}})
		if err != nil || shares != 0 || replies.Replies[0].Level < 6000-1e-6 || replies.Replies[0].Level > 6000+1e-6 {
			t.Errorf("seed %d: %v is held, and %+v is there", seed, shares, replies)
		}
	}
}

// Whoever read the clock before others and comes behind them does not have the
// time between counted again.
func TestLateComersBringNoTime(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	desk := limittest.NewDesk(func() time.Time { return now })
	l := limit.NewHolding(bucket)
	l.Try(now, 600, 600)
	said := l.Report(now)
	replies, err := desk.Share(t.Context(), "a", []limit.Report{said})
	if err != nil {
		t.Fatal(err)
	}
	l.Hear(now, said, replies.Replies[0])
	passed := 0
	for range 1000 {
		now = now.Add(time.Millisecond)
		for _, read := range []time.Time{now, now.Add(-50 * time.Millisecond)} {
			if ok, _ := l.Try(read, 600, 1); ok {
				passed++
				l.Settle(read, 1, 1)
			}
		}
	}
	if passed > 600+10+1 {
		t.Errorf("%d requests passed in a second, of 600 a minute", passed)
	}
}
