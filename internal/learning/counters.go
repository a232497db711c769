package learning

import (
	"math"

	"github.com/busuhq/busu/internal/prompt"
)

// counterCount is how many counters a Vector holds.
const counterCount = layoutCount + classCount + 1

const (
	layoutCount = 20
	classCount  = 15
)

// counters lists what heads may go by beside the words: logarithms of what the
// scanner counted, because twice as long says the same anywhere, and the
// complexity score's log-odds. The order is part of the format of snapshots.
func counters(f *prompt.Features) [counterCount]float64 {
	c := &f.Counters
	layout := [layoutCount]int{
		c.Words, c.Characters, c.Lines, c.Paragraphs, c.LongWords, c.UpperWords, c.NonLatin, c.Pictographs, c.Blobs,
		c.Sentences, c.Questions, c.Digits, c.Numbers, c.Operators, c.Formulas, c.Currency,
		c.CodeFences, c.CodeLines, c.ListItems, c.Options,
	}
	var values [counterCount]float64
	for i, n := range layout {
		values[i] = log1p(n)
	}
	for i, n := range c.Classes {
		values[layoutCount+i] = log1p(n)
	}
	values[counterCount-1] = logOdds(f.Complexity)
	return values
}

// log1p is ln(1+n). Most counters of most prompts are 0: to ask for the logarithms
// of those, too, was a thirtieth of a decision among ten models.
func log1p(n int) float64 {
	if n <= 0 {
		return 0
	}
	return math.Log1p(float64(n))
}

// logOdds is the inverse of the logistic, for chances that are cut to where it
// is finite. What is no number counts as even.
func logOdds(p float64) float64 {
	if math.IsNaN(p) {
		return 0
	}
	p = max(1e-6, min(1-1e-6, p))
	return math.Log(p / (1 - p))
}
