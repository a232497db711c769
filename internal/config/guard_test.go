package config

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/savings"
)

// A goal that allows for more than the guard is warned of, where there is a
// guard and the goal counts. What is not stated is never warned of.
func TestGoalsBeyondTheGuardAreWarnedOf(t *testing.T) {
	t.Parallel()
	for routing, warned := range map[string]bool{
		"": false, "{}": false, "{quality_target: 1}": false, "{quality_target: 0.95}": false, "{quality_target: 0.9499}": true,
		"{quality_target: 0.85}": true, "{quality_target: 0}": true,
		"{quality_target: 0.85, strategy: learning}":            true,
		"{quality_target: 0.85, strategy: complexity}":          false,
		"{quality_target: 0.85, holdout: 0}":                    false,
		"{quality_target: 0.85, strong_share: 0.3}":             false,
		"{quality_target: 0.85, daily_budget_usd: 5}":           false,
		"{quality_target: 0.85, holdout: 0.1, strong_share: 0}": true,
	} {
		text := "models: []\n"
		if routing != "" {
			text = "routing: " + routing + "\n"
		}
		c := mustLoad(t, text)
		about := strings.Contains(strings.Join(c.Warnings, "\n"), "routing.quality_target")
		if about != warned {
			t.Errorf("%s: warnings %q", routing, c.Warnings)
		}
	}
	c := mustLoad(t, "routing: {quality_target: 0.85}\n")
	if !strings.HasPrefix(c.Warnings[0], "routing.quality_target 0.85 lets answers be worse than the baseline's by up to 15 %, and the guard allows for 2 points") ||
		100*savings.Margin != 2 {
		t.Errorf("%q", c.Warnings)
	}
}
