// Package redact takes out of texts what must not leave: addresses, numbers and
// keys become placeholders such as [EMAIL_1], and come back in an answer where
// that is asked for.
//
// Three things hold for every text: what was redacted is not changed by being
// redacted again; restoring gives the text as it was; and an answer restored
// piece by piece is the one restored whole.
package redact

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Expression is a pattern of an operator's own, in the syntax of RE2.
type Expression struct {
	Name  string // of its placeholders: capital letters, digits and underscores
	Match string // where it has a group, the first one is taken, else all of it
}

// Rules say what is taken out. They are made once and never changed.
type Rules struct{ finders []finder }

// finder finds what one pattern means.
type finder struct {
	name string
	find func(text string) []span // that do not overlap, in order
}

// span is a stretch of a text, in bytes.
type span struct{ from, to int }

// Placeholders are a name and a number between brackets. No pattern sees what
// looks like one.
const maxName = 32

var (
	placeholder = regexp.MustCompile(`\[[A-Z][A-Z0-9_]{0,31}_[1-9][0-9]{0,8}\]`)
	name        = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,31}$`)
)

// IsName reports whether placeholders may be called that.
func IsName(text string) bool { return name.MatchString(text) }

// Check says what is wrong with an expression.
func Check(e Expression) error {
	if !IsName(e.Name) {
		return fmt.Errorf("%q is no name of placeholders: use 1 to %d capital letters, digits and underscores, such as ORDER", e.Name, maxName)
	}
	re, err := regexp.Compile(e.Match)
	if err != nil {
		return fmt.Errorf("the expression of %s cannot be read: %w", e.Name, err)
	}
	if re.MatchString("") {
		return fmt.Errorf("the expression of %s matches the empty text: nothing would be taken out there", e.Name)
	}
	return nil
}

// Compile makes rules of built-in patterns, by their names, and of own
// expressions. Own ones go first.
func Compile(patterns []string, own []Expression) (*Rules, error) {
	r := &Rules{}
	for _, e := range own {
		if err := Check(e); err != nil {
			return nil, err
		}
		r.finders = append(r.finders, finder{e.Name, matching(regexp.MustCompile(e.Match), nil)})
	}
	for _, p := range patterns {
		if !slices.Contains(Patterns(), p) {
			return nil, fmt.Errorf("there is no pattern %q: there are %s", p, strings.Join(Patterns(), ", "))
		}
	}
	for _, b := range builtin() {
		if slices.Contains(patterns, b.pattern) {
			r.finders = append(r.finders, b.finder)
		}
	}
	return r, nil
}

// matching finds what an expression matches: its first group that matched, or
// all of it. valid may refuse a match; nil takes all.
func matching(re *regexp.Regexp, valid func(text string, s span) bool) func(string) []span {
	return func(text string) (found []span) {
		for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
			s := span{m[0], m[1]}
			for i := 2; i+1 < len(m); i += 2 {
				if m[i] >= 0 {
					s = span{m[i], m[i+1]}
					break
				}
			}
			if s.from < s.to && (valid == nil || valid(text, s)) {
				found = append(found, s)
			}
		}
		return found
	}
}

// Taken is what was taken out of one request: the same value has the same
// placeholder in all of its texts. It is not safe for concurrent use.
type Taken struct {
	rules    *Rules
	by       map[string]string // value → placeholder
	of       map[string]string // placeholder → value
	reserved map[string]bool   // placeholders that were there before
	counts   map[string]int    // by name
}

// Begin begins with a request.
func (r *Rules) Begin() *Taken {
	return &Taken{rules: r, by: map[string]string{}, of: map[string]string{}, reserved: map[string]bool{}, counts: map[string]int{}}
}

// Reserve keeps free what looks like a placeholder in a text: it stays what it
// is. All texts are looked at before the first one is redacted.
func (t *Taken) Reserve(text string) {
	if strings.Contains(text, "[") {
		for _, p := range placeholder.FindAllString(text, -1) {
			t.reserved[p] = true
		}
	}
}

// Redact takes out of a text what the rules find, until they find nothing more:
// what is taken out can bring something else to the edge of a word. It ends,
// since each time less of the text is left.
func (t *Taken) Redact(text string) string {
	for {
		before := text
		for _, f := range t.rules.finders {
			text = t.replace(text, f)
		}
		if text == before {
			return text
		}
	}
}

// replace looks between the placeholders that there are.
func (t *Taken) replace(text string, f finder) string {
	var out strings.Builder
	done := 0
	between := func(from, to int) {
		for _, s := range f.find(text[from:to]) {
			out.WriteString(text[done : from+s.from])
			out.WriteString(t.take(f.name, text[from+s.from:from+s.to]))
			done = from + s.to
		}
	}
	from := 0
	if strings.Contains(text, "[") {
		for _, p := range placeholder.FindAllStringIndex(text, -1) {
			between(from, p[0])
			from = p[1]
		}
	}
	between(from, len(text))
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

func (t *Taken) take(name, value string) string {
	if p, known := t.by[value]; known {
		return p
	}
	for {
		t.counts[name]++
		p := "[" + name + "_" + strconv.Itoa(t.counts[name]) + "]"
		if !t.reserved[p] {
			t.by[value], t.of[p] = p, value
			return p
		}
	}
}

// errPlaceholder says that somebody else's placeholder cannot be one.
var errPlaceholder = errors.New("names a placeholder that is none, or that stands for something else: write it like [PERSON_1]")

// Add takes placeholders with their values from somebody else, for texts that
// Redact is done with.
func (t *Taken) Add(values map[string]string) error {
	for p, value := range values {
		if before, known := t.of[p]; p == "" || placeholder.FindString(p) != p || t.reserved[p] || known && before != value {
			return errPlaceholder
		}
	}
	for p, value := range values {
		t.of[p] = value
	}
	return nil
}

// Len is how many placeholders there are.
func (t *Taken) Len() int { return len(t.of) }
