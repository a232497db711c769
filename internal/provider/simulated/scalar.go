package simulated

import (
	"fmt"
	"math"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// number writes a number near 1, or near 17 when the answer is bad, within the
// bounds, or somewhere else within them for another nth. It is whole unless
// that leaves little room.
func (a *author) number(s map[string]any, nth int) float64 {
	want, step := 1.0, 1.0
	if !a.good {
		want = 17
	}
	if of := number(s, "multipleOf", 0); of > 0 {
		step = of
	} else if s["type"] != "integer" {
		step = fraction(s)
	}
	low, high := bounds(s)
	least, most := math.Ceil(low/step), math.Floor(high/step)
	steps := max(least, min(most, math.Ceil(want/step))) + float64(nth)
	switch {
	case steps <= most:
	case math.IsInf(least, -1):
		steps = most - float64(nth)
	default:
		steps = least + math.Mod(steps-least, most-least+1)
	}
	if math.IsInf(steps, 0) || math.IsNaN(steps) || math.IsInf(steps*step, 0) {
		return 0
	}
	return steps * step
}

// bounds are the least and the greatest number that s accepts.
func bounds(s map[string]any) (low, high float64) {
	low, high = number(s, "minimum", math.Inf(-1)), number(s, "maximum", math.Inf(1))
	if above, ok := s["exclusiveMinimum"].(float64); ok {
		low = max(low, math.Nextafter(above, math.Inf(1)))
	}
	if below, ok := s["exclusiveMaximum"].(float64); ok {
		high = min(high, math.Nextafter(below, math.Inf(-1)))
	}
	return low, high
}

// fraction is the step at which the bounds of a number leave some room.
func fraction(s map[string]any) float64 {
	low, high := bounds(s)
	if room := high - low; room > 0 && room < 2 {
		return math.Exp2(math.Floor(math.Log2(room)) - 3)
	}
	return 1
}

func number(s map[string]any, name string, otherwise float64) float64 {
	if n, ok := s[name].(float64); ok {
		return n
	}
	return otherwise
}

// text writes a string.
func (a *author) text(s map[string]any, nth int) string {
	if format, ok := s["format"].(string); ok {
		if example, ok := inFormat(format, nth); ok {
			return example
		}
	}
	if pattern, ok := s["pattern"].(string); ok {
		if example, ok := matching(pattern); ok {
			return example
		}
	}
	text := a.topic
	if !a.good || text == "" {
		text = "17, or the other one"
	}
	if nth > 0 {
		text = fmt.Sprintf("%d: %s", nth+1, text)
	}
	least := int(min(number(s, "minLength", 0), maxRunes))
	if n := utf8.RuneCountInString(text); n < least {
		text += strings.Repeat(".", least-n)
	}
	most := int(min(number(s, "maxLength", maxRunes), maxRunes))
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:max(0, most)])
	}
	return text
}

// inFormat is an example of what JSON Schema calls a format.
func inFormat(format string, nth int) (string, bool) {
	nth %= 28
	switch format {
	case "date":
		return fmt.Sprintf("2026-01-%02d", 1+nth), true
	case "date-time":
		return fmt.Sprintf("2026-01-%02dT09:30:00Z", 1+nth), true
	case "time":
		return fmt.Sprintf("09:%02d:00Z", nth), true
	case "duration":
		return fmt.Sprintf("PT%dH", 1+nth), true
	case "email", "idn-email":
		return fmt.Sprintf("someone%d@example.com", 1+nth), true
	case "hostname", "idn-hostname":
		return fmt.Sprintf("host%d.example.com", 1+nth), true
	case "ipv4":
		return fmt.Sprintf("192.0.2.%d", 1+nth), true
	case "ipv6":
		return fmt.Sprintf("2001:db8::%d", 1+nth), true
	case "uri", "url", "iri":
		return fmt.Sprintf("https://example.com/%d", 1+nth), true
	case "uuid":
		return fmt.Sprintf("00000000-0000-4000-8000-%012d", 1+nth), true
	}
	return "", false
}

// matching is a short string that a pattern accepts; false where the pattern is
// in a dialect that cannot be read.
func matching(pattern string) (string, bool) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	match(&b, parsed)
	return b.String(), b.Len() <= maxRunes
}

func match(b *strings.Builder, r *syntax.Regexp) {
	if b.Len() > maxRunes {
		return
	}
	switch r.Op {
	case syntax.OpLiteral:
		b.WriteString(string(r.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(r.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpRepeat:
		for range r.Min {
			match(b, r.Sub[0])
		}
	case syntax.OpAlternate, syntax.OpPlus, syntax.OpCapture:
		match(b, r.Sub[0])
	case syntax.OpConcat:
		for _, sub := range r.Sub {
			match(b, sub)
		}
	}
}

// oneOf takes a plain character of a class, which is given as pairs of first
// and last, where it has one.
func oneOf(class []rune) rune {
	if len(class) == 0 {
		return 'a'
	}
	for _, plain := range "a0A_- " {
		for pair := range slices.Chunk(class, 2) {
			if pair[0] <= plain && plain <= pair[1] {
				return plain
			}
		}
	}
	return class[0]
}
