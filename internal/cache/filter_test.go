package cache

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func keyOf(fp uint64) Key {
	var k Key
	for i := range 8 {
		k.Sum[i] = byte(fp >> (8 * i))
	}
	return k
}

var anyModel = []string{"m"}

// While it has not been told of everything for a span, a filter spares only
// what was looked up moments ago.
func TestFilterSparesWhatWasLookedUpMomentsAgo(t *testing.T) {
	t.Parallel()
	f := newFilter(time.Minute, 1<<16)
	a, b := keyOf(1<<40|1), keyOf(2<<40|1) // in the same place
	if f.misses(a, anyModel, now) {
		t.Error("a new question is spared")
	}
	f.miss(a, anyModel, now)
	for _, c := range []struct {
		name   string
		k      Key
		models []string
		after  time.Duration
		want   bool
	}{{"at once", a, anyModel, 0, true}, {"just in time", a, anyModel, missFor - 2*missTick, true}, {"too late", a, anyModel, missFor + missTick, false},
		{"another question", b, anyModel, 0, false}, {"other models", a, []string{"n"}, 0, false}, {"more models", a, []string{"m", "n"}, 0, false}} {
		if got := f.misses(c.k, c.models, now.Add(c.after)); got != c.want {
			t.Errorf("%s: spared %v", c.name, got)
		}
	}
	f.announce(b.Fingerprint(), now)
	if !f.misses(a, anyModel, now) {
		t.Error("another's answer counts")
	}
	f.announce(a.Fingerprint(), now)
	if f.misses(a, anyModel, now) {
		t.Error("spared although there is an answer now")
	}
}

// Once told of everything for a span, it spares all that cannot be there; and
// nothing that can, whatever is stored when.
func TestFilterNeverSparesWhatIsThere(t *testing.T) {
	t.Parallel()
	const span = time.Minute
	f := newFilter(span, 1<<18)
	r := rand.New(rand.NewPCG(1, 2))
	at := now
	f.follow(at.UnixNano())
	stored := map[uint64]time.Time{}
	spared, new := 0, 0
	for range 200_000 {
		at = at.Add(rand.N(4 * time.Millisecond))
		fp := r.Uint64()
		if r.IntN(4) == 0 {
			f.announce(fp, at)
			stored[fp] = at
		} else if at.Sub(now) >= span {
			new++
			if f.misses(keyOf(fp), anyModel, at) {
				spared++
			}
		} else if f.misses(keyOf(fp), anyModel, at) {
			t.Fatalf("spared %s after the start", at.Sub(now))
		}
		for fp, when := range stored { // any one
			if at.Sub(when) >= span {
				delete(stored, fp)
			} else if f.misses(keyOf(fp), anyModel, at) {
				t.Fatalf("what was stored %s ago is spared", at.Sub(when))
			}
			break
		}
	}
	if spared < new*95/100 || new == 0 {
		t.Errorf("%d of %d new questions were spared", spared, new)
	}
}

// TestFilterGrows with what it is told of, to what it may, and forgets nothing.
func TestFilterGrows(t *testing.T) {
	t.Parallel()
	const most = leastBits * bloomGrows * bloomGrows
	f := newFilter(time.Hour, most)
	f.follow(forever)
	r := rand.New(rand.NewPCG(3, 4))
	var told []uint64
	for _, want := range []uint64{leastBits, leastBits * bloomGrows, most} {
		for f.turns.Load().young.size() <= want && len(told) < most/6 {
			told = append(told, r.Uint64())
			f.announce(told[len(told)-1], now)
		}
		if got := f.turns.Load().young.size(); len(told) < most/6 && got != want*bloomGrows {
			t.Errorf("%d bits behind %d answers, want %d", got, len(told), want*bloomGrows)
		}
		wrong, asked := 0, 20_000
		for range asked {
			if !f.misses(keyOf(r.Uint64()), anyModel, now) {
				wrong++
			}
		}
		if wrong*100 > asked*12 {
			t.Errorf("after %d answers %d of %d new questions may be there", len(told), wrong, asked)
		}
	}
	if got := f.turns.Load().young.size(); got != most {
		t.Errorf("%d bits, want %d", got, most)
	}
	for _, fp := range told {
		if f.misses(keyOf(fp), anyModel, now) {
			t.Fatalf("one of %d answers is spared", len(told))
		}
	}
	f.announce(r.Uint64(), now.Add(time.Hour))
	if got := f.turns.Load().young; got.size() != most || got.smaller != nil {
		t.Errorf("the next turn begins with %d bits", got.size())
	}
}

// After a gap it begins anew; while it lags it spares nothing by what it knows.
func TestFilterAfterAGap(t *testing.T) {
	t.Parallel()
	f := newFilter(time.Minute, 1<<16)
	k, at := keyOf(7), now
	step := func(name string, d time.Duration, want bool) {
		t.Helper()
		at = at.Add(d)
		if got := f.misses(k, anyModel, at); got != want {
			t.Errorf("%s: spared %v", name, got)
		}
	}
	f.follow(at.UnixNano())
	step("at the start", 0, false)
	step("after a span", time.Minute, true)
	f.lag()
	step("while it lags", time.Second, false)
	f.follow(at.UnixNano())
	step("when it is through", 0, true)
	f.lose()
	step("after a gap", 0, false)
	f.follow(at.UnixNano())
	step("just after a gap", time.Minute-time.Second, false)
	step("a span after a gap", time.Second, true)
	f.lose()
	f.follow(forever)
	step("told of everything there ever was", 0, true)
}

func TestFilterIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	f := newFilter(time.Minute, 1<<12)
	f.follow(forever)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 5000 {
				fp, at := rand.Uint64()%1000, now.Add(time.Duration(i)*time.Millisecond) // no two spans pass
				f.announce(fp, at)
				if f.misses(keyOf(fp), anyModel, at) {
					t.Error("spared although there is an answer")
				}
				f.miss(keyOf(fp+1000), anyModel, at)
			}
		})
	}
	all.Wait()
}

func BenchmarkFilterMiss(b *testing.B) {
	f := newFilter(time.Minute, redisFilterBits)
	f.follow(forever)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		f.misses(keyOf(i*0x9e3779b97f4a7c15), anyModel, now)
	}
}
