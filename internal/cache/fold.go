package cache

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold gives texts that say the same one form: Unicode's compatibility form,
// lower case, single spaces, no punctuation at the end. Every word stays, so
// "turn on" and "turn off" differ.
//
// What looks like code or data stays as it is: there case, space and signs
// have a meaning.
func fold(text string) string {
	if looksLikeCode(text) {
		return text
	}
	text = compatible(strings.ToLower(compatible(text))) // lower case can have marks that combine anew
	return trimEnd(strings.Join(strings.Fields(text), " "))
}

// codeSigns hardly occur in what people say, and in all that is exact.
const codeSigns = "`{}[]<>=;|\\$@#~^*_\"“”«»"

func looksLikeCode(text string) bool {
	if strings.ContainsAny(text, codeSigns) || !utf8.ValidString(text) {
		return true
	}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if r, _ := utf8.DecodeRuneInString(strings.TrimRight(line, "\r\n")); unicode.IsSpace(r) {
			return true // indented
		}
	}
	return false
}

// compatible is NFKC, except where that would say something else: 2² does not
// become 22, nor 1½ 11⁄2.
func compatible(text string) string {
	if norm.NFKC.IsNormalString(text) {
		return text
	}
	var out strings.Builder
	from := 0
	for i, r := range text {
		if isMark(r) {
			out.WriteString(norm.NFKC.String(text[from:i]))
			out.WriteRune(r)
			from = i + utf8.RuneLen(r)
		}
	}
	out.WriteString(norm.NFKC.String(text[from:]))
	return out.String()
}

// isMark reports whether r is a digit or letter that stands for something other
// than the plain one: raised, lowered, circled, a fraction.
func isMark(r rune) bool {
	return unicode.Is(unicode.No, r) || unicode.Is(unicode.Lm, r) || r == 'ª' || r == 'º'
}

const (
	endSigns  = ".?!…。？！"
	factorial = "!！"
)

// trimEnd removes punctuation behind the last word. An exclamation mark behind
// a number or a single letter may be a factorial, and stays.
func trimEnd(text string) string {
	trimmed := strings.TrimRight(text, endSigns+" ")
	if trimmed == "" {
		return text
	}
	last, size := utf8.DecodeLastRuneInString(trimmed)
	before, _ := utf8.DecodeLastRuneInString(trimmed[:len(trimmed)-size])
	single := !unicode.IsLetter(last) || !unicode.IsLetter(before)
	if single && strings.ContainsAny(text[len(trimmed):], factorial) {
		return text
	}
	return trimmed
}
