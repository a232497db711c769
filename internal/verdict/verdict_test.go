package verdict_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/verdict"
)

var now = time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)

// one is a case that teaches, changed.
func one(change ...func(*verdict.Case)) verdict.Case {
	r := rand.New(rand.NewPCG(1, 2))
	a := event.NewCompletion(eventtest.ID(r, now.Add(-time.Minute)))
	a.Project, a.Strategy, a.Status, a.Cache = event.DefaultProject, "hybrid", event.StatusOK, event.CacheMiss
	a.PlannedModel, a.Model, a.Propensity = "small", "small", .75
	a.Candidates = []event.Candidate{{Model: "small", Quality: .65, Prior: .6, Probability: .75}, {Model: "large", Quality: .95, Prior: .9, Probability: .25}}
	a.BaselineModel = "large"
	a.Features = []byte("what was seen")
	f := event.NewFeedback(eventtest.ID(r, now.Add(-time.Second)))
	f.Project, f.RequestID, f.Rating = event.DefaultProject, a.ID, 4
	c := verdict.Case{Feedback: f, Answer: a}
	for _, f := range change {
		f(&c)
	}
	return c
}

func rule(c verdict.Case) verdict.Ruling { return verdict.RuleAll([]verdict.Case{c}, now, now)[0] }

func judgedBy(t *testing.T, r verdict.Ruling) learning.Judged {
	t.Helper()
	l, err := learning.DecodeLesson(r.Lesson)
	if err != nil || l.Verdict == nil {
		t.Fatalf("the lesson of %+v cannot be read: %v", r, err)
	}
	return *l.Verdict
}

// A lesson says what was decided, and what was said of it.
func TestFirstVerdictTeaches(t *testing.T) {
	t.Parallel()
	score := .3
	want := learning.Judged{Model: "small", Quality: .75, Prior: .6, Propensity: .75, Candidates: []string{"small", "large"},
		Predicted: .65, Baseline: "large", Features: []byte("what was seen")}
	for name, c := range map[string]struct {
		change func(*verdict.Case)
		want   func(*learning.Judged)
	}{
		"as planned": {func(*verdict.Case) {}, func(*learning.Judged) {}},
		"learning":   {func(c *verdict.Case) { c.Answer.Strategy = "learning" }, func(*learning.Judged) {}},
		"a score":    {func(c *verdict.Case) { c.Feedback.Score = &score }, func(j *learning.Judged) { j.Quality = .3 }},
		"cut off":    {func(c *verdict.Case) { c.Answer.Status = event.StatusCutOff }, func(*learning.Judged) {}},
		"a fallback": {func(c *verdict.Case) { c.Answer.Model, c.Answer.Fallbacks = "large", []string{"small"} },
			func(j *learning.Judged) {
				j.Model, j.Prior, j.Propensity, j.Predicted, j.Baseline = "large", .9, 0, 0, ""
			}},
		"planned, after others failed": {func(c *verdict.Case) { c.Answer.Fallbacks = []string{"small"} },
			func(j *learning.Judged) { j.Propensity, j.Predicted, j.Baseline = 0, 0, "" }},
		"nothing expected of the one": {func(c *verdict.Case) { c.Answer.Candidates[0].Prior = 0 }, func(j *learning.Judged) { j.Prior = 0 }},
	} {
		r := rule(one(c.change))
		if r.State != verdict.Learned || r.Note != "" {
			t.Errorf("%s: %s, %s", name, r.State, r.Note)
			continue
		}
		expected := want
		c.want(&expected)
		if got := judgedBy(t, r); !reflect.DeepEqual(got, expected) {
			t.Errorf("%s: the lesson is %+v, not %+v", name, got, expected)
		}
	}
}

func TestWhatTeachesNothing(t *testing.T) {
	t.Parallel()
	for note, change := range map[string]func(*verdict.Case){
		"already judged":                func(c *verdict.Case) { c.Taught = true },
		"the answer came from":          func(c *verdict.Case) { c.Answer.Cache = event.CacheRedis },
		"the request was not answered":  func(c *verdict.Case) { c.Answer.Status = event.StatusError },
		"strategy model does not learn": func(c *verdict.Case) { c.Answer.Strategy = "model" },
		"strategy baseline":             func(c *verdict.Case) { c.Answer.Strategy = "baseline" },
		"nothing was expected": func(c *verdict.Case) {
			for i := range c.Answer.Candidates {
				c.Answer.Candidates[i].Prior = 0
			}
		},
		"model other was not among":    func(c *verdict.Case) { c.Answer.Model = "other" },
		"what the strategy saw":        func(c *verdict.Case) { c.Answer.Features = nil },
		"it cannot be learned from: l": func(c *verdict.Case) { c.Answer.Features = make([]byte, 1<<20) },
	} {
		r := rule(one(change))
		if r.State != verdict.Kept || !strings.HasPrefix(r.Note, note) || r.Lesson != nil {
			t.Errorf("%s: it is %+v", note, r)
		}
	}
	for i := range one().Answer.Candidates {
		if r := rule(one(func(c *verdict.Case) { c.Answer.Candidates[i].Model = strings.Repeat("x", 300) })); r.State != verdict.Kept {
			t.Errorf("a name that is too long: it is %+v", r)
		}
	}
}

// Who may judge: the project of the request.
func TestForeignAndUnknownRequests(t *testing.T) {
	t.Parallel()
	foreign := rule(one(func(c *verdict.Case) { c.Answer.Project = "other"; c.Feedback.Rating = 1 }))
	if foreign.State != verdict.Refused || !strings.Contains(foreign.Note, "of another project") || foreign.Forget != uuid.Nil || foreign.Lesson != nil {
		t.Errorf("feedback on a foreign request: %+v", foreign)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for name, c := range map[string]struct {
		asked, said, until time.Duration // before now
		want               verdict.State
	}{
		"all is stored":                   {time.Hour, 10 * time.Second, 5 * time.Second, verdict.Refused},
		"a process may not be heard of":   {time.Hour, 10 * time.Second, 5*time.Second + time.Millisecond, verdict.Waiting},
		"a journal is far behind":         {time.Hour, 10 * time.Minute, 10*time.Minute - 4*time.Second, verdict.Waiting},
		"its clock is ahead":              {-30 * time.Second, 10 * time.Second, 5 * time.Second, verdict.Waiting},
		"its clock was ahead":             {10 * time.Second, 40 * time.Second, 5 * time.Second, verdict.Refused},
		"an id of the future":             {-1e6 * time.Hour, 70 * time.Second, 5 * time.Second, verdict.Refused},
		"an id of the future, said now":   {-1e6 * time.Hour, time.Second, 0, verdict.Waiting},
		"an id of the past":               {4e5 * time.Hour, 10 * time.Second, 5 * time.Second, verdict.Refused},
		"nobody knows what has been":      {time.Hour, 10 * time.Second, 1e6 * time.Hour, verdict.Waiting},
		"said before it was asked, as if": {9 * time.Second, 10 * time.Second, 5 * time.Second, verdict.Waiting},
	} {
		f := event.NewFeedback(eventtest.ID(r, now.Add(-c.said)))
		f.Project, f.RequestID, f.Rating = event.DefaultProject, eventtest.ID(r, now.Add(-c.asked)), 1
		got := verdict.RuleAll([]verdict.Case{{Feedback: f}}, now.Add(-c.until), now)[0]
		if got.State != c.want || got.Forget != uuid.Nil {
			t.Errorf("%s: it is %+v", name, got)
		}
		if wait := got.Next.Sub(now); c.want == verdict.Waiting && (wait < 250*time.Millisecond || wait > time.Minute) {
			t.Errorf("%s: it waits %s", name, wait)
		}
	}
}

// What is bad must not be given again, whoever got it first; nothing else goes.
func TestBadAnswersAreForgotten(t *testing.T) {
	t.Parallel()
	origin := uuid.MustParse("019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11")
	bad := func(c *verdict.Case) { c.Feedback.Rating = 2 }
	hit := func(c *verdict.Case) { c.Answer.Cache, c.Answer.OriginID = event.CacheMemory, origin }
	own := one().Answer.ID
	for name, c := range map[string]struct {
		change []func(*verdict.Case)
		want   uuid.UUID
	}{
		"good":          {nil, uuid.Nil},
		"good, hit":     {[]func(*verdict.Case){hit}, uuid.Nil},
		"bad":           {[]func(*verdict.Case){bad}, own},
		"bad again":     {[]func(*verdict.Case){bad, func(c *verdict.Case) { c.Taught = true }}, own},
		"bad, hit":      {[]func(*verdict.Case){bad, hit}, origin},
		"bad, explicit": {[]func(*verdict.Case){bad, func(c *verdict.Case) { c.Answer.Strategy = "model" }}, own},
		"bad, failed":   {[]func(*verdict.Case){bad, func(c *verdict.Case) { c.Answer.Status = event.StatusError }}, uuid.Nil},
	} {
		if got := rule(one(c.change...)); got.Forget != c.want {
			t.Errorf("%s: forgotten is %s, not %s", name, got.Forget, c.want)
		}
	}
}

// Ten thousand on one answer teach once, whatever they say.
func TestManyVerdictsTeachOnce(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	first := one()
	cases := []verdict.Case{first}
	for range 10_000 {
		f := eventtest.Feedback(r, now, first.Answer.ID)
		cases = append(cases, verdict.Case{Feedback: f, Answer: first.Answer})
	}
	count := map[string]int{}
	rulings := verdict.RuleAll(cases, now, now)
	for _, r := range rulings {
		count[fmt.Sprintf("%s %s", r.State, r.Note)]++
	}
	if want := map[string]int{"learned ": 1, "kept already judged": 10_000}; !reflect.DeepEqual(count, want) || rulings[0].State != verdict.Learned {
		t.Errorf("they are %v", count)
	}
}

// One that could not be dealt with comes again, later and later.
func TestPostponed(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]time.Duration{
		-time.Hour: 250 * time.Millisecond, 0: 250 * time.Millisecond, 10 * time.Second: 5 * time.Second, 24 * time.Hour: time.Minute,
	} {
		c := one(func(c *verdict.Case) { c.Feedback.At = now.Add(-age) })
		if r := verdict.Postpone(c, now); r.State != verdict.Waiting || r.Next.Sub(now) != want {
			t.Errorf("at the age of %s: %+v", age, r)
		}
	}
}
