package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/rollup"
)

var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// whole is a ledger in which everything agrees, and its live totals.
func whole() (reconcile.Ledger, map[string]rollup.Sums) {
	l := reconcile.NewLedger()
	l.Hear([]event.Heartbeat{{Journal: "j", At: at, Seqs: map[string]int64{"completions/0": 100}}})
	lane := l.Lane("j", "completions/0")
	lane.Marked, lane.Rows, lane.Distinct = event.Ranges{{First: 1, Last: 100}}, 100, 100
	c := rollup.Cell{Requests: 100, Errors: 2, CostNanos: 500, BaselineNanos: 900}
	p := l.Project("default")
	p.Rows, p.Rollups, p.Ever = c, c, c
	cells := rollup.Cells{}
	cells.Add(rollup.Dim{Kind: rollup.KindAll}, c)
	return l, map[string]rollup.Sums{"default": rollup.NewSums(cells)}
}

func TestWholeLedgerIsSettled(t *testing.T) {
	t.Parallel()
	if r := reconcile.Compare(whole()); !r.Settled() || len(r.Lanes) != 1 || r.Lanes[0].Stored != 100 {
		t.Errorf("%+v", r)
	}
	if r := reconcile.Compare(reconcile.NewLedger(), nil); !r.Settled() {
		t.Errorf("an empty ledger: %+v", r)
	}
}

// Whatever goes wrong, one thing at a time, is a difference and has its words.
func TestEveryDifferenceIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*reconcile.Ledger, map[string]rollup.Sums)
		says  string
	}{
		"a hole": {func(l *reconcile.Ledger, _ map[string]rollup.Sums) {
			l.Lane("j", "completions/0").Marked = event.Ranges{{First: 1, Last: 50}, {First: 52, Last: 100}}
		}, "1 of 100 facts are not stored"},
		"a dead letter": {func(l *reconcile.Ledger, _ map[string]rollup.Sums) {
			l.Lane("j", "completions/0").Marked = event.Ranges{{First: 1, Last: 50}, {First: 52, Last: 100}}
			l.Lane("j", "completions/0").Buried = event.Ranges{{First: 51, Last: 51}}
		}, "1 facts are in the dead letters"},
		"a missing tail": {func(l *reconcile.Ledger, _ map[string]rollup.Sums) {
			l.Hear([]event.Heartbeat{{Journal: "j", At: at.Add(1), Seqs: map[string]int64{"completions/0": 103}}})
		}, "3 of 103"},
		"a journal nothing is stored of": {func(l *reconcile.Ledger, _ map[string]rollup.Sums) {
			l.Hear([]event.Heartbeat{{Journal: "other", At: at, Seqs: map[string]int64{"completions/0": 1}}})
		}, "1 of 1"},
		"a repeated seq": {func(l *reconcile.Ledger, _ map[string]rollup.Sums) {
			l.Lane("j", "completions/0").Distinct = 99
		}, "1 rows repeat"},
		"rows without a mark": {func(l *reconcile.Ledger, _ map[string]rollup.Sums) {
			l.Lane("j", "completions/0").Rows, l.Lane("j", "completions/0").Distinct = 101, 101
		}, "only 100 are marked"},
		"rollups that differ": {func(l *reconcile.Ledger, _ map[string]rollup.Sums) {
			l.Project("default").Rollups.CostNanos++
		}, "rollups to"},
		"live metrics that differ": {func(_ *reconcile.Ledger, live map[string]rollup.Sums) {
			s := live["default"]
			s.CostUSD++
			live["default"] = s
		}, "live metrics say"},
		"no live metrics": {func(_ *reconcile.Ledger, live map[string]rollup.Sums) { delete(live, "default") }, "no live metrics"},
		"live metrics of an unknown project": {func(_ *reconcile.Ledger, live map[string]rollup.Sums) {
			live["ghost"] = rollup.Sums{TotalRequests: 1}
		}, "live metrics say"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, live := whole()
			c.spoil(&l, live)
			r := reconcile.Compare(l, live)
			var said []string
			for _, lane := range r.Lanes {
				said = append(said, lane.Problem)
			}
			for _, p := range r.Projects {
				said = append(said, p.Problem)
			}
			if r.Settled() || !strings.Contains(strings.Join(said, "; "), c.says) {
				t.Errorf("settled %t, it says %q, without %q", r.Settled(), said, c.says)
			}
		})
	}
}

func TestOpenIntentsAreNotSettled(t *testing.T) {
	t.Parallel()
	l, live := whole()
	l.Hear([]event.Heartbeat{{Journal: "j", At: at.Add(1), OpenIntents: 2, Seqs: map[string]int64{"completions/0": 100}},
		{Journal: "j", At: at.Add(-1), OpenIntents: 7}}) // the older one does not count
	if r := reconcile.Compare(l, live); r.Settled() || r.Open != 2 {
		t.Errorf("%+v", r)
	}
}

// A journal whose id was given up says so, and what it announced still counts.
func TestClosingHeartbeat(t *testing.T) {
	t.Parallel()
	l, live := whole()
	l.Hear([]event.Heartbeat{{Journal: "j", At: at.Add(1), OpenIntents: 52, Seqs: map[string]int64{"completions/0": 101}}})
	l.Hear([]event.Heartbeat{{Journal: "j", At: at.Add(2)}})
	if r := reconcile.Compare(l, live); r.Open != 0 || r.Lanes[0].Missing != 1 {
		t.Errorf("%+v", r)
	}
}
