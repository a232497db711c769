package learning

import (
	"fmt"
	"math"
	"time"

	"github.com/busuhq/busu/internal/prompt"
)

// Lesson is one step of learning with all that it takes, as it is stored: a
// verdict, or decisions that move the price. The same lessons in the same
// order give the same model.
type Lesson struct {
	Verdict   *Judged // nil: Decisions
	Decisions *Decisions
}

// Judged is a verdict on an answer, joined to the decision as it was made. It
// is a Verdict before its prompt has become a Vector.
type Judged struct {
	Model      string // that answered
	Quality    float64
	Prior      float64
	Propensity float64
	Candidates []string
	Predicted  float64
	Baseline   string
	Features   []byte // of the prompt, as prompt.Append encodes them
}

// Decisions are some of the decisions of a stretch of time, for the price. The
// goal is with them, so that another one tomorrow does not change today.
type Decisions struct {
	Goal    Goal
	Decided []Decided
}

const (
	lessonMagic  = "L1"
	lessonJudged = 1
	lessonPrice  = 2

	maxCandidates = 1 << 10
	maxDecided    = 1 << 16
	maxFeatures   = 1 << 14 // bytes
)

// Blank is a lesson that teaches nothing. It takes the place of one that has to
// be forgotten: numbers of lessons have no holes.
func Blank() Lesson { return Lesson{Decisions: new(Decisions)} }

// Encode gives the lesson's bytes.
func (l Lesson) Encode() []byte {
	w := writer{b: []byte(lessonMagic)}
	if l.Verdict != nil {
		w.count(lessonJudged)
		w.judged(l.Verdict)
	} else {
		w.count(lessonPrice)
		w.decisions(l.Decisions)
	}
	return w.sealed()
}

// DecodeLesson reads what Encode wrote. Anything else is ErrCorrupt.
func DecodeLesson(b []byte) (l Lesson, err error) {
	r, err := opened(b, lessonMagic)
	if err != nil {
		return Lesson{}, fmt.Errorf("lesson: %w", err)
	}
	switch kind := r.count(lessonPrice); kind {
	case lessonJudged:
		l.Verdict = r.judged()
	case lessonPrice:
		l.Decisions = r.decisions()
	default:
		r.failf("%d is no kind of lesson", kind)
	}
	if err := r.done(); err != nil {
		return Lesson{}, fmt.Errorf("lesson: %w", err)
	}
	return l, nil
}

func (w *writer) judged(j *Judged) {
	w.text(j.Model)
	w.double(j.Quality)
	w.double(j.Prior)
	w.double(j.Propensity)
	w.count(uint64(len(j.Candidates)))
	for _, c := range j.Candidates {
		w.text(c)
	}
	w.double(j.Predicted)
	w.text(j.Baseline)
	w.text(string(j.Features))
}

func (r *reader) judged() *Judged {
	j := &Judged{Model: r.text(maxName), Quality: r.double(0, 1), Prior: r.double(0, 1), Propensity: r.double(0, 1)}
	for range r.count(maxCandidates) {
		j.Candidates = append(j.Candidates, r.text(maxName))
	}
	j.Predicted, j.Baseline = r.double(0, 1), r.text(maxName)
	j.Features = []byte(r.text(maxFeatures))
	return j
}

func (w *writer) decisions(d *Decisions) {
	w.double(d.Goal.Quality)
	w.count(uint64(max(0, d.Goal.BudgetNanos)))
	w.double(d.Goal.StrongShare)
	w.count(uint64(len(d.Decided)))
	for _, one := range d.Decided {
		w.count(uint64(max(0, one.At.UnixMilli())))
		for _, x := range []float64{one.Turning, one.Strong, one.CostUSD, one.Quality, one.Baseline} {
			w.double(x)
		}
	}
}

func (r *reader) decisions() *Decisions {
	d := &Decisions{Goal: Goal{Quality: r.double(0, 1), BudgetNanos: int64(r.count(math.MaxInt64)), StrongShare: r.double(0, 1)}}
	for range r.count(maxDecided) {
		one := Decided{At: time.UnixMilli(int64(r.count(math.MaxInt64))).UTC()}
		for _, x := range []*float64{&one.Turning, &one.Strong, &one.CostUSD, &one.Quality, &one.Baseline} {
			*x = r.double(-unbounded, unbounded)
		}
		if r.err != nil {
			break
		}
		d.Decided = append(d.Decided, one)
	}
	return d
}

// Apply learns a lesson. Prompts are read by scale. One that is refused
// changes nothing.
func (m *Model) Apply(l Lesson, scale *Scale) error {
	if l.Verdict == nil {
		for _, d := range l.Decisions.Decided {
			m.Controller.Observe(l.Decisions.Goal, m.off.correct(d))
		}
		return nil
	}
	f, words, err := prompt.Decode(l.Verdict.Features)
	if err != nil {
		return fmt.Errorf("lesson: %w", err)
	}
	var v Vector
	scale.Vector(&v, &f, words)
	return m.Learn(Verdict{Vector: &v, Model: l.Verdict.Model, Quality: l.Verdict.Quality, Prior: l.Verdict.Prior,
		Candidates: l.Verdict.Candidates, Propensity: l.Verdict.Propensity, Predicted: l.Verdict.Predicted, Baseline: l.Verdict.Baseline})
}
