// Package learning learns from feedback which model is good enough for which
// prompt. It is pure: verdicts go in, in a stored order, and a Model comes out
// that predicts qualities; who stores and publishes it is not its business.
//
// A prompt is a sparse Vector: hashed words, counters and a bias. Each model
// has a Head, a linear function of it, on top of what is believed before any
// feedback (the shipped Prior and the complexity score) and of a Head that all
// models share: how hard the prompt is for everybody. Sharing it leaves to a
// model's own head what routing is about, the difference between models.
//
// Two guards keep learning from doing harm: heads are shrunk where they have
// seen little that is like the prompt (Prediction.Evidence), and the Gate
// gives them weight only while logged decisions say that they predict better
// than the prior does.
package learning

import (
	"math"

	"github.com/busuhq/busu/internal/prompt"
)

// Places in a Vector: the buckets of hashed words come first.
const (
	countersAt = prompt.Buckets
	biasAt     = countersAt + counterCount
	dimensions = biasAt + 1

	maxNonzero = prompt.MaxWords + counterCount + 1
)

// Vector is a prompt as heads see it: sparse, its words of length 1 together,
// by ascending index. The zero value is empty. It holds no pointers and needs
// no allocation.
type Vector struct {
	n     int
	index [maxNonzero]uint16
	value [maxNonzero]float32
}

// Len is how many places of the vector are not zero.
func (v *Vector) Len() int { return v.n }

func (v *Vector) push(index uint16, value float32) {
	v.index[v.n], v.value[v.n] = index, value
	v.n++
}

// Scale turns what was read off a prompt into a Vector. It is fitted once and
// ships with the Prior: weights mean nothing under another scale.
type Scale struct {
	idf  []float32 // by bucket: how rare its words are, ln((n+1)/(n with it+1)) + 1
	mean [counterCount]float32
	std  [counterCount]float32
}

// Counters are standardised, cut at ±counterLimit standard deviations, and
// weigh counterWeight of one, so that all of them together are about as long
// as the words.
const (
	counterLimit  = 4
	counterWeight = 0.15
)

// Vector fills v: words by (1 + ln count) · idf, normalised to length 1, then
// counters by their standardised logarithms, then a bias of 1.
func (s *Scale) Vector(v *Vector, f *prompt.Features, words []prompt.Word) {
	v.n = 0
	s.words(v, words)
	for i, c := range counters(f) {
		if s.std[i] == 0 {
			continue
		}
		z := (c - float64(s.mean[i])) / float64(s.std[i])
		z = max(-counterLimit, min(counterLimit, z))
		v.push(uint16(countersAt+i), float32(counterWeight*z))
	}
	v.push(biasAt, 1)
}

// words puts the words in. Those that share a bucket, one negative and one
// not, stand next to each other and are added up.
func (s *Scale) words(v *Vector, words []prompt.Word) {
	squares := 0.0
	for i := 0; i < len(words) && i < prompt.MaxWords; i++ {
		value := s.weight(words[i])
		if i+1 < len(words) && words[i+1].Bucket == words[i].Bucket {
			value += s.weight(words[i+1])
			i++
		}
		if value == 0 {
			continue
		}
		squares += value * value
		v.push(words[i].Bucket%prompt.Buckets, float32(value))
	}
	if squares == 0 {
		return
	}
	length := float32(math.Sqrt(squares))
	for i := range v.n {
		v.value[i] /= length
	}
}

func (s *Scale) weight(w prompt.Word) float64 {
	value := float64(s.idf[w.Bucket%prompt.Buckets])
	if w.Count > 1 {
		value *= 1 + math.Log(float64(w.Count))
	}
	if w.Negative {
		return -value
	}
	return value
}
