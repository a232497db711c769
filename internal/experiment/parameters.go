package experiment

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/busuhq/busu/internal/document"
)

// Parameters are those of an arm's strategy; what is zero is as without it.
type Parameters struct {
	// Goals of strategies that learn, in place of the configured one.
	QualityTarget float64 // share of the baseline's predicted quality to keep, 0 … 1
	StrongShare   float64 // share of requests for the baseline model, 0 … 1
	Steady        bool    // nothing is tried out

	// As if each request asked for it.
	MinQuality float64  // that is to be predicted of the answer, 0 … 1
	MaxCostUSD float64  // that an answer may cost, at the worst
	Models     []string // that may answer
}

// Read gives the arm's parameters, which are valid in a record that is.
func (a Arm) Read() Parameters {
	var p Parameters
	p.read(new(document.Faults), a.Parameters, Known{}, func(name string) string { return name })
	return p
}

// mostModels bounds a list of models.
const mostModels = 100

func (p *Parameters) read(f *document.Faults, given map[string]json.RawMessage, k Known, field func(string) string) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		part := func(to *float64, least, most float64, what string) {
			if json.Unmarshal(value, to) != nil || !(*to > least && *to <= most) || string(value) == "null" {
				f.Add(document.CodeValue, field(name), "must be %s", what)
			}
		}
		switch name {
		case "quality_target":
			part(&p.QualityTarget, 0, 1, "a number above 0 and up to 1: the share of the baseline's quality to keep")
		case "strong_share":
			part(&p.StrongShare, 0, 1, "a number above 0 and up to 1: the share of requests for the baseline model")
		case "min_quality":
			part(&p.MinQuality, 0, 1, "a number above 0 and up to 1: what is to be predicted of an answer")
		case "max_cost_usd":
			part(&p.MaxCostUSD, 0, 1e6, "a number of dollars above 0: what an answer may cost at the worst")
		case "explore":
			var explore bool
			if json.Unmarshal(value, &explore) != nil || string(value) == "null" {
				f.Add(document.CodeType, field(name), "must be true or false: whether models are tried out")
			}
			p.Steady = !explore
		case "models":
			if json.Unmarshal(value, &p.Models) != nil || len(p.Models) == 0 || len(p.Models) > mostModels {
				f.Add(document.CodeType, field(name), "must be a list of 1 to %d models", mostModels)
			}
			for _, m := range p.Models {
				if k.Models != nil && !slices.Contains(k.Models, m) {
					f.Add(document.CodeValue, field(name), "names %q, which there is not: GET /v1/models lists what there is", document.Cut(m))
				}
			}
		default:
			f.Add(document.CodeValue, field(name), "is no parameter of a strategy, must be quality_target, strong_share, explore, min_quality, max_cost_usd or models")
		}
	}
}

// checkParameters looks at an arm's parameters, and at what goes together.
func checkParameters(f *document.Faults, a Arm, k Known, field func(string) string) {
	in := func(name string) string { return field("parameters." + name) }
	var p Parameters
	p.read(f, a.Parameters, k, in)
	if p.QualityTarget > 0 && p.StrongShare > 0 {
		f.Add(document.CodeValue, in("strong_share"), "and quality_target are two goals: keep one of them")
	}
	if k.Learning == nil || slices.Contains(k.Learning, a.Strategy) {
		return
	}
	for _, name := range []string{"explore", "quality_target", "strong_share"} {
		if _, ok := a.Parameters[name]; ok {
			f.Add(document.CodeValue, in(name), "says nothing to %s, which does not learn; it does to %s", document.Cut(a.Strategy), strings.Join(k.Learning, ", "))
		}
	}
}
