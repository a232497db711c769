package event_test

import (
	"math/rand/v2"
	"testing"

	"github.com/busuhq/busu/internal/event"
)

// A set of seqs behaves as a map would, whatever the order they come in.
func TestRangesAreASet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		var ranges event.Ranges
		want := map[int64]bool{}
		for range 400 {
			seq := 1 + r.Int64N(1+r.Int64N(300))
			if got := ranges.Add(seq); got == want[seq] {
				t.Fatalf("seed %d: adding %d to %s says %t", seed, seq, ranges, got)
			}
			want[seq] = true
		}
		for seq := range int64(302) {
			if ranges.Contains(seq) != want[seq] {
				t.Errorf("seed %d: %d is in %s: %t", seed, seq, ranges, !want[seq])
			}
		}
		upTo := int64(0)
		for want[upTo+1] {
			upTo++
		}
		if ranges.UpTo() != upTo || ranges.Count() != int64(len(want)) {
			t.Errorf("seed %d: %s is whole up to %d and has %d", seed, ranges, ranges.UpTo(), ranges.Count())
		}
		one := 1 + r.Int64N(300)
		if some := (event.Ranges{{First: one, Last: one + 2}}); ranges.Covers(some) != (want[one] && want[one+1] && want[one+2]) {
			t.Errorf("seed %d: %s covers %s: %t", seed, ranges, some, ranges.Covers(some))
		}
		if !ranges.Covers(ranges) || !ranges.Covers(nil) || ranges.Last() != ranges[len(ranges)-1].Last {
			t.Errorf("seed %d: %s does not cover itself", seed, ranges)
		}
		for i, run := range ranges {
			if run.First > run.Last || i > 0 && ranges[i-1].Last+1 >= run.First {
				t.Errorf("seed %d: runs of %s touch or are empty", seed, ranges)
			}
		}
		if back, err := event.ParseRanges(ranges.String()); err != nil || back.String() != ranges.String() {
			t.Errorf("seed %d: %s reads back as %s (%v)", seed, ranges, back, err)
		}
	}
}

func TestParseRangesRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "}", "[1,2)", "{[1,2)", "{[2,1)}", "{[1,1)}", "{[1,5),[3,8)}", "{[1,2),[2,3)}", "{[a,b)}", "{1}"} {
		if r, err := event.ParseRanges(text); err == nil {
			t.Errorf("%q reads as %s", text, r)
		}
	}
}
