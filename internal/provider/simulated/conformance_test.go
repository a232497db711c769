package simulated

import (
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, model := range Models() {
		providertest.Run(t, providertest.Vendor{
			Name:  model,
			Model: model,
			New:   func(*testing.T, string, string) llm.Provider { return New(Options{Name: model}) },
			Slow:  func(*testing.T) llm.Provider { return New(Options{Name: model, Speed: 1e-6}) },
		})
	}
}
