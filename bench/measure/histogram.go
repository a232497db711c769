package measure

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets whose width is a thousandth of what
// they hold, as HdrHistogram does: a run of millions of requests takes no more
// memory than one of a few, and many may add at once. The zero value is ready.
type Histogram struct {
	counts [buckets]atomic.Uint64
}

const (
	digits  = 10 // bits of a duration that count
	longest = 36 // bits of the longest that is told from longer ones: 68 s
	buckets = (longest-digits)<<digits + 1<<(digits+1)
)

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) { h.counts[bucketOf(d)].Add(1) }

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v >= 1<<(longest+1) {
		return buckets - 1
	}
	shift := max(bits.Len64(v)-digits-1, 0)
	return shift<<digits + int(v>>shift)
}

// middle is what the durations of a bucket are about.
func middle(bucket int) time.Duration {
	shift := max(bucket>>digits-1, 0)
	low := (bucket - shift<<digits) << shift
	return time.Duration(low + 1<<shift/2)
}

// Count is how many were added.
func (h *Histogram) Count() (n uint64) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Percentile is the duration, in µs, that a share of all stays within; 0 when
// there are none.
func (h *Histogram) Percentile(share float64) float64 {
	n := h.Count()
	if n == 0 {
		return 0
	}
	wanted, seen := max(uint64(math.Ceil(share*float64(n))), 1), uint64(0)
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= wanted {
			return float64(middle(i)) / float64(time.Microsecond)
		}
	}
	return 0
}
