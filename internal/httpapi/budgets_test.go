package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
)

// TestBudgetProblems: the status, when to ask again, and whose budget it is are
// said.
func TestBudgetProblems(t *testing.T) {
	t.Parallel()
	resets := time.Now().Add(5 * time.Hour)
	key := budget.Budget{Scope: budget.Key, Name: "id", Period: budget.Day, Limit: 1_000_000_000}
	project := budget.Budget{Scope: budget.Project, Name: "acme", Period: budget.Month, Limit: 2_500_000_000}
	for name, c := range map[string]struct {
		err     error
		status  int
		kind    string
		after   int
		says    string
		saysNot string
	}{
		"spent":      {&budget.ExhaustedError{Budget: key, Spent: 999_000_000, Resets: resets, RetryAfter: time.Until(resets)}, 429, "budget-exhausted", 5 * 3600, "this key for this request: 0.999 of 1 US dollars of this day are spent; it begins anew at " + resets.Format(time.RFC3339), "moment"},
		"held":       {&budget.ExhaustedError{Budget: project, Spent: 1, Resets: resets, RetryAfter: 2 * time.Second}, 429, "budget-exhausted", 2, "the project acme", "begins anew"},
		"not known":  {&budget.UnavailableError{Budget: project, RetryAfter: 1500 * time.Millisecond}, 503, "budget-unavailable", 2, "the project acme cannot be known", "spent of"},
		"no budgets": {fmt.Errorf("else"), 500, "internal", 0, "internal error", "budget"},
	} {
		p := problemOf(fmt.Errorf("wrapped: %w", c.err))
		if p.Status != c.status || p.Type != c.kind || p.retryAfter != c.after || !strings.Contains(p.Detail, c.says) || strings.Contains(p.Detail, c.saysNot) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
