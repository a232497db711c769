package learning

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// whole gives bytes a right checksum: a fuzzer does not find any.
func whole(b []byte) []byte {
	if len(b) >= 4 {
		binary.LittleEndian.PutUint32(b[len(b)-4:], checksum(b[:len(b)-4]))
	}
	return b
}

// FuzzDecodeLesson: what a store gives is a lesson that is the same when it was
// written again, or ErrCorrupt; the same of prices and of priors.
func FuzzDecodeLesson(f *testing.F) {
	f.Add((&Controller{}).Encode())
	f.Add([]byte(lessonMagic))
	f.Add([]byte(priorMagic))
	for _, l := range []Lesson{{Verdict: &Judged{Model: "small", Quality: 1, Candidates: []string{"small", "large"}, Baseline: "large"}}, {Decisions: &Decisions{}}} {
		f.Add(l.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = whole(bytes.Clone(b))
		l, err := DecodeLesson(b)
		if err == nil {
			if _, err := DecodeLesson(l.Encode()); err != nil {
				t.Errorf("a lesson is refused when written again: %v", err)
			}
		}
		c, wrong := DecodeController(b)
		if wrong == nil {
			if _, err := DecodeController(c.Encode()); err != nil {
				t.Errorf("a price is refused when written again: %v", err)
			}
		}
		_, lost := DecodePrior(b)
		for _, err := range []error{err, wrong, lost} {
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("the error is %v, want ErrCorrupt", err)
			}
		}
	})
}
