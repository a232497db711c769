package rollup

import (
	"encoding/binary"
	"math"
)

// Pile adds up packed sketches without unpacking them: history reads thousands
// of them. Its zero value is empty.
type Pile struct {
	counts   []int64 // by bin
	from, to int     // bins outside [from, to) are empty
	total    int64
}

// mostCounted bounds the counts of a bin: thousands of them add up without
// overflow.
const mostCounted = 1 << 48

// AddPacked adds what AppendPacked wrote.
func (p *Pile) AddPacked(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if p.counts == nil {
		p.counts = make([]int64, len(binBounds))
	}
	bin, all, first := uint64(0), int64(0), true
	for len(b) > 0 {
		var step, count uint64
		if len(b) > 1 && b[0]|b[1] < 0x80 { // nearly all are of a byte each
			step, count, b = uint64(b[0]), uint64(b[1]), b[2:]
		} else {
			n, m := 0, 0
			if step, n = binary.Uvarint(b); n <= 0 {
				return errPacked
			}
			if count, m = binary.Uvarint(b[n:]); m <= 0 || count > mostCounted {
				return errPacked
			}
			b = b[n+m:]
		}
		if bin += step; bin >= uint64(len(p.counts)) {
			return errPacked
		}
		if first {
			p.widen(int(bin))
			first = false
		}
		p.counts[bin] += int64(count)
		all += int64(count)
	}
	p.total += all
	p.widen(int(bin))
	return nil
}

func (p *Pile) widen(bin int) {
	if p.to == 0 {
		p.from, p.to = bin, bin+1
		return
	}
	p.from, p.to = min(p.from, bin), max(p.to, bin+1)
}

// Add adds another pile.
func (p *Pile) Add(other *Pile) {
	if other.total == 0 {
		return
	}
	if p.counts == nil {
		p.counts = make([]int64, len(binBounds))
	}
	for bin := other.from; bin < other.to; bin++ {
		p.counts[bin] += other.counts[bin]
	}
	p.total += other.total
	p.widen(other.from)
	p.widen(other.to - 1)
}

// Reset empties the pile, to be used again.
func (p *Pile) Reset() {
	clear(p.counts[min(p.from, p.to):p.to])
	p.from, p.to, p.total = 0, 0, 0
}

// Quantiles are those of Sketch.
func (p *Pile) Quantiles() Quantiles {
	if p.total == 0 {
		return Quantiles{}
	}
	var values [3]float64
	bin, below := p.from, int64(0)
	for i, q := range [...]float64{.5, .95, .99} { // each at or above the one before
		rank := max(int64(math.Ceil(q*float64(p.total))), 1)
		for ; below+p.counts[bin] < rank; bin++ {
			below += p.counts[bin]
		}
		values[i] = binBounds[bin] * 2 / (gamma + 1) / 1000
	}
	return Quantiles{P50: &values[0], P95: &values[1], P99: &values[2]}
}
