package redact

import (
	"encoding/json"
	"errors"
	"strings"
)

// Place is where a text stands in a document.
type Place struct {
	Name  string // of the nearest member around it
	Index string // what members called "index" around it say, from the outside, such as "0/2/"
	Free  bool   // it is of a call's arguments, whose names and numbers are the caller's as well
}

// ErrDocument says that a text is no JSON document. Nothing of it is quoted.
var ErrDocument = errors.New("it is no JSON document")

// Rewrite gives each text of a JSON document to visit, and puts in what it
// returns. Every other byte stays; without a change it is the same slice. Names
// of members are left alone, and so are numbers, but for those of arguments.
func Rewrite(doc []byte, visit func(at Place, text string) string) ([]byte, error) {
	if !json.Valid(doc) {
		return nil, ErrDocument
	}
	w := walker{doc: doc, visit: visit}
	w.value(Place{})
	if w.out == nil {
		return doc, nil
	}
	return append(w.out, doc[w.done:]...), nil
}

// RewriteArguments is Rewrite for a call's arguments: their names and numbers
// are looked at, too. What is no document is a text like others.
func RewriteArguments(arguments string, visit func(text string) string) string {
	if !json.Valid([]byte(arguments)) {
		return visit(arguments)
	}
	w := walker{doc: []byte(arguments), visit: func(_ Place, text string) string { return visit(text) }}
	w.value(Place{Free: true})
	if w.out == nil {
		return arguments
	}
	return string(append(w.out, w.doc[w.done:]...))
}

// walker goes through a valid document once.
type walker struct {
	doc   []byte
	at    int
	out   []byte
	done  int // of doc, in out
	visit func(at Place, text string) string
}

func (w *walker) space() {
	for w.at < len(w.doc) && strings.IndexByte(" \t\r\n,:", w.doc[w.at]) >= 0 {
		w.at++
	}
}

func (w *walker) value(p Place) {
	w.space()
	switch w.doc[w.at] {
	case '{':
		w.object(p)
	case '[':
		w.at++
		for w.space(); w.doc[w.at] != ']'; w.space() {
			w.value(p)
		}
		w.at++
	case '"':
		w.text(p, w.token())
	default:
		if token := w.token(); p.Free && token[0] != 't' && token[0] != 'f' && token[0] != 'n' {
			w.number(p, token)
		}
	}
}

func (w *walker) object(p Place) {
	if index := w.index(); index != "" {
		p.Index += index + "/"
	}
	w.at++
	for w.space(); w.doc[w.at] != '}'; w.space() {
		key := w.token()
		member := p
		member.Name = unquoted(key)
		if p.Free {
			member.Name = p.Name
			w.text(p, key)
		} else if w.space(); w.doc[w.at] == '{' {
			member.Free = member.Name == "input" || member.Name == "arguments"
		}
		w.value(member)
	}
	w.at++
}

// index looks ahead for what the object calls its index, since that may stand
// behind what it is the index of.
func (w *walker) index() string {
	start := w.at
	defer func() { w.at = start }()
	w.at++
	for w.space(); w.doc[w.at] != '}'; w.space() {
		key := w.token()
		w.space()
		from := w.at
		w.skip()
		if string(key) == `"index"` {
			return string(w.doc[from:w.at])
		}
	}
	return ""
}

// skip goes behind a value.
func (w *walker) skip() {
	depth := 0
	for {
		w.space()
		switch w.doc[w.at] {
		case '{', '[':
			depth++
			w.at++
		case '}', ']':
			depth--
			w.at++
		default:
			w.token()
		}
		if depth == 0 {
			return
		}
	}
}

// token goes behind a text, a number or a word, and gives it as it is written.
func (w *walker) token() []byte {
	from := w.at
	if w.doc[w.at] != '"' {
		for w.at < len(w.doc) && strings.IndexByte(" \t\r\n,:]}", w.doc[w.at]) < 0 {
			w.at++
		}
		return w.doc[from:w.at]
	}
	for w.at++; w.doc[w.at] != '"'; w.at++ {
		if w.doc[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	return w.doc[from:w.at]
}

func (w *walker) text(p Place, token []byte) {
	text := unquoted(token)
	if with := w.visit(p, text); with != text {
		w.put(token, with)
	}
}

// number becomes a text where it is changed.
func (w *walker) number(p Place, token []byte) {
	if with := w.visit(p, string(token)); with != string(token) {
		w.put(token, with)
	}
}

// put writes a text instead of the token that was read last.
func (w *walker) put(token []byte, with string) {
	from := w.at - len(token)
	w.out = append(append(append(append(w.out, w.doc[w.done:from]...), '"'), quoted(with)...), '"')
	w.done = w.at
}

func unquoted(token []byte) string {
	if inner := string(token[1 : len(token)-1]); !strings.Contains(inner, `\`) {
		return inner
	}
	var text string
	if json.Unmarshal(token, &text) != nil { // the document is valid
		return ""
	}
	return text
}
