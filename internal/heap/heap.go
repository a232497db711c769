// Package heap decides how often garbage is collected.
//
// At Go's usual pace the heap grows to twice what is in use. A process of ours
// has a few megabytes in use: under load it would collect again and again,
// which takes processor time and delays requests. So a small heap may grow
// further, by a fixed room for garbage. At 1,000 requests a second that makes
// some three collections a second, of some milliseconds each. Eight times the
// room saved one percent of the processor time of requests, and cost 80 MB. One that is large, because answers are kept in it, grows as usual. And none
// may outgrow what the container allows, while there is garbage to collect.
package heap

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/busuhq/busu/internal/cgroup"
)

const (
	smallPercent = 400      // garbage that may come together, in percent of what is in use
	most         = 16 << 20 // bytes of garbage, until as much is in use
	usualPercent = 100      // beyond that: Go's own

	lookEvery = 100 * time.Millisecond
	tolerance = 10 // percent of a pace that is not worth changing: doing so stops everything for a moment
)

// Spend lets a small heap grow, unless GOGC says how far, and all of it up to
// Limit. It is for main to call, before anything else.
func Spend() {
	if !decided() {
		debug.SetGCPercent(smallPercent)
	}
	if limit := Limit(os.Getenv("GOMEMLIMIT"), cgroup.Read(os.DirFS("/")).MemoryBytes); limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}

// headroom is what is left of a container's memory for what Go does not count:
// the binary's pages, and what the kernel keeps for its connections.
const headroom = 10 // percent

// Limit is what Go's memory is to be kept within where the group may have so
// many bytes: 0, which leaves it as it is, where the operator has decided by
// GOMEMLIMIT or the group has no limit.
func Limit(goMemLimit string, group int64) int64 {
	if goMemLimit != "" || group <= 0 {
		return 0
	}
	return group / 100 * (100 - headroom)
}

// decided reports whether the operator has.
func decided() bool { return os.Getenv("GOGC") != "" }

// Follow adapts the pace to what is in use until ctx ends.
func Follow(ctx context.Context) error {
	if decided() {
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for now := smallPercent; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if next := percent(inUse()); differs(now, next) {
			now = next
			debug.SetGCPercent(now)
		}
	}
}

// percent is how much garbage may come together while so many bytes are in use.
func percent(live uint64) int {
	if live == 0 {
		return smallPercent
	}
	return max(usualPercent, int(min(smallPercent, 100*most/live)))
}

func differs(now, next int) bool {
	apart := max(now, next) - min(now, next)
	return apart > 0 && apart*100 >= tolerance*now
}

// inUse is what the last collection found to be, in bytes.
func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
