package prompt

import (
	"slices"
	"strconv"
)

const (
	shortText  = 15  // words up to which a prompt is called short
	lengthy    = 40  // words from which on their number is told
	longText   = 150 // words from which on it is called long
	noteworthy = 0.3 // log-odds from which on a signal is worth a word
	mentioned  = 2   // signals named beside what the prompt is
)

// Describe says in plain words what the score saw: what kind of prompt it is,
// and the two strongest signals beside that, such as "coding task with
// 3 constraints and 2 references to several parts". It claims only what was counted.
func (f *Features) Describe() string { return string(f.AppendDescription(nil)) }

// AppendDescription appends what Describe says, of which every request is told in
// its reason.
func (f *Features) AppendDescription(b []byte) []byte {
	b, told := f.Counters.appendKind(b)
	return f.Counters.appendDetails(b, told)
}

// appendKind names the prompt, and tells which signals the name already covers.
func (c *Counters) appendKind(b []byte) ([]byte, []Signal) {
	n := c.evidence()
	switch {
	case c.Characters == 0:
		return append(b, "empty prompt"...), nil
	case c.Words == 0 && c.Numbers == 0:
		return append(b, "text without words"...), nil
	case n[Programming] >= 2 || c.CodeFences > 0:
		return append(b, "coding task"...), []Signal{Programming, Unfamiliar}
	case c.Options >= 2:
		return append(b, "multiple-choice question"...), nil
	case c.Numbers >= 2 && n[Relations]+n[Arithmetic] >= 3:
		return append(b, "multi-step arithmetic"...), []Signal{Relations, Arithmetic}
	case c.Numbers >= 2 && c.Operators > 0 && c.Words <= shortText:
		return append(b, "short calculation"...), []Signal{Arithmetic, Mathematics}
	case c.Of(Formal) > 0:
		return append(b, "proof or derivation"...), []Signal{Reasoning}
	case n[Reasoning] >= 2:
		return c.appendSized(b, "task that asks for reasoning"), []Signal{Reasoning, Length}
	default:
		return c.appendPlainKind(b)
	}
}

// appendPlainKind names a prompt that no signal of its own marks.
func (c *Counters) appendPlainKind(b []byte) ([]byte, []Signal) {
	told := []Signal{Length}
	switch {
	case 2*c.NonLatin > c.Letters:
		return c.appendSized(b, "prompt in a non-Latin script"), append(told, Unfamiliar)
	case c.Of(Greeting) > 0 && c.Words <= 4:
		return append(b, "greeting"...), told
	case c.Of(Chore) > 0:
		return c.appendSized(b, "routine language task"), told
	case c.Opening.Has(Asking) && c.Words <= shortText && c.Of(Demand) == 0:
		return append(b, "short factual question"...), told
	case c.Opening.Has(Asking) || c.Questions > 0:
		return c.appendSized(b, "question"), told
	default:
		return c.appendSized(b, "request"), told
	}
}

// appendSized puts short or long before a kind.
func (c *Counters) appendSized(b []byte, kind string) []byte {
	switch {
	case c.Words <= shortText:
		b = append(b, "short "...)
	case c.Words >= longText:
		b = append(b, "long "...)
	}
	return append(b, kind...)
}

// appendDetails phrases the strongest signals that raise the score and are not
// told yet, strongest first.
func (c *Counters) appendDetails(b []byte, told []Signal) []byte {
	points, counts := c.Contributions(), c.evidence()
	before := " with "
	for said := 0; said < mentioned; {
		best := Length
		for s := range Signal(SignalCount) {
			if points[s] > points[best] {
				best = s
			}
		}
		if points[best] < noteworthy {
			break
		}
		points[best] = 0
		untold := best == Length && counts[best] < lengthy
		if !untold && !slices.Contains(told, best) {
			b = c.appendPhrase(append(b, before...), best, counts[best])
			before = " and "
			said++
		}
	}
	return b
}

// appendPhrase puts a signal and its count into words.
func (c *Counters) appendPhrase(b []byte, s Signal, n int) []byte {
	switch s {
	case Length:
		if n > c.Words {
			return appendPlural(b, c.Characters, "character")
		}
		return appendPlural(b, n, "word")
	case Story:
		return append(b, "people acting in it"...)
	case Negations:
		return appendPlural(b, n, "negation")
	case Parts:
		return append(b, "several parts"...)
	case Clauses:
		return appendPlural(b, n, "linked clause")
	case Relations:
		return append(appendPlural(b, n, "relation"), " between quantities"...)
	case Arithmetic:
		return appendPlural(b, c.Numbers, "number")
	case Programming:
		return append(appendPlural(b, n, "hint"), " of code"...)
	case Mathematics:
		return appendPlural(b, n, "mathematical symbol")
	case Reasoning:
		return append(b, "a demand for reasoning"...)
	case Constraints:
		return appendPlural(b, n, "constraint")
	default:
		return append(b, "words outside the English lexicon"...)
	}
}

func appendPlural(b []byte, n int, noun string) []byte {
	b = append(append(strconv.AppendInt(b, int64(n), 10), ' '), noun...)
	if n != 1 {
		b = append(b, 's')
	}
	return b
}
