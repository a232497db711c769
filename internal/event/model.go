package event

import (
	"fmt"

	"github.com/google/uuid"
)

// WorkerJournal numbers what the worker publishes on Decisions.
const WorkerJournal = "worker"

// ModelPublished is the fact that what was learned has a new snapshot, which
// every gateway goes over to.
type ModelPublished struct {
	Header

	Project      string  `json:"project"`
	Strategy     string  `json:"strategy"` // that learned
	Snapshot     int64   `json:"snapshot"`
	Verdicts     int64   `json:"verdicts"`                 // it has learned from, in all
	Weight       float64 `json:"weight"`                   // of what was learned beside what was known before, 0 … 1
	Lambda       float64 `json:"lambda"`                   // quality that a dollar must buy
	RolledBackTo int64   `json:"rolled_back_to,omitempty"` // the snapshot that an operator went back to
}

// NewModelPublished begins the fact with an id that was made for it.
func NewModelPublished(id uuid.UUID) *ModelPublished {
	return &ModelPublished{Header: Header{V: Version, Type: TypeModelPublished, ID: id, At: TimeOf(id), Journal: WorkerJournal}}
}

// Stream is Decisions.
func (m *ModelPublished) Stream() Stream { return Decisions }

// Key is the project.
func (m *ModelPublished) Key() string { return m.Project }

// Validate says whether the fact is whole.
func (m *ModelPublished) Validate() error {
	if err := m.validate(TypeModelPublished); err != nil {
		return err
	}
	if m.Project == "" || m.Strategy == "" || m.Snapshot < 1 || m.Verdicts < 0 || m.RolledBackTo < 0 {
		return fmt.Errorf("project %q, strategy %q, snapshot %d, verdicts %d: missing or out of range", m.Project, m.Strategy, m.Snapshot, m.Verdicts)
	}
	if !isShare(m.Weight) || !(m.Lambda >= 0) {
		return fmt.Errorf("weight %g or lambda %g is out of range", m.Weight, m.Lambda)
	}
	return storable(m.Journal, m.Project, m.Strategy)
}
