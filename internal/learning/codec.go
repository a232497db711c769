package learning

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// writer appends numbers to bytes.
type writer struct{ b []byte }

func (w *writer) count(n uint64)   { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) float(x float32)  { w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(x)) }
func (w *writer) double(x float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(x)) }
func (w *writer) text(s string)    { w.count(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) sealed() []byte   { return binary.LittleEndian.AppendUint32(w.b, checksum(w.b)) }
func checksum(b []byte) uint32     { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
func (r *reader) fail(what string) { r.failf("%s", what) }
func (r *reader) left() int        { return len(r.b) }

// reader takes numbers off bytes and checks that they are in range. After the
// first fault it gives zeros.
type reader struct {
	b   []byte
	err error
}

// opened checks what encloses the bytes: the format's name and the checksum.
func opened(b []byte, magic string) (*reader, error) {
	const sum = 4
	if len(b) < len(magic)+sum || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: they do not start with %q", ErrCorrupt, magic)
	}
	body := b[:len(b)-sum]
	if checksum(body) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("%w: the checksum is wrong", ErrCorrupt)
	}
	return &reader{b: body[len(magic):]}, nil
}

func (r *reader) failf(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if r.left() < n {
		r.fail("they end too early")
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// count takes a number up to most.
func (r *reader) count(most uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > most {
		r.failf("a count is missing or above %d", most)
		return 0
	}
	r.b = r.b[size:]
	return n
}

// next takes the distance from one index to the next, which stays below end.
func (r *reader) next(from, end int) int {
	gap := int(r.count(uint64(end)))
	if gap == 0 || from+gap >= end {
		r.failf("an index is out of order or not below %d", end)
		return 0
	}
	return from + gap
}

func (r *reader) text(most uint64) string { return string(r.take(int(r.count(most)))) }

// float takes a number in low … high.
func (r *reader) float(low, high float64) float32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	x := math.Float32frombits(binary.LittleEndian.Uint32(b))
	r.within(float64(x), low, high)
	return x
}

func (r *reader) double(low, high float64) float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	x := math.Float64frombits(binary.LittleEndian.Uint64(b))
	r.within(x, low, high)
	return x
}

func (r *reader) within(x, low, high float64) {
	if !(x >= low && x <= high) {
		r.failf("%v is not in %v … %v", x, low, high)
	}
}

func (r *reader) done() error {
	if r.err == nil && r.left() > 0 {
		r.failf("%d are left over", r.left())
	}
	return r.err
}
