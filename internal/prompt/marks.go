package prompt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark counts a character that is no letter, digit or space. It stands at
// [at,next).
func (s *scanner) mark(r rune, at, next int) {
	switch r {
	case '.', '!', '。', '！', '।':
		if s.endsRun(next) || r >= utf8.RuneSelf {
			s.Sentences++
		}
	case '?', '？', '؟', '՞', '\u037e': // the last is Greek
		s.Questions++
		s.Sentences++
	case '+', '=', '<', '>', '^', '×', '÷', '≤', '≥', '≠', '±', '√', '∑', '∫', '∈', '∞', '→', '·', '−', '%':
		s.Operators++
	case '-', '*', '/':
		if s.between(at, next) {
			s.Operators++
		}
	case '$':
		s.dollar(next)
	case '€', '£', '¥':
		s.Currency++
	case '\\':
		s.Formulas++
	default:
		if r >= utf8.RuneSelf && r != utf8.RuneError && unicode.Is(unicode.So, r) {
			s.Pictographs++
		}
	}
}

// dollar tells money from TeX by what follows.
func (s *scanner) dollar(next int) {
	if next < len(s.text) && isDigitByte(s.text[next]) {
		s.Currency++
		return
	}
	s.Formulas++
}

// endsRun reports whether a full stop before next ends a sentence and not an
// abbreviation or a version.
func (s *scanner) endsRun(next int) bool {
	if next >= len(s.text) {
		return true
	}
	b := s.text[next]
	return isSpace(b) || b == '"' || b == ')' || b == '*'
}

// between reports whether the mark at [at,next) works on numbers or brackets,
// with or without a space: the hyphen of a word, a dash, a bullet and the
// stroke in "and/or" do not.
func (s *scanner) between(at, next int) bool {
	if next < len(s.text) && s.text[next] == ' ' {
		next++
	}
	if at > 0 && s.text[at-1] == ' ' {
		at--
	}
	right := next < len(s.text) && (isDigitByte(s.text[next]) || s.text[next] == '(')
	left := at > 0 && (isDigitByte(s.text[at-1]) || s.text[at-1] == ')')
	return left || right
}

// layout counts what a line is by its first and last characters.
func (s *scanner) layout(line string) {
	if line == "" {
		s.inBlock = false
		return
	}
	s.Lines++
	if !s.inBlock {
		s.Paragraphs++
		s.inBlock = true
	}
	switch {
	case strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~"):
		s.CodeFences++
		s.inFence = !s.inFence
	case s.inFence || looksLikeCode(line):
		s.CodeLines++
	case isOption(line):
		s.Options++
	case isListItem(line):
		s.ListItems++
	}
}

// looksLikeCode goes by how lines of code end, in most languages with braces
// and in Python.
func looksLikeCode(line string) bool {
	switch line[len(line)-1] {
	case '{', '}', ';':
		return true
	}
	return strings.HasSuffix(line, "):") || strings.HasSuffix(line, "=>") || strings.HasSuffix(line, "/>")
}

// isOption reports a line such as "A. Paris" or "b) Rome".
func isOption(line string) bool {
	letter := line[0] &^ 0x20
	return len(line) > 2 && letter >= 'A' && letter <= 'J' && (line[1] == '.' || line[1] == ')')
}

// isListItem reports a line that starts with a bullet, or with one or two
// digits and . or ).
func isListItem(line string) bool {
	switch {
	case strings.HasPrefix(line, "- "), strings.HasPrefix(line, "* "), strings.HasPrefix(line, "• "):
		return true
	}
	n := 0
	for n < len(line) && n < 3 && isDigitByte(line[n]) {
		n++
	}
	return n > 0 && n < 3 && n+1 < len(line) && (line[n] == '.' || line[n] == ')') && line[n+1] == ' '
}
