package event

import (
	"fmt"

	"github.com/google/uuid"
)

// GuardTripped is the fact that routed answers are shown to be worse than the
// baseline's by more than the margin: the baseline answers most of the project's
// users from now on.
type GuardTripped struct {
	Header

	Project       string  `json:"project"`
	Metric        string  `json:"metric"` // good or quality
	Days          int     `json:"days"`   // that it looked back
	Routed        float64 `json:"routed"`
	Baseline      float64 `json:"baseline"` // of the hold-out
	RoutedUsers   int64   `json:"routed_users"`
	BaselineUsers int64   `json:"baseline_users"`
	Difference    float64 `json:"difference"` // routed − baseline
	Bound         float64 `json:"bound"`      // of the difference, from above
	Margin        float64 `json:"margin"`
	Alpha         float64 `json:"alpha"` // of the bound
}

// NewGuardTripped begins the fact with an id that was made for it.
func NewGuardTripped(id uuid.UUID) *GuardTripped {
	return &GuardTripped{Header: Header{V: Version, Type: TypeGuardTripped, ID: id, At: TimeOf(id), Journal: WorkerJournal}}
}

// Stream is Decisions.
func (g *GuardTripped) Stream() Stream { return Decisions }

// Key is the project.
func (g *GuardTripped) Key() string { return g.Project }

// Validate says whether the fact is whole.
func (g *GuardTripped) Validate() error {
	if err := g.validate(TypeGuardTripped); err != nil {
		return err
	}
	if g.Project == "" || g.Metric == "" || g.Days < 1 || g.RoutedUsers < 1 || g.BaselineUsers < 1 {
		return fmt.Errorf("project %q, metric %q, %d days, %d and %d users: missing or out of range", g.Project, g.Metric, g.Days, g.RoutedUsers, g.BaselineUsers)
	}
	for _, share := range []float64{g.Routed, g.Baseline, g.Margin, g.Alpha} {
		if !isShare(share) {
			return fmt.Errorf("%g is no share, 0 to 1", share)
		}
	}
	if !(g.Difference >= -1 && g.Difference <= 1) || !(g.Bound < -g.Margin) {
		return fmt.Errorf("difference %g or bound %g is out of range: the bound must lie below the margin of −%g", g.Difference, g.Bound, g.Margin)
	}
	return storable(g.Journal, g.Project, g.Metric)
}
