package learning

import (
	"errors"
	"fmt"
	"time"
)

// Snapshot is what was learned up to a lesson, as it is stored and published.
// Its numbers grow per project and strategy.
type Snapshot struct {
	Project, Strategy string
	Number            int64
	At                time.Time
	Lesson            int64 // the last one that is in it
	Verdicts          int64 // that it has learned from
	Weight            float64
	Lambda            float64
	RolledBackTo      int64 // the one that an operator went back to; 0: learning made it
	Base              int64 // the snapshot of Everyone that it is learned on top of; 0: none
	ModelOf           int64 // the snapshot whose model this one has, at another price
	Controller        []byte
	Model             []byte // of ModelOf
}

// ErrNoSnapshot says that a learner has no snapshot of a number, or not any
// more: old ones go.
var ErrNoSnapshot = errors.New("there is no such snapshot, or not any more")

// Take makes a snapshot of a model that has applied the lessons up to one.
func Take(m *Model, project, strategy string, number, lesson int64) Snapshot {
	return Snapshot{Project: project, Strategy: strategy, Number: number, Lesson: lesson,
		Verdicts: int64(m.Applied()), Weight: m.Weight(), Lambda: m.Controller.Lambda,
		ModelOf: number, Controller: m.Controller.Encode(), Model: m.Encode()}
}

// Restore reads the snapshot's model, on top of that of its base. Anything that
// is not whole is ErrCorrupt.
func (s Snapshot) Restore(base *Model) (*Model, error) {
	m, err := Decode(s.Model, base)
	if err != nil {
		return nil, fmt.Errorf("%s of project %s, snapshot %d: %w", s.Strategy, s.Project, s.ModelOf, err)
	}
	return s.Reprice(m)
}

// Reprice is the snapshot's model where it is known already.
func (s Snapshot) Reprice(m *Model) (*Model, error) {
	c, err := DecodeController(s.Controller)
	if err != nil {
		return nil, fmt.Errorf("%s of project %s, snapshot %d: %w", s.Strategy, s.Project, s.Number, err)
	}
	return m.At(c), nil
}

// Learner is whose snapshots are numbered together.
type Learner struct{ Project, Strategy string }

// Everyone is the project of what all projects taught: what those begin with
// that come later.
const Everyone = "*"

// Learner is whose snapshot it is.
func (s Snapshot) Learner() Learner { return Learner{s.Project, s.Strategy} }

// Numbered is a stored lesson, encoded, of one learner.
type Numbered struct {
	N                 int64
	Project, Strategy string
	Lesson            []byte
}

// Learner is whose lesson it is.
func (n Numbered) Learner() Learner { return Learner{n.Project, n.Strategy} }
