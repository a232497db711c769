package chat

// splicer copies a text with some of its stretches replaced. Edits come in the
// text's order.
type splicer struct {
	text []byte
	done int // of text
	out  []byte
}

// newSplicer has room for the text and some more.
func newSplicer(text []byte) *splicer {
	const more = 128
	return &splicer{text: text, out: make([]byte, 0, len(text)+more)}
}

// replace puts with where text[from:to] was. What is out of order, as in text
// that is no JSON after all, is left as it is.
func (s *splicer) replace(from, to int, with string) {
	if from < s.done || to < from {
		return
	}
	s.out = append(append(s.out, s.text[s.done:from]...), with...)
	s.done = to
}

func (s *splicer) finish() []byte { return append(s.out, s.text[s.done:]...) }
