package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/product"
)

// models are as many as a large installation has, all of them answering at once.
func models() string {
	var text strings.Builder
	text.WriteString("providers: [{name: simulated, kind: simulated, speed: 0}]\nmodels:\n")
	for i := range 12 {
		tier := []string{"simple", "moderate", "complex"}[i%3]
		fmt.Fprintf(&text, "  - {id: model-%02d, provider: simulated, upstream: %s, tier: %s, input_usd_per_mtok: %d.%d, output_usd_per_mtok: %d.%d}\n",
			i, []string{"small", "medium", "large"}[i%3], tier, i%3, i+1, i%3*4, i+1)
	}
	return text.String()
}

// usage is the processor time of busu and its stores.
func usage(p *product.Process) time.Duration { return measure.FamilyUsage(p.PID(), measure.Children()) }
