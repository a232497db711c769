package guard

import "time"

// limit is how many calls a vendor is found to bear at once. It is found by
// additive increase and multiplicative decrease: D.-M. Chiu and R. Jain,
// Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in
// Computer Networks, 1989. Clients that follow it come to equal shares without
// knowing of each other, as our replicas must.
//
//   - With every call that ends well while the limit is reached, it grows by
//     1/limit: by one for a limit's worth of calls, as in TCP (RFC 5681). A
//     limit that holds nobody back proves nothing and does not grow (RFC 7661).
//   - With a call that the vendor could not bear, see tooMuch, it shrinks to
//     0.7 of itself (as in CUBIC, RFC 9438: nothing is lost here but the call
//     that was refused), at most once for all calls that were under way then:
//     those that follow speak of the old limit.
//
// It begins at the greatest, which the operator has set, because vendors say
// at once when that is too much. Latency is not looked at, as gradient rules
// do: an answer of ten tokens and one of ten thousand differ more than a full
// vendor and an idle one.
type limit struct {
	now  float64 // 1 to most
	most float64
	cut  time.Time // when it last shrank
}

const shrinkTo = 0.7

func newLimit(most int) limit {
	greatest := float64(max(1, most))
	return limit{now: greatest, most: greatest}
}

func (l *limit) calls() int { return int(l.now) }

func (l *limit) grow() { l.now = min(l.now+1/l.now, l.most) }

// shrink is for a call that began at a time and ended now.
func (l *limit) shrink(began, now time.Time) {
	if began.After(l.cut) {
		l.now, l.cut = max(1, l.now*shrinkTo), now
	}
}
