package messages

import (
	"strconv"
	"strings"
)

// generation is what a model takes, as far as it differs between them. What is
// a preference, such as a temperature, is left out where a model refuses it;
// what is a promise, such as a schema, is sent and may be refused.
//
// The versions are from Anthropic's migration guides, as of November 2026
// (https://platform.claude.com/docs/en/about-claude/models/migration-guide).
type generation struct{ version }

type version struct{ major, minor int }

func (v version) atLeast(major, minor int) bool {
	return v.major > major || v.major == major && v.minor >= minor
}

// generationOf reads a model's version off its name, in the middle or at the
// end: claude-3-7-sonnet-20250219, claude-opus-4-1@20250805,
// anthropic/claude-sonnet-4.5. A name without one counts as the newest.
func generationOf(model string) generation {
	words := strings.FieldsFunc(model, func(r rune) bool { return strings.ContainsRune("-._@:/", r) })
	for i, word := range words {
		major, ok := number(word)
		if !ok {
			continue
		}
		minor := 0
		if i+1 < len(words) {
			minor, _ = number(words[i+1])
		}
		return generation{version{major, minor}}
	}
	return generation{version{major: 1 << 10}}
}

// number reads one or two digits: longer ones are dates.
func number(word string) (int, bool) {
	if len(word) > 2 {
		return 0, false
	}
	n, err := strconv.Atoi(word)
	return n, err == nil && n >= 0
}

// samples: it takes a temperature, or top_p. Later ones refuse both.
func (g generation) samples() bool { return !g.atLeast(4, 7) }

// adapts: it decides by itself how much to think, guided by an effort.
func (g generation) adapts() bool { return g.atLeast(4, 6) }

// budgets: it thinks within a budget of tokens.
func (g generation) budgets() bool { return g.atLeast(3, 7) && !g.adapts() }

// triesHarder: it knows the effort xhigh.
func (g generation) triesHarder() bool { return g.atLeast(4, 7) }

// thinksUnasked: it thinks unless it is told not to, and not all can be told.
func (g generation) thinksUnasked() bool { return g.atLeast(5, 0) }

// limit is how many tokens are asked for where the caller has no wish, which
// the format insists on. Thinking counts, too.
func (g generation) limit() int {
	const modest, ample = 4096, 16384
	if g.thinksUnasked() {
		return ample
	}
	return modest
}
