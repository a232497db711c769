package mock

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Behaviour is how an upstream answers. It is part of an address, so that one
// server can be many vendors at once.
type Behaviour struct {
	Latency  time.Duration // before the first byte
	Jitter   time.Duration // more or less, at most
	Pace     time.Duration // between two pieces of a streamed answer
	Failures float64       // share of requests that are answered with 500
}

// Path is the base of an address with the behaviour.
func (b Behaviour) Path() string {
	return fmt.Sprintf("/latency=%dns,jitter=%dns,pace=%dns,failures=%g/v1", b.Latency, b.Jitter, b.Pace, b.Failures)
}

// parse reads a path: one without a behaviour has none.
func parse(path string) (b Behaviour, err error) {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !strings.Contains(first, "=") {
		return b, nil
	}
	for part := range strings.SplitSeq(first, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "latency":
			b.Latency, err = time.ParseDuration(value)
		case "jitter":
			b.Jitter, err = time.ParseDuration(value)
		case "pace":
			b.Pace, err = time.ParseDuration(value)
		case "failures":
			b.Failures, err = strconv.ParseFloat(value, 64)
		default:
			err = fmt.Errorf("unknown behaviour %q", name)
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b Behaviour) fails() bool { return b.Failures > 0 && rand.Float64() < b.Failures }

// wait takes as long as the answer does.
func (b Behaviour) wait() {
	d := b.Latency
	if b.Jitter > 0 {
		d += rand.N(2*b.Jitter) - b.Jitter
	}
	if d > 0 {
		time.Sleep(d)
	}
}
