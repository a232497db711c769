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
	at := uint64(0)
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errPacked
		}
		count, m := binary.Uvarint(b[n:])
		if at += step; m <= 0 || at >= uint64(len(binBounds)) || step == 0 && len(s) > 0 || count == 0 {
			return nil, errPacked
		}
		s = append(s, bin{int16(at), int64(count)})
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
