package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
)

// fleet plays whole processes against a desk, in the time of a bubble.
type fleet struct {
	*testing.T
	*rand.Rand
	desk    *limittest.Desk
	of      limit.Limits
	members []*member
	made    int
	all     sync.WaitGroup
}

// member is a process of a fleet, and its way to the desk.
type member struct {
	*limit.Keeper
	desk *limittest.Desk
	stop context.CancelFunc
	mu   sync.Mutex
	cut  bool // off from the desk
	skew time.Duration
	open []limit.Pass
}

// Share implements limit.Desk.
func (m *member) Share(ctx context.Context, process string, reports []limit.Report) (limit.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return limit.Answer{}, errors.New("cut off")
	}
	return m.desk.Share(ctx, process, reports)
}

func (m *member) away(is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = is
}

func newFleet(t *testing.T, seed uint64, size int, of limit.Limits) *fleet {
	f := &fleet{T: t, Rand: rand.New(rand.NewPCG(seed, 5)), desk: limittest.NewDesk(time.Now), of: of}
	for range size {
		f.join()
	}
	time.Sleep(2 * limit.Known) // all have heard of all
	return f
}

func (f *fleet) join() {
	f.made++
	m := &member{desk: f.desk}
	m.Keeper = limit.NewKeeper(m, fmt.Sprint(f.made), false, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	f.all.Go(func() { _ = m.Run(ctx) })
	f.members = append(f.members, m)
}

// crash ends a process without a word, with all that it has under way.
func (f *fleet) crash(i int) {
	f.members[i].away(true)
	f.members[i].stop()
	f.members = append(f.members[:i], f.members[i+1:]...)
}

func (f *fleet) end() {
	for _, m := range f.members {
		m.stop()
	}
	f.all.Wait()
}

func (f *fleet) any() *member { return f.members[f.IntN(len(f.members))] }

func (m *member) now() time.Time { return time.Now().Add(m.skew) }

// ask lets a request of a user begin, or not.
func (f *fleet) ask(m *member, user string) bool {
	of := f.of
	of.User = user
	p, err := m.Admit(f.Context(), of, m.now(), int64(f.IntN(200)))
	if err == nil {
		m.open = append(m.open, p)
	}
	return err == nil
}

// settle ends some request of a process.
func (f *fleet) settle(m *member) {
	if len(m.open) == 0 {
		return
	}
	i := f.IntN(len(m.open))
	m.open[i].Settle(m.now(), int64(f.IntN(300)))
	m.open = append(m.open[:i], m.open[i+1:]...)
}

func (f *fleet) underWay() (n int) {
	for _, m := range f.members {
		n += len(m.open)
	}
	return n
}

// What happens to a fleet: what can be among the gentle things costs no promise.
const (
	gentle = 8
	rough  = 10
)

// step is one thing that happens, of so many kinds.
func (f *fleet) step(kinds int) {
	if f.IntN(2) == 0 {
		for range f.IntN(6) {
			f.ask(f.any(), fmt.Sprint("u", f.IntN(3)))
		}
		return
	}
	switch f.IntN(kinds) {
	case 0, 1, 2:
		f.settle(f.any())
	case 3, 4:
		time.Sleep(time.Duration(f.IntN(3000)) * time.Millisecond)
	case 5:
		f.crash(f.IntN(len(f.members)))
		f.join()
	case 6:
		f.desk.Lose()
	case 7: // for less than what is held is trusted for
		m := f.any()
		m.away(true)
		time.Sleep(time.Duration(f.IntN(2000)) * time.Millisecond)
		m.away(false)
	case 8:
		m := f.any()
		m.away(!m.cut)
	case 9:
		f.any().skew = time.Duration(f.IntN(400)-200) * time.Second
	}
}

// At any moment, of all processes, no more requests are under way than a key may
// have at once: whichever of them die, and whatever the desk loses.
func TestNoMoreAtOnceThanTheLimit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			most := int64(1 + seed*2)
			f := newFleet(t, seed, 1+int(seed%4), limit.Limits{Key: "k", Own: limit.Most{Concurrency: most}})
			passed := 0
			for i := range 400 {
				f.step(gentle)
				if n := f.underWay(); int64(n) > most {
					t.Fatalf("seed %d, step %d: %d requests are under way, of %d", seed, i, n, most)
				} else {
					passed = max(passed, n)
				}
			}
			if passed == 0 {
				t.Errorf("seed %d: nothing was under way", seed)
			}
			f.end()
		})
	}
}

// Whatever happened: after a quiet time all that limits allow is there again, at
// once, and no more.
func TestNoCounterStaysShut(t *testing.T) {
	t.Parallel()
	of := limit.Limits{Key: "k", Own: limit.Most{Requests: 90, Tokens: 9000, Concurrency: 16}, PerUser: limit.Most{Requests: 24, Tokens: 2400, Concurrency: 6}}
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, seed, 1+int(seed%4), of)
			for range 250 {
				f.step(rough)
			}
			for _, m := range f.members {
				for len(m.open) > 0 {
					f.settle(m)
				}
				m.away(false)
				m.skew = 0
			}
			time.Sleep(4 * time.Minute)
			f.allIsThere(seed)
			f.end()
		})
	}
}

// allIsThere takes all that there is, kind by kind, from whoever gives it.
func (f *fleet) allIsThere(seed uint64) {
	n := float64(len(f.members))
	for _, c := range []struct {
		name        string
		of          limit.Limits
		least, most float64
	}{
		{"at once", limit.Limits{Own: limit.Most{Concurrency: 16}}, 16, 16},
		{"requests", limit.Limits{Own: limit.Most{Requests: 90}}, 90 - n, 90*(1+limit.Spare) + 2*n},
		{"at once of a user", limit.Limits{PerUser: limit.Most{Concurrency: 6}}, 6, 6},
		{"requests of a user", limit.Limits{PerUser: limit.Most{Requests: 24}}, 24 - n, 24*(1+limit.Spare) + 3*n},
	} {
		c.of.Key, c.of.User = "k", "u1"
		f.of = c.of
		passed := 0.0
		for refused := 0; refused < 3*len(f.members); { // a share moves when somebody else has heard of it
			m := f.members[(int(passed)+refused)%len(f.members)]
			if p, err := m.Admit(f.Context(), c.of, time.Now(), 1); err == nil {
				m.open = append(m.open, p)
				passed++
				refused = 0
			} else {
				refused++
			}
			if c.of.Own.Concurrency+c.of.PerUser.Concurrency > 0 {
				time.Sleep(300 * time.Millisecond)
			}
		}
		if passed < c.least || passed > c.most+1e-9 {
			f.Errorf("seed %d, %d processes, %s: %.0f are there, not %.0f to %.0f", seed, len(f.members), c.name, passed, c.least, c.most)
		}
		for _, m := range f.members {
			for len(m.open) > 0 {
				f.settle(m)
			}
		}
		time.Sleep(4 * time.Minute)
	}
}
