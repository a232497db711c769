package prompt

import (
	"fmt"
	"slices"
	"strings"
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
func (f *Features) Describe() string {
	kind, told := f.Counters.kind()
	details := f.Counters.details(told)
	if len(details) == 0 {
		return kind
	}
	return kind + " with " + strings.Join(details, " and ")
}

// kind names the prompt, and tells which signals the name already covers.
func (c *Counters) kind() (string, []Signal) {
	n := c.evidence()
	switch {
	case c.Characters == 0:
		return "empty prompt", nil
	case c.Words == 0 && c.Numbers == 0:
		return "text without words", nil
	case n[Programming] >= 2 || c.CodeFences > 0:
		return "coding task", []Signal{Programming, Unfamiliar}
	case c.Options >= 2:
		return "multiple-choice question", nil
	case c.Numbers >= 2 && n[Relations]+n[Arithmetic] >= 3:
		return "multi-step arithmetic", []Signal{Relations, Arithmetic}
	case c.Numbers >= 2 && c.Operators > 0 && c.Words <= shortText:
		return "short calculation", []Signal{Arithmetic, Mathematics}
	case c.Of(Formal) > 0:
		return "proof or derivation", []Signal{Reasoning}
	case n[Reasoning] >= 2:
		return c.sized("task that asks for reasoning"), []Signal{Reasoning, Length}
	default:
		return c.plainKind()
	}
}

// plainKind names a prompt that no signal of its own marks.
func (c *Counters) plainKind() (string, []Signal) {
	told := []Signal{Length}
	switch {
	case 2*c.NonLatin > c.Letters:
		return c.sized("prompt in a non-Latin script"), append(told, Unfamiliar)
	case c.Of(Greeting) > 0 && c.Words <= 4:
		return "greeting", told
	case c.Of(Chore) > 0:
		return c.sized("routine language task"), told
	case c.Opening.Has(Asking) && c.Words <= shortText && c.Of(Demand) == 0:
		return "short factual question", told
	case c.Opening.Has(Asking) || c.Questions > 0:
		return c.sized("question"), told
	default:
		return c.sized("request"), told
	}
}

// sized puts short or long before a kind.
func (c *Counters) sized(kind string) string {
	switch {
	case c.Words <= shortText:
		return "short " + kind
	case c.Words >= longText:
		return "long " + kind
	default:
		return kind
	}
}

// details phrases the strongest signals that raise the score and are not
// told yet, strongest first.
func (c *Counters) details(told []Signal) []string {
	points, counts := c.Contributions(), c.evidence()
	var details []string
	for len(details) < mentioned {
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
			details = append(details, c.phrase(best, counts[best]))
		}
	}
	return details
}

// phrase puts a signal and its count into words.
func (c *Counters) phrase(s Signal, n int) string {
	switch s {
	case Length:
		if n > c.Words {
			return plural(c.Characters, "character")
		}
		return plural(n, "word")
	case Story:
		return "people acting in it"
	case Negations:
		return plural(n, "negation")
	case Parts:
		return "several parts"
	case Clauses:
		return plural(n, "linked clause")
	case Relations:
		return plural(n, "relation") + " between quantities"
	case Arithmetic:
		return plural(c.Numbers, "number")
	case Programming:
		return plural(n, "hint") + " of code"
	case Mathematics:
		return plural(n, "mathematical symbol")
	case Reasoning:
		return "a demand for reasoning"
	case Constraints:
		return plural(n, "constraint")
	default:
		return "words outside the English lexicon"
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
