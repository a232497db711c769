package simulate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// queue is a machine under work that comes at random, and what was seen of it.
type queue struct {
	*clock
	machine    *cores
	r          *rand.Rand
	rate       float64 // per second
	work       func() time.Duration
	came, left int
	waits      []float64     // in seconds, in order of arrival
	inside     time.Duration // ∫ of how many are there
	since      time.Duration
	sojourns   time.Duration
}

func (q *queue) note(change int) {
	q.inside += time.Duration(q.came-q.left) * (q.now - q.since)
	q.since = q.now
	if change > 0 {
		q.came++
	} else {
		q.left++
	}
}

func (q *queue) arrive() {
	q.after(time.Duration(q.r.ExpFloat64()/q.rate*1e9), func() {
		came, work, place := q.now, q.work(), len(q.waits)
		q.waits = append(q.waits, 0)
		q.note(1)
		q.machine.do(work, func() {
			q.note(-1)
			q.sojourns += q.now - came
			q.waits[place] = (q.now - came - work).Seconds()
		})
		q.arrive()
	})
}

// mean is the mean wait, and the standard error of it from means of batches,
// which are long enough to be all but independent.
func (q *queue) mean() (mean, stderr float64) {
	const batches = 50
	waits := q.waits[len(q.waits)/10:] // without the time when it was empty
	size := len(waits) / batches
	var sum, squares float64
	for b := range batches {
		m := 0.0
		for _, w := range waits[b*size : (b+1)*size] {
			m += w / float64(size)
		}
		sum, squares = sum+m, squares+m*m
	}
	mean = sum / batches
	return mean, math.Sqrt((squares/batches - mean*mean) / (batches - 1))
}

func simulateQueue(seed uint64, n int, load float64, work func(*rand.Rand) time.Duration, quantum time.Duration) *queue {
	const mean = time.Millisecond
	q := &queue{clock: &clock{}, r: rand.New(rand.NewPCG(seed, 2)), rate: load * float64(n) / mean.Seconds()}
	q.machine = q.cores("machine", n, quantum)
	q.work = func() time.Duration { return work(q.r) }
	q.arrive()
	q.run(time.Duration(200_000/q.rate*1e9), func() bool { return false })
	return q
}

func always(*rand.Rand) time.Duration { return time.Millisecond }

func exponential(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * 1e6) }

// erlangC is the probability that one waits in M/M/n at a load, by the
// recursion for Erlang's B.
func erlangC(n int, load float64) float64 {
	a, b := load*float64(n), 1.0
	for k := 1; k <= n; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b / (1 - load*(1-b))
}

// The mean wait is that of the formulas: Pollaczek and Khinchine's for M/D/1,
// Erlang's for M/M/n.
func TestWaitsAreThoseOfTheFormulas(t *testing.T) {
	t.Parallel()
	for _, load := range []float64{.3, .6, .8} {
		for name, c := range map[string]struct {
			n    int
			work func(*rand.Rand) time.Duration
			want float64
		}{
			"M/D/1": {1, always, load * .001 / (2 * (1 - load))},
			"M/M/1": {1, exponential, load * .001 / (1 - load)},
			"M/M/4": {4, exponential, erlangC(4, load) * .001 / (4 * (1 - load))},
		} {
			mean, stderr := simulateQueue(7, c.n, load, c.work, 0).mean()
			if math.Abs(mean-c.want) > 4*stderr || stderr > .2*c.want {
				t.Errorf("%s at %.1f: one waits %.1f µs ± %.1f, the formula says %.1f", name, load, 1e6*mean, 1e6*stderr, 1e6*c.want)
			}
		}
	}
}

// Little's law holds of every queue: how many are there on average is how many
// come, times how long each stays.
func TestLittlesLaw(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		n, load, quantum := 1+r.IntN(6), .1+.8*r.Float64(), time.Duration(r.IntN(3))*300*time.Microsecond
		q := simulateQueue(r.Uint64(), n, load, exponential, quantum)
		if q.left < 150_000 {
			t.Fatalf("only %d were there", q.left)
		}
		length := q.inside.Seconds() / q.now.Seconds()
		law := float64(q.left) / q.now.Seconds() * q.sojourns.Seconds() / float64(q.left)
		if math.Abs(length-law) > .01*law {
			t.Errorf("%d cores, load %.2f, quantum %s: %.4f are there, λW is %.4f", n, load, quantum, length, law)
		}
		if busy := q.machine.busy.Seconds() / q.now.Seconds() / float64(n); math.Abs(busy-load) > .02 {
			t.Errorf("%d cores at a load of %.2f are busy for %.3f", n, load, busy)
		}
	}
}

// With turns, what is short does not wait for what is long.
func TestTurnsAreShared(t *testing.T) {
	t.Parallel()
	c := &clock{}
	machine := c.cores("machine", 1, time.Millisecond)
	var long, short time.Duration
	machine.do(100*time.Millisecond, func() { long = c.now })
	machine.do(2*time.Millisecond, func() { short = c.now })
	c.run(time.Second, func() bool { return false })
	if short != 4*time.Millisecond || long != 102*time.Millisecond {
		t.Errorf("what is short ended after %s, what is long after %s", short, long)
	}
}

// What is planned happens in order of time, and of planning.
func TestHappeningsAreInOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	type planned struct {
		at time.Duration
		n  int
	}
	c := &clock{}
	var plan, happened []planned
	for n := range 5000 {
		p := planned{time.Duration(r.IntN(500)), n}
		plan = append(plan, p)
		c.after(p.at, func() { happened = append(happened, planned{c.now, p.n}) })
	}
	c.run(time.Hour, func() bool { return false })
	slices.SortStableFunc(plan, func(a, b planned) int { return cmp.Compare(a.at, b.at) })
	if !slices.Equal(plan, happened) {
		t.Error("what was planned happened in another order")
	}
}
