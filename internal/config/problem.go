package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in the configuration. It never quotes a secret.
type Problem struct {
	Variable string // the environment variable, when the mistake is there
	File     string // the YAML file, when the mistake is there
	Line     int    // its line, from 1
	Message  string // what is wrong
	Hint     string // what to do
}

func (p Problem) Error() string {
	text := p.Message
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	if p.File != "" {
		return fmt.Sprintf("%s line %d: %s", p.File, p.Line, text)
	}
	return p.Variable + ": " + text
}

// Problems are all mistakes of a configuration: those of the environment
// first, then those of the file by line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted gives nil when there is no problem, so that it is no error either.
func (p Problems) sorted() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return p
}

// nearest is the candidate that differs least from word, or "" when none is
// near enough to be what was meant.
func nearest(word string, candidates []string) string {
	best, least := "", min(max(len(word)/3, 1)+1, len(word))
	for _, candidate := range candidates {
		if len(word) > 2 && strings.HasPrefix(candidate, word) {
			return candidate
		}
		if d := distance(strings.ToLower(word), candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// oneOf lists choices as a person would.
func oneOf(choices []string) string {
	if len(choices) == 1 {
		return choices[0]
	}
	return strings.Join(choices[:len(choices)-1], ", ") + " or " + choices[len(choices)-1]
}

// did asks whether the nearest candidate was meant, or else lists them all.
func did(word string, candidates []string) string {
	if near := nearest(word, candidates); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "it can be " + oneOf(candidates)
}
