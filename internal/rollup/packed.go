package rollup

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// AppendPacked writes a sketch in a few hundred bytes: for each bin, in order,
// its distance from the one before and its count, both as uvarints.
func (s Sketch) AppendPacked(b []byte) []byte {
	last := int16(0)
	for _, in := range s {
		b = binary.AppendUvarint(b, uint64(in.at-last))
		b = binary.AppendUvarint(b, uint64(in.n))
		last = in.at
	}
	return b
}

var errPacked = errors.New("this is no packed sketch")

// ParsePacked reads what AppendPacked writes.
func ParsePacked(b []byte) (Sketch, error) {
	if len(b) == 0 {
		return nil, nil
	}
	s := make(Sketch, 0, len(b)/2)
	for len(b) > 0 {
		var err error
		if s, b, err = s.parseBin(b); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parseBin reads one more bin, and gives what is behind it.
func (s Sketch) parseBin(b []byte) (_ Sketch, rest []byte, err error) {
	step, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, nil, errPacked
	}
	count, m := binary.Uvarint(b[n:])
	at := step
	if len(s) > 0 {
		at += uint64(s[len(s)-1].at)
	}
	if m <= 0 || at >= uint64(len(binBounds)) || step == 0 && len(s) > 0 || count == 0 {
		return nil, nil, errPacked
	}
	return append(s, bin{int16(at), int64(count)}), b[n+m:], nil
}

// AppendPacked writes a cell: its counts as varints, in the order of its fields,
// and of each sketch the number of bins, and the bins.
func (c *Cell) AppendPacked(b []byte) []byte {
	for _, n := range c.counts() {
		b = binary.AppendVarint(b, *n)
	}
	for _, s := range c.sketches() {
		b = binary.AppendUvarint(b, uint64(len(*s)))
		b = s.AppendPacked(b)
	}
	return b
}

// ParsePackedCell reads what AppendPacked writes, and gives what is behind it.
func ParsePackedCell(b []byte) (c *Cell, rest []byte, err error) {
	c = new(Cell)
	for _, n := range c.counts() {
		size := 0
		if *n, size = binary.Varint(b); size <= 0 {
			return nil, nil, errPacked
		}
		b = b[size:]
	}
	for _, s := range c.sketches() {
		bins, size := binary.Uvarint(b)
		if size <= 0 || bins > uint64(len(b)) { // a bin has two bytes at least
			return nil, nil, errPacked
		}
		if b = b[size:]; bins > 0 {
			*s = make(Sketch, 0, bins)
		}
		for range bins {
			if *s, b, err = s.parseBin(b); err != nil {
				return nil, nil, err
			}
		}
	}
	return c, b, nil
}

func (c *Cell) counts() [6]*int64 {
	return [...]*int64{&c.Requests, &c.Errors, &c.CostNanos, &c.BaselineNanos, &c.TokensIn, &c.TokensOut}
}

func (c *Cell) sketches() [3]*Sketch { return [...]*Sketch{&c.Latency, &c.TTFT, &c.Overhead} }

// MarshalText writes a sketch packed, in base64: as an object of bins it would
// be six times as long.
func (s Sketch) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, s.AppendPacked(nil)), nil
}

// UnmarshalText reads what MarshalText writes.
func (s *Sketch) UnmarshalText(text []byte) (err error) {
	packed, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	*s, err = ParsePacked(packed)
	return err
}
