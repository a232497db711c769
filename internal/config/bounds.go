package config

import (
	"fmt"
	"time"
)

const (
	defaultConcurrency = 64
	queuePerCall       = 4
	defaultTimeout     = 60 * time.Second
	defaultPatience    = 20 * time.Second // with a stream's next piece
)

// newProvider is a provider with every default.
func newProvider() Provider {
	return Provider{
		MaxConcurrency:    defaultConcurrency,
		Queue:             queuePerCall * defaultConcurrency,
		Retries:           1,
		Timeout:           defaultTimeout,
		AttemptTimeout:    defaultTimeout,
		FirstTokenTimeout: defaultTimeout, // some models think long before their first word
		IdleTimeout:       defaultPatience,
		Simulation:        Simulation{Seed: 1, Speed: 1},
	}
}

func timeout(into *time.Duration) func(value) {
	return func(v value) { v.duration(into, time.Millisecond, time.Hour) }
}

// completeBounds makes what the file leaves out follow from what it says: the
// queue from the concurrency, and no timeout longer than the whole.
func completeBounds(given map[string]value, p *Provider) {
	if _, ok := given["queue"]; !ok {
		p.Queue = queuePerCall * p.MaxConcurrency
	}
	if _, ok := given["attempt_timeout"]; !ok {
		p.AttemptTimeout = p.Timeout
	}
	if _, ok := given["first_token_timeout"]; !ok {
		p.FirstTokenTimeout = p.Timeout
	}
	for _, part := range []struct {
		key  string
		part *time.Duration
	}{
		{"attempt_timeout", &p.AttemptTimeout},
		{"first_token_timeout", &p.FirstTokenTimeout},
		{"idle_timeout", &p.IdleTimeout},
	} {
		if at, ok := given[part.key]; ok && *part.part > p.Timeout {
			at.wrong(fmt.Sprintf("%s is longer than timeout, %s", at.path, formatDuration(p.Timeout)), "shorten it, or raise timeout")
		}
		*part.part = min(*part.part, p.Timeout)
	}
}
