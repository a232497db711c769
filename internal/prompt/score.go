package prompt

import "math"

// Signal is one thing that makes a prompt harder, or easier, to answer well.
type Signal uint8

// The signals of the complexity score. What each counts is in evidence, what
// it weighs in the table of weights.
const (
	Length         Signal = iota // a longer text holds more to get wrong
	Story                        // a case with people in it, to be read closely
	Negations                    // statements turned round
	Parts                        // more than one thing to judge or to do
	Clauses                      // nested or chained statements
	Relations                    // quantities given through other quantities
	Arithmetic                   // numbers to reckon with
	Programming                  // code, or a request for it
	Mathematics                  // operators and formulas
	Reasoning                    // explain, compare, design, prove
	Constraints                  // limits on the answer, or on its form
	Unfamiliar                   // words that the English lexicon says nothing about
	MultipleChoice               // an answer to recognise rather than to find
	Routine                      // translate, define, greet

	SignalCount = int(iota)
)

// bias is the log-odds of an empty prompt; its complexity is 0.08.
const bias = -2.4

// weights are set by hand, in round numbers. weight is what a signal adds to
// the log-odds at saturation; half is the count that earns half of it.
//
// They are not fitted, but signals, words and weights were chosen while looking
// at recorded outcomes: those of GPT-4 and Mixtral 8x7B that RouteLLM published
// (MMLU, GSM8K, MT-Bench) and those of nine other models in LLMRouter. The area
// under RouteLLM's cost–quality curve (APGR) on those rows, 0.64, is therefore
// no test on unseen ones. Leaving out, halving or doubling any one weight costs
// at most 0.011 of it: most of all Negations and Unfamiliar, then Parts,
// MultipleChoice and Relations. Programming earns its weight on LLMRouter
// (0.09). Reasoning and Constraints cost a little on these rows and Routine
// brings nothing: they stand on plain sense. Mathematics weighs little because
// formulas told nothing there. BenchmarkAPGR measures the area again.
var weights = [SignalCount]struct{ weight, half float64 }{
	Length:         {1.5, 60},
	Story:          {0.5, 4},
	Negations:      {2.0, 2},
	Parts:          {1.5, 2},
	Clauses:        {1.0, 4},
	Relations:      {1.5, 2},
	Arithmetic:     {1.0, 2},
	Programming:    {3.0, 2},
	Mathematics:    {0.4, 6},
	Reasoning:      {3.0, 2},
	Constraints:    {1.0, 2},
	Unfamiliar:     {2.5, 40},
	MultipleChoice: {-1.0, 1},
	Routine:        {-1.0, 1},
}

// evidence is the count behind each signal.
func (c *Counters) evidence() [SignalCount]int {
	return [SignalCount]int{
		Length:         max(c.Words, c.Characters/10), // blobs and symbols have no words
		Story:          c.Of(Person),
		Negations:      c.Of(Negation),
		Parts:          c.Of(Several),
		Clauses:        c.Of(Clause),
		Relations:      c.Of(Relation),
		Arithmetic:     min(c.Of(Quantity), c.Numbers), // "total cost" alone is no sum
		Programming:    c.Of(Code) + c.CodeLines,
		Mathematics:    c.Operators + c.Formulas,
		Reasoning:      c.Of(Demand) + 2*c.Of(Formal), // a proof takes more than an explanation
		Constraints:    c.Of(Constraint) + c.Of(Format),
		Unfamiliar:     max(0, c.Looked-vouched*c.Of(Common)),
		MultipleChoice: c.Options / 2, // one such line is a list item
		Routine:        c.Of(Chore) + c.Of(Greeting),
	}
}

// vouched is how many words each of the commonest English words speaks for:
// in English prose they are a quarter of all words, in other languages and in
// code they are rare.
const vouched = 5

// Contributions are the log-odds that each signal adds to the score.
func (c *Counters) Contributions() [SignalCount]float64 {
	var points [SignalCount]float64
	for i, n := range c.evidence() {
		points[i] = weights[i].weight * float64(n) / (float64(n) + weights[i].half)
	}
	return points
}

// Complexity is the score in (0,1): a logistic over the sum of what the
// signals contribute,
//
//	1 / (1 + exp(−(bias + Σ weight · n/(n+half)))),
//
// where n is a signal's count. n/(n+half) grows from 0 towards 1, so that no
// single counter can run away with the score.
func (c *Counters) Complexity() float64 {
	z := bias
	for _, p := range c.Contributions() {
		z += p
	}
	return 1 / (1 + math.Exp(-z))
}
