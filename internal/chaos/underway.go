package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// underWay is what was under way at each kill.
type underWay struct {
	mu            sync.Mutex
	streams, slow []int64
}

// awaitAtMost is enough for APIs to be there again, when none is.
const awaitAtMost = 10 * time.Second

// await waits until clients hear streams and wait for slow answers, and counts
// them: a kill at another moment would show little.
func (u *underWay) await(ctx context.Context, l *load, up *upstream) {
	ctx, cancel := context.WithTimeout(ctx, awaitAtMost)
	defer cancel()
	var streams, slow int64
	_ = until(ctx, func() bool { // muchIsUnderWay tells of those that waited for nothing
		streams, slow = l.streaming.Load(), up.slow.Load()
		return streams > 0 && slow > 0
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.streams, u.slow = append(u.streams, streams), append(u.slow, slow)
}

// muchIsUnderWay: no kill came at a quiet moment.
func (e *engine) muchIsUnderWay(context.Context, []row) (Check, error) {
	u := &e.atKills
	u.mu.Lock()
	defer u.mu.Unlock()
	slices.Sort(u.streams)
	slices.Sort(u.slow)
	c := Check{What: "streams and slow answers are in flight at every kill",
		Result: fmt.Sprintf("%d kills, streams: %s, slow answers: %s", len(u.streams), spread(u.streams), spread(u.slow))}
	c.Holds = len(u.streams) == e.o.Kills && u.streams[0] > 0 && u.slow[0] > 0
	return c, nil
}

// spread describes sorted counts.
func spread(counts []int64) string {
	if len(counts) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d at least, %d in the middle, %d at most", counts[0], counts[len(counts)/2], counts[len(counts)-1])
}

// brokenAreSettled finds the row of every stream that broke off, with what it
// cost: it had begun, so the provider is paid for it.
func (e *engine) brokenAreSettled(_ context.Context, rows []row) (Check, error) {
	c := Check{What: "every stream that broke off is stored exactly once, with what it cost"}
	times, statuses, wrong := map[string]int{}, map[string]int{}, sample{}
	for _, r := range rows {
		b, ok := e.load.broken[r.id]
		if !ok {
			continue
		}
		times[r.id]++
		statuses[r.status]++
		if r.marker != b.marker || r.cost <= 0 || !slices.Contains(b.mayBe(), r.status) {
			wrong.add("%s: broke off for %s (told: %t), stored %s of %s at %d nano-dollars", r.id, b.marker, b.told, r.status, r.marker, r.cost)
		}
	}
	for id, b := range e.load.broken {
		if times[id] != 1 {
			wrong.add("%s (%s) is stored %d times", id, b.marker, times[id])
		}
	}
	c.Result = fmt.Sprintf("%d streams, stored as %v, %d wrong%s", len(e.load.broken), statuses, wrong.n, wrong)
	c.Holds = wrong.n == 0
	return c, nil
}

// mayBe lists the statuses that a stream may be stored with. Its client may
// have missed the end of a whole one, but was not told that it failed.
func (b broken) mayBe() []string {
	statuses := []string{event.StatusCanceled, event.StatusInterrupted}
	if !b.told {
		statuses = append(statuses, event.StatusOK)
	}
	if breaksOff(b.marker) {
		statuses = append(statuses, event.StatusError)
	}
	return statuses
}
