package rollup_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/rollup"
)

var now = time.Date(2026, 11, 23, 12, 34, 56, 789e6, time.UTC)

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	sketch := rollup.Sketch{}
	var values []float64
	for range 20_000 {
		us := int64(math.Exp(r.NormFloat64()*2 + 12))
		sketch.Count(rollup.Bin(us), 1)
		values = append(values, float64(us)/1000)
	}
	slices.Sort(values)
	for _, q := range []float64{.01, .5, .9, .95, .99, .999, 1} {
		exact := values[int(math.Ceil(q*float64(len(values))))-1]
		got := sketch.Quantiles(q)[0]
		if math.Abs(got-exact) > .0101*exact {
			t.Errorf("quantile %g is %g, exactly %g", q, got, exact)
		}
	}
}

func TestBinsCoverEverything(t *testing.T) {
	t.Parallel()
	last := int16(0)
	for us := int64(0); us < 1<<53; us += us/50 + 1 {
		bin := rollup.Bin(us)
		if bin < last {
			t.Fatalf("bin of %d µs is %d, below that of less", us, bin)
		}
		last = bin
	}
	if got := (rollup.Sketch{}).Quantiles(.5); got != nil {
		t.Errorf("an empty sketch has the median %v", got)
	}
	if rollup.Bin(math.MaxInt64) < last {
		t.Error("the largest duration has no bin")
	}
}

// facts makes random facts around now, some of them too old for any window.
func facts(seed uint64, n int) []*event.CompletionRecorded {
	r := rand.New(rand.NewPCG(seed, 0))
	var fs []*event.CompletionRecorded
	for range n {
		age := time.Duration(math.Exp(r.Float64()*math.Log(float64(10*24*time.Hour/time.Second)))) * time.Second
		fs = append(fs, eventtest.Completion(r, now.Add(-age)))
	}
	return fs
}

// book folds facts of the default project.
func book(fs ...*event.CompletionRecorded) *rollup.Book {
	books := rollup.Books{}
	books.Fold(fs)
	return books.Of(event.DefaultProject)
}

// direct counts facts one by one: what a book must come to.
func direct(fs []*event.CompletionRecorded, from time.Time) rollup.Sums {
	var s rollup.Sums
	for _, f := range fs {
		if f.At.Before(from) {
			continue
		}
		s.TotalRequests++
		if f.Failed() {
			s.Errors++
		}
		if f.Unpriced {
			s.Unpriced++
		}
		s.TokensIn += f.TokensIn
		s.TokensOut += f.TokensOut
		s.CostUSD += pricing.Nanos(f.CostNanos)
		s.BaselineCostUSD += pricing.Nanos(f.BaselineCostNanos)
	}
	s.SavingsUSD = s.BaselineCostUSD - s.CostUSD
	if s.BaselineCostUSD > 0 {
		s.SavingsPct = 100 * float64(s.SavingsUSD) / float64(s.BaselineCostUSD)
	}
	return s
}

func report(b *rollup.Book, w rollup.Window, at time.Time) rollup.Report {
	cells := rollup.Cells{}
	b.AddWindow(w.Name, cells)
	return rollup.NewReport(w, cells, rollup.SourceRedis, at)
}

func TestWindowsCountWhatArrivedSinceFrom(t *testing.T) {
	t.Parallel()
	fs := facts(2, 3000)
	b := book(fs...)
	// Time goes on: what leaves is subtracted.
	for _, later := range []time.Duration{0, 1500 * time.Millisecond, time.Minute, time.Hour, 26 * time.Hour, 8 * 24 * time.Hour} {
		at := now.Add(later)
		b.Advance(at)
		for _, w := range rollup.Windows() {
			got, want := report(b, w, at).Sums, direct(fs, w.From(at))
			if got != want {
				t.Errorf("window %s after %s: %+v, counted one by one %+v", w.Name, later, got, want)
			}
		}
	}
	totals := rollup.Cells{}
	b.AddTotals(totals)
	if got, want := rollup.NewSums(totals), direct(fs, time.Time{}); got != want {
		t.Errorf("totals are %+v, counted one by one %+v", got, want)
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	fs := facts(3, 1000)
	one := rollup.Books{}
	for i := range 10 {
		one.Fold(fs[i*100 : (i+1)*100])
		one.Of(event.DefaultProject).Advance(now)
	}
	slices.Reverse(fs)
	compareAt(t, one.Of(event.DefaultProject), book(fs...), now)
}

// compareAt holds two books against each other.
func compareAt(t *testing.T, one, other *rollup.Book, now time.Time) {
	t.Helper()
	one.Advance(now)
	other.Advance(now)
	for _, w := range rollup.Windows() {
		if a, b := report(one, w, now), report(other, w, now); !reflect.DeepEqual(a, b) {
			t.Errorf("window %s differs:\n%+v\n%+v", w.Name, a, b)
		}
	}
}

// What is saved piece by piece, as an aggregator does, restores to the same.
func TestChangedCellsRestoreTheBook(t *testing.T) {
	t.Parallel()
	saved := map[rollup.Key][]byte{}
	books := rollup.Books{}
	b := books.Of(event.DefaultProject)
	for i, fs := 0, facts(4, 1000); i < 1000; i += 50 {
		books.Fold(fs[i : i+50])
		b.Advance(now.Add(time.Duration(i) * time.Second))
		save(t, saved, b)
	}
	at := now.Add(time.Hour)
	b.Advance(at)
	save(t, saved, b)
	restored := rollup.NewBook()
	for key, body := range saved {
		var c rollup.Cell
		if err := json.Unmarshal(body, &c); err != nil {
			t.Fatal(err)
		}
		restored.Restore(key, c)
	}
	compareAt(t, b, restored, at)
}

func save(t *testing.T, saved map[rollup.Key][]byte, b *rollup.Book) {
	t.Helper()
	for key, cell := range b.Changed() {
		if cell == nil {
			delete(saved, key)
			continue
		}
		body, err := json.Marshal(cell)
		if err != nil {
			t.Fatal(err)
		}
		saved[key] = body
	}
}

// The clock goes ahead for a moment, and back: what left is gone, and what
// comes then is counted, in sums that stay what the slots add up to.
func TestClockThatGoesBack(t *testing.T) {
	t.Parallel()
	fs := facts(7, 2000)
	books := rollup.Books{}
	b := books.Of(event.DefaultProject)
	books.Fold(fs[:1000])
	b.Advance(now.Add(90 * time.Second))
	b.Advance(now)
	books.Fold(fs[1000:])
	b.Advance(now)
	for _, w := range rollup.Windows() {
		ahead := w.From(now.Add(90 * time.Second))
		var want []*event.CompletionRecorded
		for i, f := range fs {
			if i >= 1000 || !f.At.Before(ahead) {
				want = append(want, f)
			}
		}
		if got, want := report(b, w, now).Sums, direct(want, w.From(now)); got != want {
			t.Errorf("window %s: %+v, counted one by one %+v", w.Name, got, want)
		}
	}
	b.Advance(now.AddDate(1, 0, 0))
	for _, w := range rollup.Windows() {
		if got := report(b, w, now).Sums; got != (rollup.Sums{}) {
			t.Errorf("window %s has %+v left when everything has left", w.Name, got)
		}
	}
}

func TestNothingIsKeptOfWhatLeft(t *testing.T) {
	t.Parallel()
	b := book(facts(5, 500)...)
	saved := map[rollup.Key][]byte{}
	save(t, saved, b)
	b.Advance(now.AddDate(1, 0, 0))
	save(t, saved, b)
	for key := range saved {
		if key.Window != "" {
			t.Errorf("cell %+v is left a year later", key)
		}
	}
}

func TestEmptyReportHasNoNaN(t *testing.T) {
	t.Parallel()
	s := rollup.NewSnapshot(report(rollup.NewBook(), rollup.Windows()[0], now), nil, nil)
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back rollup.Snapshot
	if err := json.Unmarshal(body, &back); err != nil || back.TotalRequests != 0 || back.LatencyMS.P50 != nil {
		t.Errorf("an empty snapshot reads %+v (%v)", back, err)
	}
}

// BenchmarkFold folds batches as large as an aggregator reads; the time is per
// fact.
func BenchmarkFold(b *testing.B) {
	const batch = 1000
	r := rand.New(rand.NewPCG(6, 0))
	var fs []*event.CompletionRecorded
	for range batch {
		fs = append(fs, eventtest.Completion(r, now))
	}
	books := rollup.Books{}
	b.ReportAllocs()
	for range b.N/batch + 1 {
		books.Fold(fs)
	}
}
