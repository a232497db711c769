package event_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/event"
)

// Whatever Validate lets pass is what the schema promises, and what does not
// hold together is never published.
func TestGuardTripped(t *testing.T) {
	t.Parallel()
	s := compileSchema(t, event.TypeGuardTripped)
	rapid.Check(t, func(t *rapid.T) {
		g := event.NewGuardTripped(ids().Draw(t, "id"))
		g.Seq = rapid.Int64Range(1, 1<<53).Draw(t, "seq")
		g.Project, g.Metric, g.Days = "default", rapid.SampledFrom([]string{"good", "quality"}).Draw(t, "metric"), rapid.IntRange(1, 90).Draw(t, "days")
		g.Routed, g.Baseline = rapid.Float64Range(0, 1).Draw(t, "routed"), rapid.Float64Range(0, 1).Draw(t, "baseline")
		g.RoutedUsers, g.BaselineUsers = rapid.Int64Range(1, 1<<53).Draw(t, "users"), rapid.Int64Range(1, 1<<53).Draw(t, "others")
		g.Difference, g.Margin, g.Alpha = g.Routed-g.Baseline, 0.02, 0.025
		g.Bound = rapid.Float64Range(-1e9, -0.03).Draw(t, "bound")
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
		body, err := event.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(s, body); err != nil {
			t.Fatalf("%s\n%v", body, err)
		}
	})
	for name, spoil := range map[string]func(*event.GuardTripped){
		"no project": func(g *event.GuardTripped) { g.Project = "" },
		"no users":   func(g *event.GuardTripped) { g.BaselineUsers = 0 },
		"no harm":    func(g *event.GuardTripped) { g.Bound = -0.02 },
		"no number":  func(g *event.GuardTripped) { g.Difference = math.NaN() },
		"no share":   func(g *event.GuardTripped) { g.Routed = 1.5 },
	} {
		g := event.NewGuardTripped(ids().Example(1))
		g.Seq, g.Project, g.Metric, g.Days, g.RoutedUsers, g.BaselineUsers = 1, "p", "good", 7, 50, 40
		g.Routed, g.Baseline, g.Difference, g.Bound, g.Margin, g.Alpha = 0.8, 0.9, -0.1, -0.05, 0.02, 0.01
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
		if spoil(g); g.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
