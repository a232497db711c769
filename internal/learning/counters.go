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
		values[i] = math.Log1p(float64(max(n, 0)))
	}
	for i, n := range c.Classes {
		values[layoutCount+i] = math.Log1p(float64(max(n, 0)))
	}
	values[counterCount-1] = logOdds(f.Complexity)
	return values
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
