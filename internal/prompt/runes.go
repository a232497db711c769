package prompt

import (
	"unicode"
	"unicode/utf8"
)

// decode is utf8.DecodeRuneInString with the common case inlined.
func decode(text string, at int) (rune, int) {
	if b := text[at]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	return utf8.DecodeRuneInString(text[at:])
}

// isSpace goes by ASCII: what is wider, such as the ideographic space, ends a
// word like any mark.
func isSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return isASCIILetter(byte(r))
	}
	return r >= 0x4E00 && r < 0xA000 || unicode.IsLetter(r) // most Han, for speed
}

func isASCIILetter(b byte) bool { return b|0x20-'a' < 26 }

func isDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= utf8.RuneSelf && unicode.IsDigit(r)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isDigitByte(b byte) bool { return b >= '0' && b <= '9' }

// unspacedScript reports letters of scripts that put no spaces between words.
func unspacedScript(r rune) bool {
	switch {
	case r >= 0x0E00 && r < 0x0F00: // Thai, Lao
		return true
	case r >= 0x1000 && r < 0x10A0, r >= 0x1780 && r < 0x1800: // Myanmar, Khmer
		return true
	case r >= 0x3040 && r < 0x3100: // kana
		return true
	case r >= 0x3400 && r < 0xA000, r >= 0xF900 && r < 0xFB00: // Han
		return true
	default:
		return r >= 0x20000 && r < 0x40000 // rare Han
	}
}
