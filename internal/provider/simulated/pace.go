package simulated

import (
	"math"
	"time"
)

// pace is how fast one answer comes.
type pace struct {
	first    time.Duration // to the first token
	perToken time.Duration
}

// pace draws from log-normal distributions around the model's medians: real
// latencies have long right tails.
func (p *Provider) pace(m model, asked string) pace {
	seed := p.options.Seed
	first := float64(m.firstToken) * math.Exp(0.25*normal(seed, "first token", m.name, asked))
	perToken := float64(time.Second) / m.tokensPerSecond * math.Exp(0.20*normal(seed, "speed", m.name, asked))
	return pace{first: time.Duration(first), perToken: time.Duration(perToken)}
}

func (p pace) total(tokens int64) time.Duration {
	return p.first + time.Duration(tokens)*p.perToken
}
