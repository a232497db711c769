package prompt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	lexicalHead = 2000 // characters from the start in which words are looked up
	lexicalTail = 500  // characters before the end in which words are looked up
	longWord    = 9    // letters from which on a word is long
	blobLength  = 64   // an unbroken run longer than this is no prose
	maxLookup   = 16   // letters; every word of the lexicon is shorter
)

// scanner walks a text once: line by line for the layout, in each line run by
// run (what stands between spaces), in each run word by word.
type scanner struct {
	Counters
	text      string
	tailStart int     // byte offset from which on words are looked up again
	inFence   bool    // between ``` and ```
	inBlock   bool    // in a paragraph
	afterHow  bool    // the word before was "how"
	hashed    *hashed // takes the words in the lexical windows; nil: nobody asked
}

// Scan counts what Counters lists, in time linear in the text and without
// allocating.
func Scan(text string) Counters {
	return scan(text, nil)
}

func scan(text string, words *hashed) Counters {
	s := scanner{text: text, tailStart: tailOffset(text), hashed: words}
	s.Bytes = len(text)
	for pos := 0; pos < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[pos:], '\n'); i >= 0 {
			end = pos + i
			s.Characters++
		}
		s.line(pos, end)
		pos = end + 1
	}
	if s.Sentences == 0 && s.Words > 0 {
		s.Sentences = 1
	}
	return s.Counters
}

// tailOffset is where the last lexicalTail characters of text start.
func tailOffset(text string) int {
	at := len(text)
	for n := 0; n < lexicalTail && at > 0; {
		at--
		if utf8.RuneStart(text[at]) {
			n++
		}
	}
	return at
}

func (s *scanner) line(pos, end int) {
	s.layout(strings.TrimSpace(s.text[pos:end]))
	for pos < end {
		if isSpace(s.text[pos]) {
			s.Characters++
			pos++
			continue
		}
		stop := pos
		for stop < end && !isSpace(s.text[stop]) {
			stop++
		}
		s.run(pos, stop)
		pos = stop
	}
}

// run counts what stands between two ASCII spaces. A run too long to be prose
// counts as a blob and as nothing else, or else a key in base64 would look
// like arithmetic.
func (s *scanner) run(pos, end int) {
	if end-pos > blobLength && isASCII(s.text[pos:end]) {
		s.Blobs++
		s.Characters += end - pos
		return
	}
	for pos < end {
		r, size := rune(s.text[pos]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s.text[pos:end])
		}
		switch {
		case isLetter(r):
			pos = s.word(pos, end)
		case isDigit(r):
			pos = s.number(pos, end)
		default:
			s.Characters++
			s.mark(r, pos, pos+size)
			pos += size
		}
	}
}

// word is what is known of a word while its letters are read.
type word struct {
	lower                    [maxLookup]byte // its first letters, in lower case
	n                        int             // of these
	letters, upper, unspaced int
}

// word counts the letters from pos on, which continue through apostrophes and
// combining marks, and looks the word up.
func (s *scanner) word(pos, end int) int {
	var w word
	start, inHead := pos, s.Characters < lexicalHead
	for pos < end {
		if b := s.text[pos]; isASCIILetter(b) {
			w.add(b)
			pos++
			s.Characters++
			continue
		}
		r, size := decode(s.text, pos)
		if !isLetter(r) && !s.joins(r, pos+size, end) {
			break
		}
		s.Characters++
		pos += size
		s.addRune(&w, r)
	}
	words := s.size(&w)
	if inHead || start >= s.tailStart {
		s.Looked += words
		s.lexical(w.lower[:w.n])
		if s.hashed != nil {
			s.hashed.add(s.text[start:pos])
		}
	}
	return pos
}

// add takes an ASCII letter.
func (w *word) add(b byte) {
	w.letters++
	w.upper += int(^b >> 5 & 1)
	if w.n < maxLookup {
		w.lower[w.n] = b | 0x20
		w.n++
	}
}

// addRune takes any other letter, a combining mark or an apostrophe.
func (s *scanner) addRune(w *word, r rune) {
	switch {
	case r != '\'' && r != '’':
		w.letters++
		w.unspaced += s.foreign(r)
		w.n = maxLookup // in no word of the lexicon
	case w.n < maxLookup:
		w.lower[w.n] = '\''
		w.n++
	}
}

// joins reports whether r keeps the letters around it together as a word.
func (s *scanner) joins(r rune, next, end int) bool {
	if r >= utf8.RuneSelf && unicode.Is(unicode.M, r) {
		return true
	}
	if r != '\'' && r != '’' || next >= end {
		return false
	}
	after, _ := decode(s.text, next)
	return isLetter(after)
}

// foreign counts a letter beyond ASCII, and returns 1 when its script writes
// no spaces between words.
func (s *scanner) foreign(r rune) int {
	if r < 0x250 || r >= 0x1E00 && r < 0x1F00 { // Latin with accents
		return 0
	}
	s.NonLatin++
	if unspacedScript(r) {
		s.Unspaced++
		return 1
	}
	return 0
}

// size counts a word by its letters, and returns as how many words it counts.
func (s *scanner) size(w *word) int {
	s.Letters += w.letters
	if w.unspaced > 0 {
		words := (w.letters + 1) / 2
		s.Words += words
		return words
	}
	s.Words++
	if w.letters >= longWord {
		s.LongWords++
	}
	if w.letters >= 2 && w.upper == w.letters {
		s.UpperWords++
	}
	return 1
}

// number counts the digits from pos on, with . and , between them.
func (s *scanner) number(pos, end int) int {
	s.Numbers++
	for pos < end {
		r, size := decode(s.text, pos)
		between := (r == '.' || r == ',') && pos+1 < end && isDigitByte(s.text[pos+1])
		if !isDigit(r) && !between {
			break
		}
		if !between {
			s.Digits++
		}
		s.Characters++
		pos += size
	}
	return pos
}
