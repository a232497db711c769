package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/learning"
)

// Lessons are what is learned from, in order.
type Lessons interface {
	// Lessons gives up to most of those behind a number.
	Lessons(ctx context.Context, after int64, most int) ([]learning.Numbered, error)
	// AppendLessons numbers lessons behind all others.
	AppendLessons(ctx context.Context, lessons []learning.Numbered) error
}

// Snapshots are what was learned.
type Snapshots interface {
	// Latest are the newest ones of all learners, without their models.
	Latest(ctx context.Context) ([]learning.Snapshot, error)
	Model(ctx context.Context, l learning.Learner, number int64) ([]byte, error)
	// Publish stores snapshots and tells all of them, or fails.
	Publish(ctx context.Context, snapshots []learning.Snapshot) error
	// PruneSnapshots removes those that nobody goes back to.
	PruneSnapshots(ctx context.Context, newest int) (int64, error)
}

// Lease is what one process at a time has.
type Lease interface {
	Hold(ctx context.Context, name, owner string, lasts time.Duration) (bool, error)
}

// Learner applies lessons in their order and publishes what was learned. Of
// several processes one learns; another goes on where it stopped, from the
// last snapshots and the lessons behind them, and comes to the same.
type Learner struct {
	Lessons   Lessons
	Snapshots Snapshots
	Lease     Lease
	Owner     string // a name that no other process has
	Prior     *learning.Prior
	Start     map[string]float64 // the price that each strategy begins with
	Decisions Decisions
	Goal      learning.Goal // of the price
	Log       *slog.Logger

	pupils   map[learning.Learner]*pupil // nil: to be loaded
	position int64                       // the last lesson that all pupils have had
	priced   time.Time                   // up to which decisions have moved the price
	stats    LearnerStats
}

// LearnerStats count what a learner has done. They are safe to read at any
// time.
type LearnerStats struct {
	Applied   atomic.Int64 // lessons
	Refused   atomic.Int64 // lessons that could not be applied
	Published atomic.Int64 // snapshots
}

// Stats gives the counters.
func (l *Learner) Stats() *LearnerStats { return &l.stats }

// pupil is one learner's model between two snapshots.
type pupil struct {
	model     *learning.Model // ours alone, but for its base
	last      learning.Snapshot
	taught    bool // of a verdict, since the last snapshot
	priced    bool // of decisions, since the last snapshot
	published time.Time
}

const (
	learnerLease   = "learner"
	leaseLasts     = 10 * time.Second
	learnEvery     = 250 * time.Millisecond
	learnWithin    = 30 * time.Second
	lessonsAtOnce  = 2000
	publishEvery   = 2 * time.Second // at most, per learner
	priceMoves     = 0.01            // of the price: less is told later
	publishLate    = time.Minute     // which is this
	keepSnapshots  = 20
	pruneSnapshots = 100 // publications between two prunings
)

// Run learns until ctx ends. PostgreSQL being away only makes it wait.
func (l *Learner) Run(ctx context.Context) error {
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	for {
		if err := l.step(ctx); err != nil && ctx.Err() == nil {
			l.Log.Debug("learning has to wait", "err", err)
			l.pupils = nil // what is stored is the truth
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (l *Learner) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, learnWithin)
	defer cancel()
	held, err := l.Lease.Hold(ctx, learnerLease, l.Owner, leaseLasts)
	if err != nil || !held {
		l.pupils = nil
		return err
	}
	if err := l.load(ctx); err != nil {
		return err
	}
	if err := l.price(ctx, time.Now()); err != nil {
		return err
	}
	for {
		lessons, err := l.Lessons.Lessons(ctx, l.position, lessonsAtOnce)
		if err != nil {
			return err
		}
		for _, lesson := range lessons {
			if err := l.enrol(ctx, lesson); err != nil {
				return err
			}
			l.apply(lesson)
		}
		if len(lessons) < lessonsAtOnce {
			break
		}
	}
	return l.publish(ctx, time.Now(), false)
}

// load takes up the last snapshots, unless they are our own: after a start, or
// when an operator went back to an older one.
func (l *Learner) load(ctx context.Context) error {
	latest, err := l.Snapshots.Latest(ctx)
	if err != nil || l.upToDate(latest) {
		return err
	}
	pupils, position := map[learning.Learner]*pupil{}, int64(0)
	for _, s := range latest {
		model, err := l.restore(ctx, s)
		if err != nil {
			return err
		}
		pupils[s.Learner()] = &pupil{model: model.Clone(), last: s}
		if s.RolledBackTo == 0 {
			position = max(position, s.Lesson)
		}
	}
	l.pupils, l.position = pupils, position
	return nil
}

// restore reads a snapshot with its base.
func (l *Learner) restore(ctx context.Context, s learning.Snapshot) (m *learning.Model, err error) {
	base, err := l.base(ctx, s)
	if err != nil {
		return nil, err
	}
	if s.Model, err = l.Snapshots.Model(ctx, s.Learner(), s.ModelOf); err != nil {
		return nil, err
	}
	m, err = s.Restore(base)
	if errors.Is(err, learning.ErrCorrupt) {
		l.Log.Error("a snapshot is damaged or of another release: it is learned anew from the lessons that are kept", "project", s.Project, "strategy", s.Strategy, "snapshot", s.Number, "err", err)
		return l.relearn(ctx, s.Learner(), base, s.Lesson)
	}
	return m, err
}

// base is what a snapshot was learned on top of. A damaged one counts as none.
func (l *Learner) base(ctx context.Context, s learning.Snapshot) (*learning.Model, error) {
	if s.Base == 0 {
		return nil, nil
	}
	bytes, err := l.Snapshots.Model(ctx, learning.Learner{Project: learning.Everyone, Strategy: s.Strategy}, s.Base)
	if err != nil {
		return nil, err
	}
	base, err := learning.Decode(bytes, nil)
	if errors.Is(err, learning.ErrCorrupt) {
		return nil, nil // the snapshot does not fit any more, and is learned anew
	}
	return base, err
}

// relearn makes a learner's model from the lessons that are kept, up to one.
func (l *Learner) relearn(ctx context.Context, who learning.Learner, base *learning.Model, last int64) (*learning.Model, error) {
	model := l.fresh(who.Strategy, base)
	for after := int64(0); ; {
		lessons, err := l.Lessons.Lessons(ctx, after, lessonsAtOnce)
		if err != nil {
			return nil, err
		}
		for _, n := range lessons {
			if after = n.N; n.N > last {
				return model, nil
			}
			if lesson, err := learning.DecodeLesson(n.Lesson); err == nil && teaches(n, lesson, who) {
				_ = model.Apply(lesson, &l.Prior.Scale) // what is refused is refused again
			}
		}
		if len(lessons) < lessonsAtOnce {
			return model, nil
		}
	}
}

func (l *Learner) upToDate(latest []learning.Snapshot) bool {
	if l.pupils == nil {
		return false
	}
	for _, s := range latest {
		if p := l.pupils[s.Learner()]; p == nil || p.last.Number != s.Number {
			return false
		}
	}
	return true
}

// teaches reports whether a lesson is one of a learner's. All verdicts are
// Everyone's, who decide nothing and so have no price.
func teaches(n learning.Numbered, lesson learning.Lesson, who learning.Learner) bool {
	return n.Learner() == who || who.Project == learning.Everyone && n.Strategy == who.Strategy && lesson.Verdict != nil
}

func (l *Learner) fresh(strategy string, base *learning.Model) *learning.Model {
	m := learning.New(base, learning.Assumed())
	m.Controller.Lambda = l.Start[strategy]
	return m
}

// enrol makes a learner with its first lesson. The first project begins with
// the prior; those that come later begin with what all before have taught,
// which is published first, so that it can be found again.
func (l *Learner) enrol(ctx context.Context, n learning.Numbered) error {
	who := n.Learner()
	if l.pupils[who] != nil {
		return nil
	}
	p := &pupil{last: learning.Snapshot{Project: who.Project, Strategy: who.Strategy}}
	all := learning.Learner{Project: learning.Everyone, Strategy: who.Strategy}
	if l.pupils[all] == nil && l.hasOthers(who) {
		model, err := l.relearn(ctx, all, nil, l.position)
		if err != nil {
			return err
		}
		l.pupils[all] = &pupil{model: model, taught: true, last: learning.Snapshot{Project: all.Project, Strategy: all.Strategy}}
	}
	if everyone := l.pupils[all]; everyone != nil {
		if err := l.publish(ctx, time.Now(), true); err != nil {
			return err
		}
		p.model, p.last.Base = l.fresh(who.Strategy, everyone.model.Clone()), everyone.last.Number
	} else {
		p.model = l.fresh(who.Strategy, nil)
	}
	l.pupils[who] = p
	return nil
}

func (l *Learner) hasOthers(who learning.Learner) bool {
	for other := range l.pupils {
		if other.Strategy == who.Strategy {
			return true
		}
	}
	return false
}

// apply lets those have a lesson whom it is for. One that is refused is passed
// over, by every process alike.
func (l *Learner) apply(n learning.Numbered) {
	l.position = n.N
	lesson, err := learning.DecodeLesson(n.Lesson)
	for _, project := range []string{n.Project, learning.Everyone} {
		p := l.pupils[learning.Learner{Project: project, Strategy: n.Strategy}]
		if p == nil || n.N <= p.last.Lesson || err == nil && !teaches(n, lesson, p.last.Learner()) {
			continue // what going back has left out, or is not for all
		}
		if err == nil {
			err = p.model.Apply(lesson, &l.Prior.Scale)
		}
		if err != nil {
			l.stats.Refused.Add(1)
			l.Log.Warn("a lesson cannot be applied and is passed over", "lesson", n.N, "project", n.Project, "strategy", n.Strategy, "err", err)
			return
		}
		p.taught, p.priced = p.taught || lesson.Verdict != nil, p.priced || lesson.Verdict == nil
	}
	l.stats.Applied.Add(1)
}

// publish publishes when a learner has something to tell: then all that had a
// lesson, so that behind the greatest lesson of any snapshot nothing was learned
// that no snapshot holds. tell says that it is time anyway.
func (l *Learner) publish(ctx context.Context, now time.Time, tell bool) error {
	for _, p := range l.pupils {
		tell = tell || p.tells(now)
	}
	var due []learning.Snapshot
	for _, p := range l.pupils {
		if !tell || !p.taught && !p.priced && p.last.Number > 0 {
			continue
		}
		s, err := p.next(l.position)
		if err != nil {
			return err
		}
		due = append(due, s)
	}
	if len(due) == 0 {
		return nil
	}
	if err := l.Snapshots.Publish(ctx, due); err != nil {
		return err
	}
	for _, s := range due {
		p := l.pupils[s.Learner()]
		s.Model = nil
		p.last, p.taught, p.priced, p.published = s, false, false, now
	}
	if before := l.stats.Published.Add(int64(len(due))); before/pruneSnapshots != (before-int64(len(due)))/pruneSnapshots {
		if _, err := l.Snapshots.PruneSnapshots(ctx, keepSnapshots); err != nil {
			return err
		}
	}
	return nil
}

// tells reports whether the pupil has something that should not wait.
func (p *pupil) tells(now time.Time) bool {
	moved := math.Abs(p.model.Controller.Lambda-p.last.Lambda) > priceMoves*p.last.Lambda
	switch since := now.Sub(p.published); {
	case p.last.Number == 0:
		return true
	case since < publishEvery:
		return false
	default:
		return p.taught || p.priced && (moved || since > publishLate)
	}
}

// next is the pupil's next snapshot. One that could not be read again is an
// error, and never published.
func (p *pupil) next(lesson int64) (learning.Snapshot, error) {
	s := learning.Take(p.model, p.last.Project, p.last.Strategy, p.last.Number+1, lesson)
	s.Base = p.last.Base
	if !p.taught && p.last.Number > 0 {
		s.ModelOf, s.Model = p.last.ModelOf, nil
		return s, nil
	}
	if _, err := s.Restore(p.model.Base()); err != nil {
		return s, fmt.Errorf("what was learned is not fit to be published: %w", err)
	}
	return s, nil
}
