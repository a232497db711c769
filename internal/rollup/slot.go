package rollup

import (
	"encoding/binary"
	"slices"
	"time"
)

// slot is what was counted in a slot of a window. A window has hundreds, of
// which the newest change; the others are packed until somebody looks into them.
// A book takes a fourth to a seventh of the memory so (BenchmarkBookMemory).
type slot struct {
	cells  Cells  // nil while they are packed
	packed []byte // of each cell its kind and name, with their lengths, and itself
}

// packedAfter is how long after its end a slot is packed: hardly anything is so
// late.
const packedAfter = time.Minute

func (s *slot) open() Cells {
	if s.cells == nil {
		s.cells = parseCells(s.packed)
		s.packed = nil
	}
	return s.cells
}

func (s *slot) pack() {
	if s.cells == nil {
		return
	}
	var b []byte
	for d, c := range s.cells {
		b = appendText(b, d.Kind)
		b = appendText(b, d.Name)
		b = c.AppendPacked(b)
	}
	s.cells, s.packed = nil, slices.Clone(b) // as long as it must be
}

func parseCells(b []byte) Cells {
	cells := Cells{}
	for len(b) > 0 {
		var d Dim
		var err error
		d.Kind, b = cutText(b)
		d.Name, b = cutText(b)
		if cells[d], b, err = ParsePackedCell(b); err != nil {
			panic(err) // only pack has written it
		}
	}
	return cells
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func cutText(b []byte) (text string, rest []byte) {
	length, n := binary.Uvarint(b)
	end := n + int(length)
	return string(b[n:end]), b[end:]
}
