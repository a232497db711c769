package experiment

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var manyUsers = flag.Int("users", 100_000, "users for TestExperimentsDoNotDependOnEachOther; the goal asks for 1000000")

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// valid is an experiment that Validate accepts.
func valid(shares ...float64) *Experiment {
	if len(shares) == 0 {
		shares = []float64{.5, .5}
	}
	s := Start{Name: "an experiment", SampleSize: 2000}
	for i, share := range shares {
		s.Arms = append(s.Arms, ArmShare{Name: []string{"control", "test", "third", "fourth", "fifth"}[i], Share: share, ArmSpec: ArmSpec{Model: fmt.Sprintf("model-%d", i)}})
	}
	e := s.Experiment(Given{ID: "e1", Project: "default", Salt: "salt", At: start})
	return &e
}

// The places were computed by another program in another language: whoever has
// the salt can tell the arm.
func TestPlacesOfOld(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/places.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); n++ {
		var want struct {
			Salt, User     string
			Place          int64
			Halves, Thirds int
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if got := int64(place(want.Salt, want.User) * (1 << 53)); got != want.Place {
			t.Errorf("%q %.40q: place %d, want %d", want.Salt, want.User, got, want.Place)
		}
		for _, c := range []struct {
			arm    int
			shares []float64
		}{{want.Halves, []float64{.5, .5}}, {want.Thirds, []float64{.2, .3, .5}}} {
			e := valid(c.shares...)
			e.Salt = want.Salt
			if arm, phase, ok := NewAssigner(e).Assign(want.User, start); arm != c.arm || phase != 0 || !ok {
				t.Errorf("%q %.40q: arm %d of %v in phase %d, %t; want %d", want.Salt, want.User, arm, c.shares, phase, ok, c.arm)
			}
		}
	}
	if n != 1000 {
		t.Errorf("%d entries", n)
	}
}

// shapes are ids as people have them; keys are salts that differ little.
var (
	shapes = []string{"user_%d", "%d", "u%08d@example.com"}
	keys   = []string{"exp_1", "exp_2", "exp_3", "exp_10", "exp_11", "a", "b", "checkout-v2"}
)

func TestExperimentsDoNotDependOnEachOther(t *testing.T) {
	t.Parallel()
	// The greatest of 84 independent normal φ of n users stays below 4.5/√n.
	limit := max(.005, 4.5/math.Sqrt(float64(*manyUsers)))
	for _, shape := range shapes {
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			dependence(t, shape, *manyUsers, limit)
		})
	}
}

func dependence(t *testing.T, shape string, users int, limit float64) {
	assigners := make([]*Assigner, len(keys))
	for i, key := range keys {
		e := valid()
		e.Salt = key
		assigners[i] = NewAssigner(e)
	}
	var both [8][8]float64
	var buckets [8][100]float64
	for u := range users {
		user := fmt.Sprintf(shape, u)
		var arms [8]int
		for i, a := range assigners {
			arms[i], _, _ = a.Assign(user, start)
			buckets[i][int(place(keys[i], user)*100)]++
		}
		for i := range arms {
			for j := range arms[:i+1] {
				both[i][j] += float64(arms[i] * arms[j])
			}
		}
	}
	n := float64(users)
	for i := range keys {
		for j := range i {
			p, q := both[i][i]/n, both[j][j]/n
			if phi := (both[i][j]/n - p*q) / math.Sqrt(p*(1-p)*q*(1-q)); math.Abs(phi) > limit {
				t.Errorf("%s and %s: φ = %.4f", keys[i], keys[j], phi)
			}
		}
		x2 := 0.0
		for _, count := range buckets[i] {
			x2 += (count - n/100) * (count - n/100) / (n / 100)
		}
		if x2 > 170 { // p < 1e-5 with 99 degrees of freedom
			t.Errorf("%s: buckets are uneven, X² = %.0f", keys[i], x2)
		}
	}
}

func TestRunsOfUsersAreSplit(t *testing.T) {
	t.Parallel()
	a := NewAssigner(valid())
	for _, shape := range shapes {
		for from := 0; from < 50_000; from += 1000 {
			tests := 0
			for u := from; u < from+1000; u++ {
				arm, _, _ := a.Assign(fmt.Sprintf(shape, u), start)
				tests += arm
			}
			if tests < 430 || tests > 570 { // 4.4 standard deviations
				t.Errorf(shape+" on: %d of 1,000 are in the test", from, tests)
			}
		}
	}
}

// randomShares draws shares of arms that Validate accepts.
func randomShares(t *rapid.T, arms int) []float64 {
	parts := rapid.SliceOfN(rapid.IntRange(1, 100), arms, arms).Draw(t, "parts")
	sum := 0
	for _, p := range parts {
		sum += p
	}
	shares := make([]float64, arms)
	for i, p := range parts {
		shares[i] = float64(p) / float64(sum)
	}
	return shares
}

// Nobody leaves an arm whose share does not shrink, and every arm has its share.
func TestRampsAreMonotone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		arms := rapid.IntRange(2, 5).Draw(t, "arms")
		e := valid(randomShares(t, arms)...)
		for i := range rapid.IntRange(1, 5).Draw(t, "ramps") {
			if err := e.Ramp(start.Add(time.Duration(i+1)*time.Hour), randomShares(t, arms)); err != nil {
				t.Fatal(err)
			}
		}
		a := NewAssigner(e)
		for i, p := range e.Phases {
			widths, from := make([]float64, arms), 0.0
			for _, piece := range a.phases[i].pieces {
				widths[piece.arm] += min(1, piece.end) - from
				from = min(1, piece.end)
			}
			for arm := range widths {
				if math.Abs(widths[arm]-p.Shares[arm]) > 1e-12 {
					t.Fatalf("phase %d: arm %d has %g, wants %g", i, arm, widths[arm], p.Shares[arm])
				}
			}
		}
		for u := range 200 {
			user := fmt.Sprint(u)
			for i := range e.Phases[1:] {
				before, was, _ := a.Assign(user, e.Phases[i].From)
				after, is, _ := a.Assign(user, e.Phases[i+1].From)
				if was != i || is != i+1 {
					t.Fatalf("phases %d and %d, want %d and %d", was, is, i, i+1)
				}
				if before != after && e.Phases[i+1].Shares[before] >= e.Phases[i].Shares[before]-1e-12 {
					t.Fatalf("user %s left arm %d, whose share went from %g to %g", user, before, e.Phases[i].Shares[before], e.Phases[i+1].Shares[before])
				}
			}
		}
	})
}

func TestLayersShareNoUser(t *testing.T) {
	t.Parallel()
	one, other := valid(), valid()
	one.Layer, one.Segment = "routing", Segment{0, .3}
	other.Layer, other.Segment, other.Salt = "routing", Segment{.3, 1}, "another"
	a, b := NewAssigner(one), NewAssigner(other)
	var in [2]int
	tests := 0
	for u := range 20_000 {
		user := fmt.Sprint(u)
		arm, _, inOne := a.Assign(user, start)
		_, _, inOther := b.Assign(user, start)
		if inOne == inOther {
			t.Fatalf("user %s: in one %t, in the other %t", user, inOne, inOther)
		}
		in[0] += int(count(inOne))
		in[1] += int(count(inOther))
		tests += int(count(inOne)) * arm
	}
	if in[0] < 5700 || in[0] > 6300 {
		t.Errorf("%d of 20,000 users are in a segment of 0.3", in[0])
	}
	if tests < in[0]/2-200 || tests > in[0]/2+200 {
		t.Errorf("%d of %d users of the segment are in the test: the layer leaks into the arms", tests, in[0])
	}
}

func TestHoldoutGrows(t *testing.T) {
	t.Parallel()
	held := 0
	for u := range 100_000 {
		user := fmt.Sprint(u)
		small := Holdout("s", user, .02)
		held += int(count(small))
		if small && !Holdout("s", user, .05) {
			t.Fatalf("user %s left the hold-out when it grew", user)
		}
		if Holdout("s", user, 0) || !Holdout("s", user, 1) {
			t.Fatalf("user %s: nobody is in a hold-out of 0, and everybody in one of 1", user)
		}
	}
	if held < 1800 || held > 2200 {
		t.Errorf("%d of 100,000 users are held out, not 2,000", held)
	}
}

func TestFreeSegment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		taken []Segment
		share float64
		want  Segment
		full  bool
	}{
		{nil, 1, Segment{0, 1}, false},
		{[]Segment{{.5, .7}, {0, .2}}, .3, Segment{.2, .5}, false},
		{[]Segment{{.5, .7}, {0, .2}}, .31, Segment{}, true},
		{[]Segment{{0, .5}}, .5, Segment{.5, 1}, false},
		{[]Segment{{0, 1}}, .001, Segment{}, true},
	} {
		got, err := FreeSegment(c.taken, c.share)
		if (err != nil) != c.full || math.Abs(got.From-c.want.From)+math.Abs(got.To-c.want.To) > 1e-9 {
			t.Errorf("%v of %g: %v, %v", c.taken, c.share, got, err)
		}
	}
}

func TestAssignAllocatesNothing(t *testing.T) {
	e := valid()
	e.Layer, e.Segment = "layer", Segment{0, .9}
	a := NewAssigner(e)
	if n := testing.AllocsPerRun(100, func() { a.Assign("user-of-a-usual-length@example.com", start) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
	if long := string(slices.Repeat([]byte("x"), 10<<20)); place("s", long) == place("s", long[1:]) {
		t.Error("ids of ten megabytes are cut off")
	}
}

func BenchmarkAssign(b *testing.B) {
	e := valid()
	e.Layer, e.Segment = "layer", Segment{0, .9999}
	a := NewAssigner(e)
	b.ReportAllocs()
	for b.Loop() {
		a.Assign("user-of-a-usual-length@example.com", start)
	}
}
