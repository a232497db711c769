package prompt

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrFeatures says that bytes are not what Append wrote, or not by this version.
var ErrFeatures = errors.New("features are damaged or of another version")

// featuresVersion is the first byte of encoded features. Other counters,
// classes or hashes need another one.
const featuresVersion = 1

// fields lists the counters in the order that they are encoded in.
func (c *Counters) fields() [24]*int {
	return [...]*int{
		&c.Bytes, &c.Characters, &c.Lines, &c.Paragraphs,
		&c.Words, &c.Letters, &c.LongWords, &c.UpperWords, &c.NonLatin, &c.Unspaced, &c.Pictographs, &c.Blobs,
		&c.Sentences, &c.Questions, &c.Digits, &c.Numbers, &c.Operators, &c.Formulas, &c.Currency,
		&c.CodeFences, &c.CodeLines, &c.ListItems, &c.Options,
		&c.Looked,
	}
}

// Append encodes what a Reader read off a prompt: its counters and its hashed
// words, from which the text cannot be read but may be guessed. An average
// prompt takes 200 bytes, none more than 5 KiB.
func Append(dst []byte, f *Features, words []Word) []byte {
	dst = append(dst, featuresVersion)
	for _, n := range f.Counters.fields() {
		dst = binary.AppendUvarint(dst, uint64(max(*n, 0)))
	}
	dst = binary.AppendUvarint(dst, uint64(f.Counters.Opening))
	for _, n := range f.Counters.Classes {
		dst = binary.AppendUvarint(dst, uint64(max(n, 0)))
	}
	dst = binary.AppendUvarint(dst, uint64(len(words)))
	last := uint64(0)
	for _, w := range words {
		key := uint64(w.Bucket) << 1
		if w.Negative {
			key |= 1
		}
		dst = binary.AppendUvarint(dst, (key-last)<<1|hasMore(w.Count))
		if w.Count > 1 {
			dst = binary.AppendUvarint(dst, uint64(w.Count))
		}
		last = key
	}
	return dst
}

// hasMore is a word's lowest bit: whether its count follows, which is mostly 1.
func hasMore(count uint16) uint64 {
	if count > 1 {
		return 1
	}
	return 0
}

// Decode reads what Append wrote. The score is reckoned anew.
func Decode(b []byte) (f Features, words []Word, err error) {
	r := featureReader{b: b}
	if len(b) == 0 || b[0] != featuresVersion {
		return Features{}, nil, ErrFeatures
	}
	r.b = b[1:]
	for _, n := range f.Counters.fields() {
		*n = int(r.number(math.MaxInt32))
	}
	f.Counters.Opening = WordClass(r.number(1<<classes - 1))
	for i := range f.Counters.Classes {
		f.Counters.Classes[i] = int(r.number(math.MaxInt32))
	}
	n := r.number(MaxWords)
	key := uint64(0)
	for i := range n {
		step := r.number(4 * Buckets)
		if step>>1 == 0 && i > 0 {
			return Features{}, nil, ErrFeatures
		}
		if key += step >> 1; key >= 2*Buckets {
			return Features{}, nil, ErrFeatures
		}
		w := Word{Bucket: uint16(key >> 1), Negative: key&1 == 1, Count: 1}
		if step&1 == 1 {
			if w.Count = uint16(r.number(math.MaxUint16)); w.Count < 2 {
				return Features{}, nil, ErrFeatures
			}
		}
		words = append(words, w)
	}
	if r.bad || len(r.b) > 0 {
		return Features{}, nil, ErrFeatures
	}
	f.Complexity = f.Counters.Complexity()
	return f, words, nil
}

type featureReader struct {
	b   []byte
	bad bool
}

func (r *featureReader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > most {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}
