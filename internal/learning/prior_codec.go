package learning

import (
	"errors"
	"fmt"
	"math"
)

// ErrCorrupt says that bytes are not what was written, or not by this version.
var ErrCorrupt = errors.New("corrupt or foreign bytes")

// The shipped prior is compact: only words that were seen are listed, and
// weights are rounded to 8 bits of the largest one.
const (
	priorMagic   = "busu prior 1\n"
	idfStep      = 1.0 / 24 // ln(n+1)+1 stays below 255 of these for any n
	weightLevels = 127
)

// Encode gives the prior's bytes, the same ones every time.
func (p *Prior) Encode() []byte {
	w := writer{b: []byte(priorMagic)}
	w.text(p.Source)
	rarest := p.rarest()
	w.float(rarest)
	for i := range counterCount {
		w.float(p.mean[i])
		w.float(p.std[i])
	}
	level, uplift := largest(p.level[:countersAt]), largest(p.uplift[:countersAt])
	w.float(level)
	w.float(uplift)
	for i := countersAt; i < dimensions; i++ {
		w.float(p.level[i])
		w.float(p.uplift[i])
	}
	known := 0
	for i := range countersAt {
		if p.idf[i] != rarest {
			known++
		}
	}
	w.count(uint64(known))
	last := -1
	for i := range countersAt {
		if p.idf[i] == rarest {
			continue
		}
		w.count(uint64(i - last))
		w.b = append(w.b, byte(min(255, math.Round(float64(p.idf[i])/idfStep))), quantised(p.level[i], level), quantised(p.uplift[i], uplift))
		last = i
	}
	return w.sealed()
}

// rarest is the weight of words that were never seen.
func (p *Prior) rarest() (idf float32) {
	for _, x := range p.idf {
		idf = max(idf, x)
	}
	return idf
}

func largest(weights []float32) (size float32) {
	for _, w := range weights {
		size = max(size, max(w, -w))
	}
	return size
}

func quantised(w, size float32) byte {
	if size == 0 {
		return 0
	}
	return byte(int8(math.Round(float64(w / size * weightLevels))))
}

// DecodePrior reads what Encode wrote. Anything else is ErrCorrupt.
func DecodePrior(b []byte) (*Prior, error) {
	r, err := opened(b, priorMagic)
	if err != nil {
		return nil, fmt.Errorf("prior: %w", err)
	}
	p := &Prior{Scale: Scale{idf: make([]float32, countersAt)}, level: make([]float32, dimensions), uplift: make([]float32, dimensions)}
	p.Source = r.text(maxSource)
	rarest := r.float(0, maxRarity)
	for i := range countersAt {
		p.idf[i] = rarest
	}
	for i := range counterCount {
		p.mean[i], p.std[i] = r.float(-maxCounter, maxCounter), r.float(0, maxCounter)
	}
	level, uplift := r.float(0, weightLimit), r.float(0, weightLimit)
	for i := countersAt; i < dimensions; i++ {
		p.level[i], p.uplift[i] = r.float(-weightLimit, weightLimit), r.float(-weightLimit, weightLimit)
	}
	at := -1
	for range r.count(countersAt) {
		if at = r.next(at, countersAt); r.err != nil {
			break
		}
		p.idf[at] = float32(idfStep * float64(r.byte()))
		p.level[at] = float32(int8(r.byte())) / weightLevels * level
		p.uplift[at] = float32(int8(r.byte())) / weightLevels * uplift
	}
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("prior: %w", err)
	}
	return p, nil
}

// Bounds of what a prior may hold.
const (
	maxSource  = 4096
	maxRarity  = 30
	maxCounter = 100
)
