package verdict_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/verdict"
)

// beside is a case of a second model's answer, changed.
func beside(change ...func(*verdict.Case)) verdict.Case {
	c := one()
	c.Answer.Strategy, c.Answer.OriginID = event.StrategyShadow, uuid.MustParse("019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11")
	c.Origin = &event.CompletionRecorded{Project: c.Answer.Project, Strategy: "learning"}
	for _, f := range change {
		f(&c)
	}
	return c
}

// A second model's answer teaches the strategy whose decision it stands beside.
func TestSecondAnswerTeachesTheStrategyOfTheFirst(t *testing.T) {
	t.Parallel()
	r := rule(beside())
	if r.State != verdict.Learned || r.Learns != "learning" {
		t.Fatalf("it is %+v", r)
	}
	if j := judgedBy(t, r); j.Model != "small" || j.Propensity != .75 || j.Prior != .6 {
		t.Errorf("the lesson is %+v", j)
	}
	if r := rule(one()); r.Learns != "hybrid" {
		t.Errorf("an answer that was asked for teaches %q", r.Learns)
	}
	for note, change := range map[string]func(*verdict.Case){
		"strategy shadow does not learn":     func(c *verdict.Case) { c.Origin, c.Feedback.At = nil, now.Add(-time.Hour) },
		"strategy complexity does not learn": func(c *verdict.Case) { c.Origin.Strategy = "complexity" },
		"strategy judge does not learn":      func(c *verdict.Case) { c.Answer.Strategy = event.StrategyJudge },
		"strategy shadow":                    func(c *verdict.Case) { c.Origin.Project = "other" },
	} {
		if r := rule(beside(change)); r.State != verdict.Kept || !strings.HasPrefix(r.Note, note) {
			t.Errorf("%s: it is %+v", note, r)
		}
	}
	c := beside(func(c *verdict.Case) { c.Origin = nil })
	if r := verdict.RuleAll([]verdict.Case{c}, now.Add(-time.Hour), now)[0]; r.State != verdict.Waiting || !r.Next.After(now) {
		t.Errorf("before the first answer is stored, it is %+v", r)
	}
}

// Nobody got what was answered in the background: nothing of it is kept, and
// what the caller got stays.
func TestBadSecondAnswerForgetsNothing(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{event.StrategyShadow, event.StrategyJudge} {
		r := rule(beside(func(c *verdict.Case) { c.Feedback.Rating, c.Answer.Strategy = 1, strategy }))
		if r.Forget != uuid.Nil {
			t.Errorf("%s: forgotten is %s", strategy, r.Forget)
		}
	}
}
