package statement

import (
	"fmt"
	"time"
)

// Proof is what says whether a month is whole.
type Proof struct {
	AsOf      string `json:"as_of"`
	Watermark string `json:"watermark"` // up to when all that arrived is stored; "" while nothing is certain
	Waiting   int64  `json:"waiting"`
	Missing   int64  `json:"missing"`
	Open      int64  `json:"open_intents"`
	Buried    int64  `json:"buried"`
	Rows      Sums   `json:"rows"` // what the lines add up to
	Rollups   Sums   `json:"rollups"`
	Counted   string `json:"counted_until"`
	Immature  int64  `json:"immature_users"`
}

// lateRows is how long a transaction that stores rows may last: what it stores
// bears the time at which it began.
const lateRows = time.Minute

func (e *Evidence) proof(rows Sums) Proof {
	return Proof{AsOf: stamp(e.AsOf), Watermark: stamp(e.Watermark), Waiting: e.Waiting, Missing: e.Missing, Open: e.Open, Buried: e.Buried, Rows: rows,
		Rollups: e.Rollups, Counted: stamp(e.Counted), Immature: e.Immature}
}

// doubts are the reasons why a month is not shown to be whole, each with what
// to do.
func (e *Evidence) doubts(rows Sums) []string {
	doubts := []string{}
	doubt := func(format string, args ...any) { doubts = append(doubts, fmt.Sprintf(format, args...)) }
	switch {
	case e.Unasked:
		doubt("Redis does not say what was announced last: ask again when it answers")
	case !e.Certain():
		doubt("facts are on their way to the database: ask again in a moment")
	case e.Watermark.Before(e.Month.To()):
		doubt("what arrived is stored up to %s, and the month ends at %s: wait until then", stamp(e.Watermark), stamp(e.Month.To()))
	}
	if e.Missing > 0 {
		doubt("%d facts were numbered and are not stored: see busu reconcile, and adopt the journals that are gone", e.Missing)
	}
	if e.Open > 0 {
		doubt("%d requests of journals that are gone were never settled: see busu adopt", e.Open)
	}
	if e.Buried > 0 {
		doubt("%d facts are in the dead letters: see busu dead list", e.Buried)
	}
	if rows != e.Rollups {
		doubt("rows add up to %d requests and %d nano-dollars, and counted were %d and %d: rows are gone (retention.completions), or see busu reconcile",
			rows.Requests, rows.PaidNanos, e.Rollups.Requests, e.Rollups.PaidNanos)
	}
	if e.Counted.Before(e.Month.To()) || e.Counted.Before(e.LastStored.Add(lateRows)) || e.Immature > 0 {
		doubt("the comparison with the hold-out has counted up to %s, and %d users are still under observation: ask again later", stamp(e.Counted), e.Immature)
	}
	return doubts
}
