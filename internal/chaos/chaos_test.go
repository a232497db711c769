package chaos

import (
	"log/slog"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The short version of `make chaos`. Its seed is fixed, so that a failure here
// is not somebody's bad luck; CHAOS_SEED tries another.
func TestNothingIsLostAndNothingCountedTwice(t *testing.T) {
	t.Parallel()
	o := shortRun(seed(t))
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	t.Logf("seed %d", o.Seed)
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Violations {
		t.Error(v)
	}
	if r.Counts.Rows == 0 || r.Counts.Answered == 0 || r.Counts.HeardOut == 0 || r.Counts.CutInKills == 0 {
		t.Errorf("nothing was tested: %+v", r.Counts)
	}
}

const testSeed = 148

func shortRun(seed uint64) Options {
	return Options{Kills: 12, Seed: seed, Rate: 150, Fsync: "everysec", Pause: 800 * time.Millisecond, Flush: true,
		Settle: 45 * time.Second}
}

func seed(t *testing.T) uint64 {
	text := os.Getenv("CHAOS_SEED")
	if text == "" {
		return testSeed
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The seed decides the faults, and there are as many kills as were asked for.
func TestPlan(t *testing.T) {
	t.Parallel()
	for s := range uint64(200) {
		o := Options{Kills: 25, Seed: s, Pause: time.Second, Flush: s%2 == 0, Clock: s%3 == 0}
		longest := 4 * time.Second
		if s%5 == 0 {
			o.Stores = StoresCluster
			longest += takeover
		}
		faults := Plan(o)
		if !reflect.DeepEqual(faults, Plan(o)) {
			t.Fatalf("seed %d gives different faults", s)
		}
		kills := 0
		for _, f := range faults {
			if f.Kind == FaultKill {
				kills += len(f.Targets)
			}
			if f.Kind == FaultFlush && !o.Flush {
				t.Errorf("seed %d: %s without leave", s, f)
			}
			if f.Kind == FaultClock && !o.Clock || f.By.Abs() > 90*time.Second || (f.By != 0) != (f.Kind == FaultClock) {
				t.Errorf("seed %d: %s", s, f)
			}
			if f.After > max(3*o.Pause, calm) || f.For > longest {
				t.Errorf("seed %d: %s after %s takes too long", s, f, f.After)
			}
		}
		if kills != o.Kills {
			t.Errorf("seed %d: %d kills", s, kills)
		}
	}
}

// What the short version tests is worth having: streams break off when APIs die.
func TestShortPlanHitsEverything(t *testing.T) {
	t.Parallel()
	const apis = 3 // kills, so that some were answering in pieces
	killed := 0
	hit := map[string]bool{}
	for _, f := range Plan(shortRun(testSeed)) {
		for _, target := range f.Targets {
			job, _, _ := strings.Cut(target, "-")
			hit[job] = hit[job] || f.Kind == FaultKill
			if job == "api" && f.Kind == FaultKill {
				killed++
			}
		}
		hit[f.Kind] = true
	}
	for _, want := range []string{"api", "worker", "aggregator", "redis", "postgres", FaultStop, FaultTerm, FaultFlush} {
		if !hit[want] {
			t.Errorf("the plan has nothing for %s", want)
		}
	}
	if killed < apis {
		t.Errorf("the plan kills %d APIs", killed)
	}
}

// Nobody sets a clock that is right.
func TestGuardLeavesTheClockAlone(t *testing.T) {
	t.Parallel()
	began := time.Now()
	if err := GuardClock(strings.NewReader("")); err != nil {
		t.Error(err) // also for those who may not set it
	}
	if off := time.Since(began) - time.Since(began.Round(0)); off.Abs() > time.Second {
		t.Errorf("the clock is off by %s", off)
	}
}

// Without root, or somebody to put the clock right again, it is not touched.
func TestClockNeedsAGuard(t *testing.T) {
	t.Parallel()
	if _, err := startClock(nil); err == nil {
		t.Error("a clock without a guard can be stepped")
	}
}

func TestTemper(t *testing.T) {
	t.Parallel()
	var slowOnes, failed, hopelessOnes, cut int
	const n = 20_000
	for i := range n {
		wait, fails := temper(strconv.Itoa(i), 1)
		if _, again := temper(strconv.Itoa(i), 1); again != fails {
			t.Fatalf("request %d meets different fates", i)
		}
		if wait >= slow {
			slowOnes++
		}
		if breaksOff(strconv.Itoa(i)) {
			cut++
		}
		if fails {
			failed++
		}
		if later, fails := temper(strconv.Itoa(i), 2); fails {
			hopelessOnes++
		} else if later > quick {
			t.Fatalf("a fallback takes %s", later)
		}
	}
	for what, share := range map[string][2]float64{"slow": {float64(slowOnes) / n, slowShare},
		"failed": {float64(failed) / n, failShare + hopeless}, "hopeless": {float64(hopelessOnes) / n, hopeless}, "cut off": {float64(cut) / n, breakShare}} {
		if share[0] < share[1]*0.7 || share[0] > share[1]*1.3 {
			t.Errorf("%s: %.4f of requests, not %.4f", what, share[0], share[1])
		}
	}
}

func TestWrongLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`{"time":"2026-11-23T18:00:00Z","level":"INFO","msg":"fine"}`:      false,
		`{"time":"2026-11-23T18:00:00Z","level":"WARN","msg":"so what"}`:   false,
		`{"time":"2026-11-23T18:00:00Z","level":"ERROR","msg":"a defect"}`: true,
		`{"time":"2026-11-23T18:00:00Z","lev`:                              false,
		`panic: runtime error: index out of range`:                         true,
		`WARNING: DATA RACE`:                true,
		`api: cannot listen on 127.0.0.1:1`: true,
	} {
		if isWrong(line) != want {
			t.Errorf("%s: %t", line, !want)
		}
	}
}
