package budget

import (
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Tail is what a desk knows of an account: what was stored before a mark, and
// what processes have said they spent since.
type Tail struct {
	Made    time.Time     // when the desk began with it
	Mark    int64         // a minute; 0: there was none since it was made
	Stored  pricing.Nanos // before the mark
	AtFirst pricing.Nanos // in all, when it was made: it counts until there is a mark
	Said    []Said
}

// Said is what one process has said.
type Said struct {
	Journal string
	Covered int64 // the minute before which its spending is stored
	Spent   []Spent
}

// Spent is what a desk will say of an account once it has read what is stored:
// it differs from what is stored now by what was lost or counted twice, between
// them. before is what is stored before the tail's mark. Where a process may
// have more stored than is known for certain, or the account is new, what is
// said may be too much for a while; atLeast says so.
func (t Tail) Spent(s Stored, sums Sums, before pricing.Nanos) (spent pricing.Nanos, atLeast bool) {
	mark, known := t.Mark, t.Made.Add(Skew)
	switch {
	case !s.Mark.Before(known) && s.Mark.Unix()/60 >= mark:
		mark, spent = s.Mark.Unix()/60, sums.Before
	case mark > 0 && !time.Unix(mark*60, 0).Before(known):
		spent = before
	default:
		spent, atLeast = t.AtFirst, true
	}
	if t.Mark > 0 {
		spent += t.Stored - before // which should be nothing
	}
	for _, p := range t.Said {
		covered := max(p.Covered, coveredBy(s.Journals, p.Journal, mark))
		for _, m := range p.Spent {
			if m.Minute < covered {
				continue
			}
			spent += m.Cost
			atLeast = atLeast || m.Minute <= mark // see Holds.Begin: its row may lie before the mark
		}
	}
	return spent, atLeast
}

// coveredBy is the minute before which all of a journal is stored, up to a mark.
func coveredBy(all []Coverage, journal string, mark int64) int64 {
	for _, c := range all {
		if c.Journal == journal && c.Closed {
			return mark
		}
		if c.Journal == journal {
			return min(c.Until.Unix()/60, mark)
		}
	}
	return 0
}
