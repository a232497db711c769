package simulated

import (
	"iter"
	"unicode"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/llm"
)

// promptTokens counts what a chat model would be billed for: the texts, the
// tools, and a few tokens of framing around each message. Whatever is not text
// has a flat price.
func promptTokens(r llm.Request) int64 {
	const perMessage, perRequest, perPart, perTool = 4, 3, 250, 8
	total := int64(perRequest)
	for _, m := range r.Messages {
		total += perMessage + countTokens(m.Content)
		for _, call := range m.ToolCalls {
			total += countTokens(call.Name) + countTokens(call.Arguments)
		}
		for _, part := range m.Parts {
			if part.Kind != llm.PartText {
				total += perPart
			}
		}
	}
	for _, tool := range r.Tools {
		total += perTool + countTokens(tool.Name) + countTokens(tool.Description) + countTokens(string(tool.Parameters))
	}
	return total + countTokens(string(r.ResponseFormat.Schema))
}

// countTokens approximates a byte-pair tokenizer, within a fifth or so for
// European languages and code: words cost a token per 6 letters begun, digits
// one per 3, every other sign and every East Asian character one each.
func countTokens(text string) int64 {
	count := int64(0)
	for text != "" {
		text = text[nextToken(text):]
		count++
	}
	return count
}

// tokens are the pieces of text.
func tokens(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			end := nextToken(text)
			if !yield(text[:end]) {
				return
			}
			text = text[end:]
		}
	}
}

// cutTokens returns the first n tokens of text and whether that was less than
// all of it.
func cutTokens(text string, n int64) (string, bool) {
	end := 0
	for range n {
		if end == len(text) {
			return text, false
		}
		end += nextToken(text[end:])
	}
	return text[:end], end < len(text)
}

// nextToken is the length in bytes of the token that text, not empty, starts
// with. White space belongs to the token behind it.
func nextToken(text string) int {
	start := 0
	r, size := utf8.DecodeRuneInString(text)
	for unicode.IsSpace(r) {
		start += size
		if start == len(text) {
			return start
		}
		r, size = utf8.DecodeRuneInString(text[start:])
	}
	end, kind := start+size, kindOf(r)
	for n := 1; n < kind.perToken() && end < len(text); n++ {
		r, size = utf8.DecodeRuneInString(text[end:])
		if kindOf(r) != kind {
			break
		}
		end += size
	}
	return end
}

type runeKind int

const (
	signRune runeKind = iota
	letterRune
	digitRune
)

func kindOf(r rune) runeKind {
	switch {
	case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
		return letterRune
	case '0' <= r && r <= '9':
		return digitRune
	case r < utf8.RuneSelf:
		return signRune
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
		return signRune
	case unicode.IsLetter(r) || unicode.IsMark(r):
		return letterRune
	case unicode.IsDigit(r):
		return digitRune
	}
	return signRune
}

func (k runeKind) perToken() int {
	switch k {
	case letterRune:
		return 6
	case digitRune:
		return 3
	}
	return 1
}
