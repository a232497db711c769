package budget

import (
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// most budgets that one request counts in: of its key and its project, by day
// and by month.
const mostBudgets = 4

// arriving is how long after its arrival a request may be recorded as under way
// and still count in the minute of its arrival. It is less than what journals
// allow for that: a mark that is past this minute knows of the request then.
const arriving = 500 * time.Millisecond

// Holds are what was reserved for a request. The zero value holds nothing, and
// is for requests without a budget.
type Holds struct {
	holds  [mostBudgets]hold
	n      int
	at     time.Time
	minute int64
}

type hold struct {
	purse *Purse
	most  pricing.Nanos
}

// Begin says when the request was recorded as under way, behind that.
func (h *Holds) Begin(now time.Time) {
	if h.minute = minuteOf(h.at); now.Sub(h.at) > arriving {
		h.minute = minuteOf(now)
	}
}

// Settle takes what the request has cost, and gives back the rest; 0 gives back
// everything. It counts once, and only after the request was recorded.
func (h *Holds) Settle(cost pricing.Nanos) {
	for i := range h.n {
		h.holds[i].purse.settle(h.minute, h.holds[i].most, cost)
	}
	h.n = 0
}

func (h *Holds) add(p *Purse, most pricing.Nanos) {
	h.holds[h.n] = hold{p, most}
	h.n++
}
