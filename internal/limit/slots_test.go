package limit_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
)

// While fewer requests are under way than may be, none is refused, whatever is
// reported before one that waits comes for what the desk has granted.
func TestNoneIsRefusedWhileThereIsRoom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		now, most := time.UnixMilli(1_700_000_000_000), 2+r.Int64N(9)
		desk := limittest.NewDesk(func() time.Time { return now })
		s := limit.NewSlots(limit.Bucket{Key: "k", Kind: limit.Concurrency}, now)
		var underWay, refused int64
		var waiting []int64
		asks := func(after int64) {
			passed, waits, seq := s.Try(now, most, after)
			switch {
			case passed:
				underWay++
			case waits:
				waiting = append(waiting, seq)
			case underWay < most:
				t.Fatalf("seed %d: one is refused while %d of %d are under way", seed, underWay, most)
			default:
				refused++
			}
		}
		for range 2000 {
			now = now.Add(time.Duration(r.Int64N(int64(10 * time.Millisecond))))
			switch i := r.IntN(5); {
			case i == 0:
				asks(-1)
			case i == 1 && underWay > 0:
				s.Settle(now)
				underWay--
			case i == 2 && len(waiting) > 0:
				who := r.IntN(len(waiting))
				after := waiting[who]
				waiting = slices.Delete(waiting, who, who+1)
				asks(after)
			case i > 2:
				said := s.Report(now)
				answer, err := desk.Share(t.Context(), "a", []limit.Report{said})
				if err != nil {
					t.Fatal(err)
				}
				s.Hear(now, said, answer.Replies[0])
			}
			if open, waits := s.Counts(); open != underWay || open > most || waits != int64(len(waiting)) {
				t.Fatalf("seed %d: %d of %d are under way, and %d wait, not %d and %d", seed, underWay, most, len(waiting), open, waits)
			}
		}
		if refused == 0 {
			t.Errorf("seed %d: none is refused", seed)
		}
	}
}
