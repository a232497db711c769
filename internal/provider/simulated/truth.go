package simulated

import (
	"math"
	"strings"
	"time"
)

// Verdict is the truth about one model's answer to one prompt.
type Verdict struct {
	Good       bool    // the answer does what was asked
	Score      float64 // how well, in [0, 1]; at least 0.6 when good, at most 0.4 when not
	Difficulty float64 // of the prompt, in [0, 1], whatever the model
}

// Truth tells how well the named model answers prompt. It is false when no
// model has that name. Surrounding white space does not matter.
func (p *Provider) Truth(prompt, name string) (Verdict, bool) {
	m, ok := modelNamed(name)
	if !ok {
		return Verdict{}, false
	}
	prompt = strings.TrimSpace(prompt)
	return p.verdict(m, prompt, p.difficulty(prompt, p.lexicon.read(prompt))), true
}

// Difficulty is how hard prompt is, in [0, 1].
func (p *Provider) Difficulty(prompt string) float64 {
	prompt = strings.TrimSpace(prompt)
	return p.difficulty(prompt, p.lexicon.read(prompt))
}

// difficulty is what can be read off a prompt and a little that cannot.
func (p *Provider) difficulty(prompt string, r reading) float64 {
	return clamp(r.difficulty() + 0.06*normal(p.options.Seed, "difficulty", prompt))
}

func (p *Provider) verdict(m model, prompt string, difficulty float64) Verdict {
	chance := m.chance(difficulty)
	luck := uniform(p.options.Seed, "luck", m.name, prompt)
	v := Verdict{Good: luck < chance, Difficulty: difficulty}
	// Given the outcome, luck is uniform: it serves again as the score.
	if v.Good {
		v.Score = 1 - 0.4*luck/chance
	} else {
		v.Score = 0.4 * (1 - luck) / (1 - chance)
	}
	return v
}

// model is one simulated model: how good, how fast, how talkative.
type model struct {
	name string

	// The chance of a good answer: from best at no difficulty to worst at the
	// greatest, halfway at turn; width is how gradually it falls.
	best, worst, turn, width float64

	firstToken      time.Duration // median time to the first token
	tokensPerSecond float64       // median speed from there on
	talk            float64       // length of its answers relative to medium's
}

func models() [3]model {
	return [3]model{
		{name: Small, best: .965, worst: .10, turn: .49, width: .13,
			firstToken: 180 * time.Millisecond, tokensPerSecond: 450, talk: .9},
		{name: Medium, best: .970, worst: .24, turn: .62, width: .13,
			firstToken: 350 * time.Millisecond, tokensPerSecond: 240, talk: 1},
		{name: Large, best: .975, worst: .68, turn: .77, width: .12,
			firstToken: 600 * time.Millisecond, tokensPerSecond: 140, talk: 1.1},
	}
}

func modelNamed(name string) (model, bool) {
	for _, m := range models() {
		if m.name == name {
			return m, true
		}
	}
	return model{}, false
}

// chance is the probability of a good answer at a difficulty: a logistic curve.
func (m model) chance(difficulty float64) float64 {
	fallen := 1 / (1 + math.Exp((m.turn-difficulty)/m.width))
	return m.best - (m.best-m.worst)*fallen
}

func clamp(x float64) float64 { return max(0, min(1, x)) }
