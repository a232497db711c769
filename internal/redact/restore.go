package redact

import (
	"encoding/json"
	"slices"
	"strings"
)

// Restorer puts back into an answer what was taken out of its request. It is
// safe for concurrent use.
type Restorer struct {
	placeholders []string // sorted
	values       map[string]string
}

// Restorer is what puts all that was taken back; nil where that is nothing.
func (t *Taken) Restorer() *Restorer {
	if len(t.of) == 0 {
		return nil
	}
	r := &Restorer{values: t.of}
	for p := range t.of {
		r.placeholders = append(r.placeholders, p)
	}
	slices.Sort(r.placeholders)
	return r
}

// Text restores a whole text. asJSON is for texts that are JSON themselves:
// values are written as they stand between quotes there.
func (r *Restorer) Text(text string, asJSON bool) string {
	if !strings.Contains(text, "[") {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		value, known := r.values[p]
		switch {
		case !known:
			return p
		case asJSON:
			return quoted(value)
		}
		return value
	})
}

// quoted is a text as it stands between the quotes of JSON.
func quoted(text string) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(text) != nil { // a text always can be
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")[1 : out.Len()-2]
}

// Piecewise restores a text that comes in pieces. What may be the beginning of
// a placeholder is held back until it is known.
type Piecewise struct {
	AsJSON bool // as for Text
	*Restorer

	held string
}

// Next takes a piece and gives what can be said by now.
func (p *Piecewise) Next(piece string) string {
	text := p.held + piece
	cut := p.begun(text)
	p.held = text[cut:]
	return p.Text(text[:cut], p.AsJSON)
}

// Rest gives what was held back: it did not become a placeholder.
func (p *Piecewise) Rest() string {
	rest := p.held
	p.held = ""
	return rest
}

// Holds reports whether something is held back.
func (p *Piecewise) Holds() bool { return p.held != "" }

// begun is where a placeholder begins that text does not end: brackets open
// nothing else in one.
func (p *Piecewise) begun(text string) int {
	at := strings.LastIndexByte(text, '[')
	if at < 0 {
		return len(text)
	}
	rest := text[at:]
	i, _ := slices.BinarySearch(p.placeholders, rest)
	if i < len(p.placeholders) && p.placeholders[i] != rest && strings.HasPrefix(p.placeholders[i], rest) {
		return at
	}
	return len(text)
}
