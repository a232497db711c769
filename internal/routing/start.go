package routing

import (
	"math"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/prompt"
)

// typical are prompts as people send them, from trivial to demanding: what the
// price starts from, before a decision was made.
var typical = [...]string{
	"hi", "thanks!", "What is the capital of Australia?", "How many grams are in an ounce?",
	"Translate \"good evening\" into Spanish.", "Who wrote Pride and Prejudice?",
	"Write a birthday greeting for a colleague.", "Give me five names for a bakery.",
	"Rewrite this sentence politely: send me the file today.", "What does the word ephemeral mean?",
	"Summarise the following email in two sentences:\n\nHello all,\nthe meeting moves to Thursday at ten, because the room is taken. Please bring the figures of last month and think about who can present them to the client.\nBest, Ana",
	"Is this review positive or negative? \"The battery is fine, but the screen broke after a week.\"",
	"Extract all dates from this text as a JSON list: We met on 3 May, signed on June 12th 2021 and start next Monday.",
	"What is the difference between a list and a tuple in Python?",
	"Write a SQL query that gives the ten customers with the highest revenue in 2023.",
	"Explain how vaccines work to a twelve year old.",
	"Write a Python function that merges two sorted lists, with tests.",
	"My React component renders twice in development. Why, and how do I find out whether it matters?",
	"A train leaves at 9:40 at 80 km/h, another one at 10:10 at 110 km/h on the same track. When does the second reach the first?",
	"Compare the causes of the French and the Russian revolution, and weigh which of them economists overrate.",
	"Draft a three-step plan to move a PostgreSQL database of 2 TB to another region with at most five minutes of downtime, and name the risks of each step.",
	"Prove that the square root of 2 is irrational, and say where the proof fails for 4.",
	"Solve step by step: if f(x) = x^3 - 6x^2 + 11x - 6, find all x with f(x) = 0, and the area between the curve and the x-axis.",
	"Review this design: an event-sourced ledger with one writer per account, snapshots every 1,000 events and readers that lag by up to 5 s. Which invariants can break under partitions, and how would you test them?",
}

// StartPrice is the λ that keeps a goal on typical prompts while nothing is
// learned: until decisions move it. plan is the strategy at a λ. Where only a
// budget is asked for, which depends on the traffic, and where nothing is, it
// keeps startQuality. Without the baseline among the candidates it is 0.
func StartPrice(plan func(lambda float64) Strategy, candidates []Candidate, baseline string, goal learning.Goal) float64 {
	if goal.Quality == 0 && goal.StrongShare == 0 {
		goal.Quality = startQuality
	}
	asks := typicalAsks()
	low, high := math.Log(lowestPrice), math.Log(highestPrice)
	if !keeps(plan(lowestPrice), asks, candidates, baseline, goal) != (goal.StrongShare > 0) {
		return 0
	}
	for range 40 {
		middle := (low + high) / 2
		// Quality is kept at low prices, the share of strong calls at high ones.
		if keeps(plan(math.Exp(middle)), asks, candidates, baseline, goal) == (goal.StrongShare == 0) {
			low = middle
		} else {
			high = middle
		}
	}
	return math.Exp(low)
}

const (
	startQuality = 0.95
	lowestPrice  = 1e-3 // quality per dollar: no model is too dear
	highestPrice = 1e9  // all but the cheapest are
)

func typicalAsks() []Request {
	asks := make([]Request, len(typical))
	for i, text := range typical {
		var reader prompt.Reader // one each: words do not outlive the next prompt
		asks[i].Prompt, asks[i].Words = reader.Read(text)
		asks[i].TokensIn, asks[i].MaxTokens = prompt.EstimateTokens(text), assumedMaxTokens
	}
	return asks
}

// assumedMaxTokens is what callers allow who do not say how long an answer may
// be.
const assumedMaxTokens = 1000

// keeps reports whether a strategy's plans reach a goal.
func keeps(s Strategy, asks []Request, candidates []Candidate, baseline string, goal learning.Goal) bool {
	quality, best, strong := 0.0, 0.0, 0.0
	for _, ask := range asks {
		p, err := s.Plan(ask, candidates)
		if err != nil {
			return false
		}
		quality += p.Choices[0].Quality
		for i, c := range p.Choices {
			if c.Model.ID == baseline {
				best += c.Quality
				if i == 0 {
					strong++
				}
			}
		}
	}
	if goal.StrongShare > 0 {
		return strong <= goal.StrongShare*float64(len(asks))
	}
	return best > 0 && quality >= goal.Quality*best
}
