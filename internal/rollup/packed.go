package rollup

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// AppendPacked writes a sketch in a few hundred bytes: for each bin, in order,
// its distance from the one before and its count, both as uvarints.
func (s Sketch) AppendPacked(b []byte) []byte {
	last := int16(0)
	for _, bin := range slices.Sorted(maps.Keys(s)) {
		b = binary.AppendUvarint(b, uint64(bin-last))
		b = binary.AppendUvarint(b, uint64(s[bin]))
		last = bin
	}
	return b
}

var errPacked = errors.New("this is no packed sketch")

// ParsePacked reads what AppendPacked writes.
func ParsePacked(b []byte) (Sketch, error) {
	if len(b) == 0 {
		return nil, nil
	}
	s := make(Sketch, len(b)/2)
	bin := uint64(0)
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errPacked
		}
		count, m := binary.Uvarint(b[n:])
		if bin += step; m <= 0 || bin >= uint64(len(binBounds)) {
			return nil, errPacked
		}
		s[int16(bin)] = int64(count)
		b = b[n+m:]
	}
	return s, nil
}

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
