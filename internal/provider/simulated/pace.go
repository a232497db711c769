package simulated

import (
	"context"
	"math"
	"time"
)

// pace is how fast one answer comes.
type pace struct {
	first    time.Duration // until the first token is begun
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

// clock tells when in an answer's time each token is there.
type clock struct {
	begun time.Time
	pace  pace
	speed float64 // 0 or less: there is no waiting
}

func (p *Provider) start(pace pace) clock {
	return clock{begun: time.Now(), pace: pace, speed: p.options.Speed}
}

// left is how long it takes from now until the given number of tokens is there.
func (c clock) left(tokens int64) time.Duration {
	if c.speed <= 0 {
		return 0
	}
	return time.Duration(float64(c.pace.total(tokens))/c.speed) - time.Since(c.begun)
}

// wait returns when the given number of tokens is there. Late tokens do not
// put off those behind them: the time counts from the beginning.
func (p *Provider) wait(ctx context.Context, c clock, tokens int64) error {
	if err := ctx.Err(); err != nil {
		return p.interrupted(err)
	}
	left := c.left(tokens)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return p.interrupted(ctx.Err())
	}
}
