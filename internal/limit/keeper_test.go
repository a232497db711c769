package limit_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
)

// desk is one that can be away, and counts.
type desk struct {
	*limittest.Desk
	away  atomic.Bool
	calls atomic.Int64
	slow  chan struct{} // closed: answers; nil: always
}

func newDesk() *desk { return &desk{Desk: limittest.NewDesk(time.Now)} }

var errAway = errors.New("away")

func (d *desk) Share(ctx context.Context, process string, reports []limit.Report) (limit.Answer, error) {
	d.calls.Add(1)
	if d.slow != nil {
		select {
		case <-d.slow:
		case <-ctx.Done():
			return limit.Answer{}, ctx.Err()
		}
	}
	if d.away.Load() {
		return limit.Answer{}, errAway
	}
	return d.Desk.Share(ctx, process, reports)
}

func keeps(t testing.TB, d limit.Desk, name string, passUnknown bool) (k *limit.Keeper, stop func()) {
	t.Helper()
	k = limit.NewKeeper(d, name, passUnknown, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = k.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return k, stop
}

// All that a minute allows passes at once, and what is more does not, of one
// process that nobody is beside, whoever asks first: they wait for one exchange.
func TestABurstPasses(t *testing.T) {
	t.Parallel()
	k, _ := keeps(t, newDesk(), "a", false)
	var passed, refused atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			p, err := k.Admit(t.Context(), limit.Limits{Key: "k", Own: limit.Most{Requests: 60}}, time.Now(), 0)
			full, ok := errors.AsType[*limit.ExceededError](err)
			switch {
			case err == nil:
				passed.Add(1)
				p.Settle(time.Now(), 0)
			case !ok || full.Kind != limit.Requests || full.Requests.PerMinute != 60 || full.RetryAfter < time.Second || full.RetryAfter > 2*time.Second:
				t.Errorf("refused with %v", err)
			default:
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() < 60 || passed.Load() > 65 { // a little of them comes back while it takes
		t.Errorf("%d passed and %d did not", passed.Load(), refused.Load())
	}
	if k.Stats().Exceeded(limit.Requests) != refused.Load() || k.Stats().Exceeded(limit.Tokens) != 0 {
		t.Errorf("%d refusals are counted, not %d", k.Stats().Exceeded(limit.Requests), refused.Load())
	}
}

// A request counts in each of its limits or in none; what it has not used comes
// back; and settling twice counts once.
func TestRequestsCountInAllOrNone(t *testing.T) {
	t.Parallel()
	k, _ := keeps(t, newDesk(), "a", false)
	of := limit.Limits{Key: "k", Own: limit.Most{Requests: 600, Tokens: 1000}}
	first, err := k.Admit(t.Context(), of, time.Now(), 900)
	if err != nil || first.Requests.Remaining != 599 || first.Tokens.Remaining != 100 || first.Tokens.Reset < 53*time.Second || first.Tokens.Reset > 55*time.Second {
		t.Fatalf("%+v, %v", first.Standings, err)
	}
	for range 50 {
		if _, err := k.Admit(t.Context(), of, time.Now(), 900); err == nil {
			t.Fatal("more passes than there is")
		}
	}
	first.Settle(time.Now(), 300)
	first.Settle(time.Now(), 300)
	second, err := k.Admit(t.Context(), of, time.Now(), 600)
	if err != nil || second.Requests.Remaining < 597 || second.Tokens.Remaining > 200 {
		t.Fatalf("%+v, %v", second.Standings, err)
	}
	second.Settle(time.Now(), 2000) // more than it said: a debt
	_, err = k.Admit(t.Context(), of, time.Now(), 1)
	full, ok := errors.AsType[*limit.ExceededError](err)
	if !ok || full.Kind != limit.Tokens || full.RetryAfter < 60*time.Second || full.Requests.PerMinute != 600 {
		t.Errorf("%+v", err)
	}
}

// Requests larger than what a minute allows pass when all of it is there.
func TestLargeRequestsPass(t *testing.T) {
	t.Parallel()
	k, _ := keeps(t, newDesk(), "a", false)
	of := limit.Limits{Key: "k", Own: limit.Most{Tokens: 100}}
	p, err := k.Admit(t.Context(), of, time.Now(), 5000)
	if err != nil || p.Tokens.Remaining != 0 {
		t.Fatalf("%+v, %v", p.Standings, err)
	}
	if _, err := k.Admit(t.Context(), of, time.Now(), 5000); err == nil {
		t.Error("another one passes")
	}
}

// What cannot be known is refused, or passes, as is configured; and nobody waits
// for long.
func TestWithoutADesk(t *testing.T) {
	t.Parallel()
	for _, passes := range []bool{false, true} {
		d := newDesk()
		d.away.Store(true)
		k, _ := keeps(t, d, "a", passes)
		of := limit.Limits{Key: "k", Own: limit.Most{Requests: 5}}
		for range 20 {
			p, err := k.Admit(t.Context(), of, time.Now(), 0)
			p.Settle(time.Now(), 0)
			if _, unknown := errors.AsType[*limit.UnavailableError](err); unknown == passes || passes && err != nil {
				t.Fatalf("passes %v: %v", passes, err)
			}
		}
		if n := k.Stats().Passed() + k.Stats().Unavailable(); n != 20 {
			t.Errorf("%d are counted", n)
		}
		d.away.Store(false) // and now it can
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			_, err := k.Admit(t.Context(), of, time.Now(), 0)
			if _, full := errors.AsType[*limit.ExceededError](err); full {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("passes %v: the desk is back, and it says %v", passes, err)
			}
		}
	}
}

// A desk that does not answer holds nobody for longer than a tenth of a second.
func TestNobodyWaitsForLong(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.slow = make(chan struct{})
	k, _ := keeps(t, d, "a", false)
	began := time.Now()
	_, err := k.Admit(t.Context(), limit.Limits{Key: "k", Own: limit.Most{Requests: 5}}, began, 0)
	if _, unknown := errors.AsType[*limit.UnavailableError](err); !unknown || time.Since(began) < 90*time.Millisecond || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	close(d.slow)
}

// hanging is a desk that answers until it hangs.
type hanging struct {
	*desk
	hangs atomic.Bool
}

func (d *hanging) Share(ctx context.Context, process string, reports []limit.Report) (limit.Answer, error) {
	if d.hangs.Load() {
		<-ctx.Done()
		return limit.Answer{}, ctx.Err()
	}
	return d.desk.Share(ctx, process, reports)
}

// A process that has given its place back, and is not told whether it may have it
// again, does not know that the limit is reached.
func TestAPlaceThatIsNotKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &hanging{desk: newDesk()}
		k, stop := keeps(t, d, "a", false)
		defer stop()
		of := limit.Limits{Key: "k", Own: limit.Most{Concurrency: 1}}
		p, err := k.Admit(t.Context(), of, time.Now(), 0)
		if err != nil {
			t.Fatal(err)
		}
		p.Settle(time.Now(), 0)
		time.Sleep(time.Second) // all is given back
		d.hangs.Store(true)
		_, err = k.Admit(t.Context(), of, time.Now(), 0)
		if _, unknown := errors.AsType[*limit.UnavailableError](err); !unknown {
			t.Errorf("the desk does not answer: %v", err)
		}
	})
}

// What a process holds is there for others once it stops, but for what it used.
func TestWhoStopsGivesBack(t *testing.T) {
	t.Parallel()
	d := newDesk()
	first, stop := keeps(t, d, "a", false)
	of := limit.Limits{Key: "k", Own: limit.Most{Requests: 60}}
	for range 20 {
		if _, err := first.Admit(t.Context(), of, time.Now(), 0); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	second, _ := keeps(t, d, "b", false)
	for i := range 40 {
		if _, err := second.Admit(t.Context(), of, time.Now(), 0); err != nil {
			t.Fatalf("of 40 that are left, %d: %v", i, err)
		}
	}
	for i := range 5 {
		if _, err := second.Admit(t.Context(), of, time.Now(), 0); err != nil {
			return
		} else if i == 4 {
			t.Error("more pass than there is")
		}
	}
}
