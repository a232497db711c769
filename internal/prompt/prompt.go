// Package prompt reads off a prompt what can be known before a model sees it:
// counters of its text, taken in one pass, and a complexity score in [0,1]
// made from them with few hand-set weights that can be explained in words.
//
// What is read is the last user turn; callers pick it (llm.LastUser). A system
// prompt is left out on purpose: wrappers send the same one with every
// question, so it says nothing about how hard this question is. It still
// counts as tokens: see EstimateTokens.
//
// Text is tokenised and words are looked up whole, never as substrings, so
// that "capital" holds no "api" and "terrorism" no "error". Words of the
// lexicon are English; other languages and scripts are scored by length,
// numbers, marks and layout alone. For strategies that learn, the same pass
// hashes the words, of any language: see Reader.
package prompt

// Features is what routing knows about a prompt. It is a plain value: reading
// one allocates nothing, and it can be kept after the text is gone.
type Features struct {
	Counters   Counters
	Complexity float64 // 0 trivial … 1 demanding; see score.go for its formula
}

// Boundaries of the tiers on the complexity score: below ModerateFrom a prompt
// is simple, from ComplexFrom on it is complex.
const (
	ModerateFrom = 0.3
	ComplexFrom  = 0.7
)

// Read scans the last user turn and scores it. It accepts any bytes: invalid
// UTF-8 counts as one unknown character a byte.
func Read(text string) Features {
	c := Scan(text)
	return Features{Counters: c, Complexity: c.Complexity()}
}
