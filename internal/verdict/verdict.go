// Package verdict rules what becomes of feedback: the lesson that it teaches,
// or why it teaches none. What was decided when the request came counts, as it
// is stored, and nothing that was learned since.
package verdict

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
)

// Case is a verdict on an answer, with what is stored of that.
type Case struct {
	Feedback *event.FeedbackRecorded
	Answer   *event.CompletionRecorded // with what is judged by; nil: there is no such request so far
	Origin   *event.CompletionRecorded // beside which a second model was asked for the Answer; nil where none was, or it is not stored so far
	Taught   bool                      // a verdict on the answer has taught before

	Implicit bool   // nobody gave it
	Given    bool   // somebody gave one, of an implicit one
	Lately   *Tally // what taught its learner, of all cases of that; nil: not known
}

// State is what became of a verdict.
type State string

// The states.
const (
	Waiting State = "waiting" // for its request to be stored
	Learned State = "learned"
	Kept    State = "kept"    // it says something of the answer, and nothing of the routing
	Refused State = "refused" // it is on no request of its project
)

// Ruling is what becomes of a case.
type Ruling struct {
	State  State
	Note   string    // why it is only kept, or refused
	Next   time.Time // when one that waits is looked at again
	Lesson []byte    // encoded, of one that teaches
	Learns string    // the strategy that it teaches
	Forget uuid.UUID // the request whose cached answer must not be given again; zero: none
}

// RuleAll rules cases in order. Of several on one answer the first teaches. All
// requests that came before until are stored.
func RuleAll(cases []Case, until, now time.Time) []Ruling {
	rulings := make([]Ruling, len(cases))
	taught := map[uuid.UUID]bool{}
	for i, c := range cases {
		c.Taught = c.Taught || taught[c.Feedback.RequestID]
		rulings[i] = rule(c, until, now)
		if rulings[i].State == Learned {
			taught[c.Feedback.RequestID] = true
			c.Lately.add(c.Implicit)
		}
	}
	return rulings
}

func rule(c Case, until, now time.Time) Ruling {
	switch {
	case c.Answer == nil && c.Implicit: // it was there
		return kept("the request is not there any more")
	case c.Answer == nil && until.Before(certain(c.Feedback)):
		return Ruling{State: Waiting, Next: now.Add(patience(c.Feedback, now))}
	case c.Answer == nil:
		return Ruling{State: Refused, Note: fmt.Sprintf("there is no request %s", c.Feedback.RequestID)}
	case c.Answer.Project != c.Feedback.Project:
		return Ruling{State: Refused, Note: fmt.Sprintf("request %s is of another project", c.Feedback.RequestID)}
	}
	if c.Answer.Strategy == event.StrategyShadow && c.Origin == nil && until.Before(certain(c.Feedback)) {
		return Ruling{State: Waiting, Next: now.Add(patience(c.Feedback, now))}
	}
	r := teach(c)
	if c.Feedback.Bad() && !c.Answer.Failed() && !c.Given && !c.Answer.Background() { // what nobody got is not kept
		r.Forget = c.Answer.ID
		if c.Answer.OriginID != uuid.Nil {
			r.Forget = c.Answer.OriginID
		}
	}
	return r
}

const (
	// unheard is how long a process may take requests before its journal is
	// heard of.
	unheard = 5 * time.Second
	// skew is how far ahead the clock of whoever took the request may be.
	skew = time.Minute
)

// certain is the time of which all requests must be stored, before it is sure
// that the one that is judged will not come any more.
func certain(f *event.FeedbackRecorded) time.Time {
	at := f.At
	if asked := event.TimeOf(f.RequestID); asked.After(at) {
		at = asked
	}
	if latest := f.At.Add(skew); at.After(latest) { // an id that was made up
		at = latest
	}
	return at.Add(unheard)
}

const (
	patienceLeast = 250 * time.Millisecond
	patienceMost  = time.Minute
)

// patience is how long a verdict waits until it is looked at again: the longer,
// the older it is.
func patience(f *event.FeedbackRecorded, now time.Time) time.Duration {
	return min(max(now.Sub(f.At)/2, patienceLeast), patienceMost)
}

// Postpone is the ruling of a case that could not be dealt with now.
func Postpone(c Case, now time.Time) Ruling {
	return Ruling{State: Waiting, Next: now.Add(patience(c.Feedback, now))}
}

// Strategies that learn; see routing.
var learns = []string{"hybrid", "learning"}

// teach makes a lesson of a verdict, or says why there is none.
func teach(c Case) Ruling {
	a, strategy := c.Answer, c.Learner()
	served := slices.IndexFunc(a.Candidates, func(m event.Candidate) bool { return m.Model == a.Model })
	switch {
	case c.Taught:
		return kept("already judged")
	case c.Given:
		return kept("somebody has judged")
	case a.Failed():
		return kept("the request was not answered")
	case a.Cache != event.CacheMiss:
		return kept("the answer came from the cache")
	case !slices.Contains(learns, strategy):
		return kept("strategy " + strategy + " does not learn")
	case !slices.ContainsFunc(a.Candidates, func(m event.Candidate) bool { return m.Prior > 0 }):
		return kept("nothing was expected of the models")
	case served < 0:
		return kept("model " + a.Model + " was not among the candidates")
	case len(a.Features) == 0:
		return kept("what the strategy saw of the prompt is not there any more")
	case c.Implicit && c.Lately.full():
		return kept("too few verdicts that somebody gave to weigh it against")
	}
	j := learning.Judged{Model: a.Model, Quality: c.Feedback.Quality(), Prior: a.Candidates[served].Prior, Features: a.Features}
	if a.Model == a.PlannedModel && len(a.Fallbacks) == 0 { // else nobody chose it
		j.Propensity = a.Propensity
		if !c.Implicit && strategy == a.Strategy { // a verdict of somebody, on what was served
			j.Predicted, j.Baseline = a.Candidates[served].Quality, a.BaselineModel
		}
	}
	for _, m := range a.Candidates {
		j.Candidates = append(j.Candidates, m.Model)
	}
	lesson := learning.Lesson{Verdict: &j}.Encode()
	if _, err := learning.DecodeLesson(lesson); err != nil {
		return kept("it cannot be learned from: " + err.Error())
	}
	return Ruling{State: Learned, Lesson: lesson, Learns: strategy}
}

// Learner is the strategy that a case with an Answer can teach: of a second
// model's, the one whose decision it stands beside.
func (c Case) Learner() string {
	if c.Answer.Strategy == event.StrategyShadow && c.Origin != nil && c.Origin.Project == c.Answer.Project {
		return c.Origin.Strategy
	}
	return c.Answer.Strategy
}

func kept(note string) Ruling { return Ruling{State: Kept, Note: note} }
