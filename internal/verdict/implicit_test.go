package verdict_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/verdict"
)

// implicit is a case that nobody gave, beside so many that somebody did.
func implicit(given int, change ...func(*verdict.Case)) verdict.Case {
	c := one(change...)
	c.Implicit, c.Lately = true, &verdict.Tally{Given: given}
	c.Feedback.Rating, c.Feedback.Score = 0, new(float64)
	return c
}

func TestWhatNobodySaid(t *testing.T) {
	t.Parallel()
	r := rule(implicit(10))
	if r.State != verdict.Learned || judgedBy(t, r).Quality != 0 || r.Forget == uuid.Nil {
		t.Errorf("it is %+v", r)
	}
	for note, c := range map[string]verdict.Case{
		"too few verdicts":               implicit(9),
		"already judged":                 implicit(10, func(c *verdict.Case) { c.Taught = true }),
		"the request is not there":       implicit(10, func(c *verdict.Case) { c.Answer = nil }),
		"what the strategy saw of":       implicit(10, func(c *verdict.Case) { c.Answer.Features = nil }),
		"strategy baseline does not lea": implicit(10, func(c *verdict.Case) { c.Answer.Strategy = "baseline" }),
	} {
		if r := rule(c); r.State != verdict.Kept || !strings.HasPrefix(r.Note, note) {
			t.Errorf("%s: it is %+v", note, r)
		}
	}
	c := implicit(10)
	c.Given = true
	if r := rule(c); r.State != verdict.Kept || r.Note != "somebody has judged" || r.Forget != uuid.Nil {
		t.Errorf("against somebody's verdict it is %+v", r)
	}
	c = implicit(10)
	c.Lately = nil
	if r := rule(c); r.State != verdict.Kept {
		t.Errorf("beside nothing that is known it is %+v", r)
	}
}

// However many come at once, they stay few beside those that somebody gave, and
// those count that come with them.
func TestWhatNobodySaidStaysLittle(t *testing.T) {
	t.Parallel()
	lately := &verdict.Tally{Given: 35}
	var cases []verdict.Case
	for i := range 100 {
		c := implicit(0)
		c.Implicit = i%2 == 0
		c.Feedback.RequestID = uuid.Must(uuid.NewV7())
		c.Answer.ID, c.Lately = c.Feedback.RequestID, lately
		cases = append(cases, c)
	}
	var given, few int
	for i, r := range verdict.RuleAll(cases, now, now) {
		switch {
		case r.State != verdict.Learned:
		case cases[i].Implicit:
			few++
		default:
			given++
		}
	}
	if given != 50 || few != 8 || lately.Given != 85 || lately.Implicit != 8 {
		t.Errorf("%d given ones and %d others teach: %+v", given, few, lately)
	}
}
