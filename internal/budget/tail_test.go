package budget_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// What a desk says is what is stored, whatever it has read of it, unless
// something is lost or counted twice.
func TestTailsAgreeWithWhatIsStored(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	m := noon.Unix() / 60
	stored := func(mark time.Time, before pricing.Nanos, of ...budget.Coverage) (budget.Stored, budget.Sums) {
		return budget.Stored{Mark: mark, Journals: of}, budget.Sums{Before: before, All: 100}
	}
	upTo := func(journal string, at time.Time, closed bool) budget.Coverage {
		return budget.Coverage{Journal: journal, Until: at, Closed: closed}
	}
	// Of 100, 70 came before noon, 20 in the minute from then on, 10 in the next.
	said := []budget.Said{{Journal: "a", Covered: m, Spent: []budget.Spent{{Minute: m, Cost: 15}, {Minute: m + 1, Cost: 10}}},
		{Journal: "b", Covered: m, Spent: []budget.Spent{{Minute: m, Cost: 5}}}}
	tail := budget.Tail{Made: noon.Add(-time.Hour), Mark: m, Stored: 70, AtFirst: 3, Said: said}
	young := budget.Tail{Made: noon.Add(30 * time.Second), AtFirst: 70, Said: said}
	lost, twice, drifted := tail, tail, tail
	lost.Said, twice.Said, drifted.Stored = said[:1], append(said[:2:2], said[1]), 68
	for _, c := range []struct {
		name    string
		tail    budget.Tail
		mark    time.Time
		before  pricing.Nanos // the mark
		of      []budget.Coverage
		want    pricing.Nanos
		atLeast bool
	}{
		{"read lately", tail, noon, 70, nil, 100, true},
		{"read long ago", tail, noon.Add(time.Minute), 90, []budget.Coverage{upTo("a", noon.Add(time.Hour), false), upTo("b", noon.Add(61*time.Second), false)}, 100, true},
		{"of a journal it is not known", tail, noon.Add(time.Minute), 90, []budget.Coverage{upTo("a", noon.Add(time.Hour), false)}, 105, true},
		{"of one that is closed", tail, noon.Add(time.Minute), 90, []budget.Coverage{upTo("a", noon.Add(time.Hour), false), upTo("b", noon.Add(time.Second), true)}, 100, true},
		{"the mark is older than the desk's", tail, noon.Add(-time.Minute), 60, nil, 100, true},
		{"there is no mark", tail, time.Time{}, 0, nil, 100, true},
		{"the account is new", young, noon, 70, nil, 100, true},
		{"the account was new", young, noon.Add(time.Minute), 90, []budget.Coverage{upTo("a", noon.Add(time.Hour), false), upTo("b", noon.Add(time.Hour), false)}, 100, true},
		{"a report is lost", lost, noon, 70, nil, 95, true},
		{"a report is there twice", twice, noon, 70, nil, 105, true},
		{"what was read is something else", drifted, noon, 70, nil, 98, true},
		{"and stays it", drifted, noon.Add(2 * time.Minute), 100, []budget.Coverage{upTo("a", noon.Add(time.Hour), false), upTo("b", noon.Add(time.Hour), false)}, 98, false},
	} {
		s, sums := stored(c.mark, c.before, c.of...)
		if got, atLeast := c.tail.Spent(s, sums, 70); got != c.want || atLeast != c.atLeast {
			t.Errorf("%s: %d are spent, at least %t; want %d, %t", c.name, got, atLeast, c.want, c.atLeast)
		}
	}
}

// What was asked before a minute and recorded in it counts twice, as its row
// lies before the mark, until the mark is past that: so a desk says too much for
// a while, and says so.
func TestTailOfRequestsThatWereRecordedLate(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	m := noon.Unix() / 60
	tail := budget.Tail{Made: noon.Add(-time.Hour), Mark: m, Stored: 75, // with 5 of the 20 that are said
		Said: []budget.Said{{Journal: "a", Covered: m, Spent: []budget.Spent{{Minute: m, Cost: 20}}}}}
	if got, atLeast := tail.Spent(budget.Stored{Mark: noon}, budget.Sums{Before: 75, All: 90}, 75); got != 95 || !atLeast {
		t.Errorf("in that minute: %d, at least %t", got, atLeast)
	}
	later := budget.Stored{Mark: noon.Add(time.Minute), Journals: []budget.Coverage{{Journal: "a", Until: noon.Add(time.Minute)}}}
	if got, atLeast := tail.Spent(later, budget.Sums{Before: 90, All: 90}, 75); got != 90 || atLeast {
		t.Errorf("behind it: %d, at least %t", got, atLeast)
	}
}
