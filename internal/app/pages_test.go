package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/redisdb"
)

// course is an experiment that is decided at some time. Reading it takes a while.
type course struct {
	mu      sync.Mutex
	decided time.Time
	takes   func() time.Duration
	away    bool
	reads   atomic.Int64
	counts  atomic.Int64
}

func (c *course) Progress(_ context.Context, project, id string, entered bool) (s experiment.Status, state experiment.State, live experiment.Live, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.Add(1)
	if entered {
		c.counts.Add(1)
	}
	now, takes, away := time.Now(), c.takes(), c.away
	c.mu.Unlock()
	time.Sleep(takes)
	c.mu.Lock()
	if away {
		return s, state, live, errAway
	}
	if id != "e" || project != "p" {
		return s, state, live, experiment.ErrUnknown
	}
	s.Experiment = experiment.Start{Name: "e", ControlStrategy: "a", TestStrategy: "b", SampleSize: 100}.Experiment(experiment.Given{ID: "e", Project: "p", At: c.decided.Add(-time.Hour)})
	if now.After(c.decided) {
		state.Decision = &experiment.Decision{Arm: "test"}
	}
	live.AsOf = now
	if entered {
		live.Enter(&s.Experiment, now, 0, 1, 7)
		live.Strays = 3
	}
	return s, state, live, nil
}

// shelved is what redisdb does, with the test's clock, until it is away.
type shelved struct {
	mu   sync.Mutex
	away bool
	at   int64
	body []byte
	asks int
}

func (s *shelved) KeptResults(_ context.Context, project, _ string) (redisdb.Kept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks++
	k := redisdb.Kept{Mark: time.Now().UnixMilli()}
	if project == "p" {
		k.Body = s.body
	}
	k.Age = time.Duration(k.Mark-s.at) * time.Millisecond
	if s.away {
		return redisdb.Kept{}, errAway
	}
	return k, nil
}

func (s *shelved) KeepResults(_ context.Context, _, _ string, mark int64, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at <= mark && !s.away {
		s.at, s.body = mark, body
	}
	return nil
}

func (s *shelved) OutdateResults(context.Context, string, string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.body = time.Now().UnixMilli()+1, nil
	return nil
}

func at(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func quietPages(c *course, s *shelved) *pages { return newPages(c, s, slog.New(slog.DiscardHandler)) }

// tell asks for results.
func tell(t *testing.T, p *pages) (r struct {
	State    string
	Degraded []string
	AsOf     time.Time `json:"as_of"`
	Sample   struct{ Users, Strays int }
}) {
	t.Helper()
	page, err := p.Results(t.Context(), "p", "e")
	if err == nil {
		err = json.Unmarshal(page, &r)
	}
	if err != nil {
		t.Error(err)
	}
	return r
}

// When a verdict has been there for two seconds nobody hears of a running
// experiment any more, however slowly PostgreSQL answers, whoever asks where,
// with Redis or without.
func TestVerdictsAreHeardOfInTime(t *testing.T) {
	t.Parallel()
	for _, redisAway := range []bool{false, true} {
		for seed := range uint64(20) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(time.Minute) // whatever is read ends
				r, slow := rand.New(rand.NewPCG(seed, 3)), rand.New(rand.NewPCG(seed, 4))
				slowest := time.Duration(1+r.IntN(3000)) * time.Millisecond
				c := &course{decided: time.Now().Add(6 * time.Second), takes: func() time.Duration { return time.Duration(slow.Int64N(int64(slowest))) }}
				s := &shelved{away: redisAway}
				processes := []*pages{quietPages(c, s), quietPages(c, s), quietPages(c, s)}
				var all sync.WaitGroup
				for i := range 300 {
					wait, p := time.Duration(r.IntN(12_000))*time.Millisecond, processes[i%3]
					all.Go(func() {
						time.Sleep(wait)
						asked := time.Now()
						got := tell(t, p)
						if asked.Sub(c.decided) > resultsStale && got.State != experiment.StateDecided {
							t.Errorf("seed %d: %s after the verdict it is told as of %s before", seed, asked.Sub(c.decided), c.decided.Sub(got.AsOf))
						}
						if asked.Sub(got.AsOf) > resultsStale {
							t.Errorf("seed %d: what is told was %s old when it was asked for", seed, asked.Sub(got.AsOf))
						}
						if slices.Contains(got.Degraded, "redis") != redisAway {
							t.Errorf("degraded is %v", got.Degraded)
						}
					})
				}
				all.Wait()
				if limit := int64(3 * 14); c.reads.Load() > limit {
					t.Errorf("seed %d: for 300 questions it was read %d times", seed, c.reads.Load())
				}
			})
		}
	}
}

// Whoever asks while what is known is a second old does not wait for newer.
func TestNobodyWaitsForResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // whatever is read ends
		c := &course{decided: time.Now().Add(time.Hour), takes: at(300 * time.Millisecond)}
		p := quietPages(c, new(shelved))
		tell(t, p)
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			if asked := time.Now(); !tell(t, p).AsOf.IsZero() && time.Since(asked) > 0 {
				t.Fatalf("it took %s", time.Since(asked))
			}
		}
		if c.reads.Load() < 4 || c.reads.Load() > 6 {
			t.Errorf("in five seconds it was read %d times", c.reads.Load())
		}
	})
}

// One process reads for all others.
func TestProcessesReadForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // whatever is read ends
		c, s := &course{decided: time.Now().Add(time.Hour), takes: at(0)}, new(shelved)
		for range 10 {
			if got := tell(t, quietPages(c, s)); got.Sample.Users != 7 {
				t.Errorf("%+v", got)
			}
		}
		if c.reads.Load() != 1 || s.asks != 10 {
			t.Errorf("PostgreSQL was asked %d times, Redis %d", c.reads.Load(), s.asks)
		}
	})
}

// What cannot be read is told as it was, and says so; a stranger is told nothing.
func TestResultsWithoutStores(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // whatever is read ends
		c, s := &course{decided: time.Now().Add(time.Minute), takes: at(0)}, new(shelved)
		p := quietPages(c, s)
		first := tell(t, p)
		c.away = true
		time.Sleep(time.Hour)
		for _, p := range []*pages{p, quietPages(c, s)} { // one that knows, one that has just begun
			for range 2 {
				if got := tell(t, p); !got.AsOf.Equal(first.AsOf) || !slices.Equal(got.Degraded, []string{"postgres"}) || got.State != experiment.StateRunning {
					t.Errorf("without PostgreSQL %+v is told", got)
				}
				time.Sleep(10 * time.Second)
			}
		}
		if _, err := p.Results(t.Context(), "another", "e"); !errors.Is(err, errAway) {
			t.Errorf("another project is told %v", err)
		}
		c.away, s.away = false, true
		if got := tell(t, p); got.State != experiment.StateDecided || !slices.Equal(got.Degraded, []string{"redis"}) {
			t.Errorf("without Redis %+v is told", got)
		}
		if _, err := p.Results(t.Context(), "another", "e"); !errors.Is(err, experiment.ErrUnknown) {
			t.Errorf("another project is told %v", err)
		}
		s.away = false
		time.Sleep(time.Minute)
		if got := tell(t, p); len(got.Degraded) != 0 {
			t.Errorf("then %v is degraded", got.Degraded)
		}
	})
}

// What somebody has stopped is told at once.
func TestOutdatedResultsAreReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // whatever is read ends
		c, s := &course{decided: time.Now().Add(time.Millisecond), takes: at(0)}, new(shelved)
		p := quietPages(c, s)
		tell(t, p)
		time.Sleep(10 * time.Millisecond)
		if got := tell(t, p); got.State != experiment.StateRunning {
			t.Fatalf("after a moment it is told that it is %s", got.State)
		}
		p.outdate(t.Context(), "p", "e")
		if got := tell(t, p); got.State != experiment.StateDecided {
			t.Errorf("it is told that it is %s", got.State)
		}
	})
}

// Who has entered is counted seldom where that takes long, and told in between.
func TestEntrantsAreCountedSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // whatever is read ends
		c := &course{decided: time.Now().Add(time.Hour), takes: at(500 * time.Millisecond)}
		p := quietPages(c, new(shelved))
		for range 60 {
			if got := tell(t, p); got.Sample.Users != 7 || got.Sample.Strays != 3 {
				t.Fatalf("%+v", got.Sample)
			}
			time.Sleep(3 * time.Second)
		}
		if c.reads.Load() < 55 || c.counts.Load() < 10 || c.counts.Load() > 20 {
			t.Errorf("it was read %d times, and counted %d times", c.reads.Load(), c.counts.Load())
		}
	})
}
