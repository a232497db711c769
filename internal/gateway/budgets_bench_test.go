package gateway_test

import (
	"testing"

	"github.com/busuhq/busu/internal/budget"
)

// BenchmarkBudgets is a request through the gateway, without budgets and with
// that of a key and that of its project. The difference is what budgets add.
func BenchmarkBudgets(b *testing.B) {
	for name, budgets := range map[string][]budget.Budget{
		"none": nil,
		"both": append(of("key", 1<<60), budget.Budget{Scope: budget.Project, Name: "p", Period: budget.Day, Limit: 1 << 60}),
	} {
		b.Run(name, func(b *testing.B) {
			g := newBench()
			g.Budgets = keeps(b)
			r := question()
			r.Budgets = budgets
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Complete(b.Context(), r); err != nil {
					b.Fatal(err)
				}
				g.trace.steps = g.trace.steps[:0]
			}
		})
	}
}
