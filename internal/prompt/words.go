package prompt

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// Buckets is how many places hashed words share: few enough that weights for
// all of them fit in 256 KiB, enough that the common words of a language
// rarely meet.
const Buckets = 1 << 15

// MaxWords bounds the hashed words of one prompt. The two lexical windows hold
// no more of them where words are two characters apart; of a text in a script
// without spaces, the first that many characters count.
const MaxWords = (lexicalHead + lexicalTail) / 2

// Word is a word of a prompt, hashed. Negative words count against the others
// in their bucket, so that words that meet cancel out on average.
type Word struct {
	Bucket   uint16 // below Buckets
	Negative bool
	Count    uint16 // how often it stands in the prompt, at least 1
}

// Reader reads prompts one after the other and hashes their words. Its memory
// is reused, so that a warm reader allocates nothing. One goroutine uses it.
type Reader struct {
	hashed hashed
	words  []Word
}

// Read is Read, and also gives the words of the first lexicalHead and the last
// lexicalTail characters, each once, by ascending bucket. They hold until the
// next call.
func (r *Reader) Read(text string) (Features, []Word) {
	r.hashed.keys = r.hashed.keys[:0]
	c := scan(text, &r.hashed)
	r.words = r.hashed.appendWords(r.words[:0])
	return Features{Counters: c, Complexity: c.Complexity()}, r.words
}

// hashed collects a key for each word: its bucket in the upper bits, its sign
// in the lowest.
type hashed struct{ keys []uint32 }

// add hashes a word: its letters in lower case, with one kind of apostrophe.
// Scripts without spaces give no words to go by: there each character is one.
func (h *hashed) add(text string) {
	sum := uint32(fnvBasis)
	letters := false
	for i := 0; i < len(text); {
		r, size := decode(text, i)
		i += size
		switch {
		case r < utf8.RuneSelf:
			if r != '\'' {
				r |= 0x20
			}
		case unspacedScript(r):
			h.put(fold(fnvBasis, r))
			continue
		case r == '’':
			r = '\''
		default:
			r = unicode.ToLower(r)
		}
		letters = true
		sum = fold(sum, r)
	}
	if letters {
		h.put(sum)
	}
}

// The constants of FNV-1a with 32 bits.
const (
	fnvBasis = 2166136261
	fnvPrime = 16777619
)

// fold takes a character into a hash: FNV-1a, by characters and not by bytes.
func fold(sum uint32, r rune) uint32 { return (sum ^ uint32(r)) * fnvPrime }

// put keeps a word's key. FNV mixes its upper bits badly for short words: the
// last steps of MurmurHash3 spread them.
func (h *hashed) put(sum uint32) {
	if len(h.keys) == MaxWords {
		return
	}
	sum = (sum ^ sum>>16) * 0x85ebca6b
	sum = (sum ^ sum>>13) * 0xc2b2ae35
	sum ^= sum >> 16
	h.keys = append(h.keys, sum%(2*Buckets))
}

// appendWords appends each word once, with its count.
func (h *hashed) appendWords(words []Word) []Word {
	slices.Sort(h.keys)
	for i, key := range h.keys {
		if i > 0 && key == h.keys[i-1] {
			words[len(words)-1].Count++
			continue
		}
		words = append(words, Word{Bucket: uint16(key >> 1), Negative: key&1 == 1, Count: 1})
	}
	return words
}
