package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/busuhq/busu/internal/pricing"
)

// The methods below write into their target only what is right, so that after
// a mistake the default stands and reading can go on.

// text reads a string of at most 256 bytes.
func (v value) text(into *string) bool {
	node, ok := v.node.(*ast.StringNode)
	if !ok {
		v.wrong(v.path+" must be text, but is "+v.kind(), "write a word, or a text in quotes")
		return false
	}
	if len(node.Value) > 256 || strings.ContainsFunc(node.Value, isControl) {
		v.wrong(v.path+" is longer than 256 bytes or holds control characters", "shorten it")
		return false
	}
	*into = node.Value
	return true
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }

// filled reads a string that is not empty.
func (v value) filled(into *string) bool {
	var s string
	if !v.text(&s) {
		return false
	}
	if strings.TrimSpace(s) != s || s == "" {
		v.wrong(v.path+" is empty or begins or ends with a space", "give it a value or leave the line out")
		return false
	}
	*into = s
	return true
}

// choice reads one of a few words.
func (v value) choice(into *string, choices ...string) bool {
	var word string
	if !v.text(&word) {
		return false
	}
	for _, c := range choices {
		if word == c {
			*into = word
			return true
		}
	}
	v.wrong(fmt.Sprintf("%s cannot be %q", v.path, shorten(word)), did(word, choices))
	return false
}

// flag reads true or false.
func (v value) flag(into *bool) bool {
	node, ok := v.node.(*ast.BoolNode)
	if !ok {
		v.wrong(v.path+" must be true or false, but is "+v.kind(), "write true or false, without quotes")
		return false
	}
	*into = node.Value
	return true
}

// literal gives a number as it is written; no float may round a price.
func (v value) literal() (string, bool) {
	switch v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return v.node.GetToken().Value, true
	}
	return "", false
}

// integer reads a whole number within limits.
func (v value) integer(into *int64, least, most int64) bool {
	text, ok := v.literal()
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		v.wrong(v.path+" must be a whole number, but is "+v.kindOfNumber(), fmt.Sprintf("it can be %d to %d", least, most))
		return false
	}
	if n < least || n > most {
		v.wrong(fmt.Sprintf("%s is %d", v.path, n), fmt.Sprintf("it can be %d to %d", least, most))
		return false
	}
	*into = n
	return true
}

func (v value) count(into *int, least, most int64) bool {
	n := int64(*into)
	ok := v.integer(&n, least, most)
	*into = int(n)
	return ok
}

// kindOfNumber says why a node is not the number that was wanted.
func (v value) kindOfNumber() string {
	if text, ok := v.literal(); ok {
		return shorten(text)
	}
	if v.kind() == "a number" {
		return "not a finite one"
	}
	return v.kind()
}

// number reads a decimal number within limits.
func (v value) number(into *float64, least, most float64) bool {
	text, ok := v.literal()
	n, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || math.IsNaN(n) {
		v.wrong(v.path+" must be a number, but is "+v.kindOfNumber(), "it can be "+decimal(least)+" to "+decimal(most))
		return false
	}
	if n < least || n > most {
		v.wrong(fmt.Sprintf("%s is %s", v.path, shorten(text)), "it can be "+decimal(least)+" to "+decimal(most))
		return false
	}
	*into = n
	return true
}

// price reads US dollars per million tokens, exactly.
func (v value) price(into *pricing.Nanos) bool { return v.dollars(into, "per million tokens") }

// dollars reads US dollars for something, exactly.
func (v value) dollars(into *pricing.Nanos, forWhat string) bool {
	text, ok := v.literal()
	if !ok {
		v.wrong(v.path+" must be a number of US dollars, but is "+v.kindOfNumber(), "write it like 0.15, without quotes or a currency")
		return false
	}
	nanos, err := pricing.ParseUSD(text)
	switch {
	case err != nil:
		v.wrong(fmt.Sprintf("%s: %v", v.path, err), "write US dollars "+forWhat+", like 0.15")
	case nanos < 0:
		v.wrong(fmt.Sprintf("%s is negative", v.path), "a model that costs nothing has the price 0")
	case nanos > pricing.MaxPerMillion:
		v.wrong(fmt.Sprintf("%s is %s dollars %s", v.path, nanos, forWhat), "no model costs more than 10000; is it another unit?")
	default:
		*into = nanos
		return true
	}
	return false
}

// duration reads Go's durations and days, such as 20ms, 5m, 90d; a bare 0 too.
func (v value) duration(into *time.Duration, least, most time.Duration) bool {
	const hint = "write a duration such as 20ms, 60s, 15m, 24h or 90d"
	text, isNumber := v.literal()
	if node, isText := v.node.(*ast.StringNode); isText {
		text = node.Value
	} else if !isNumber {
		v.wrong(v.path+" must be a duration, but is "+v.kindOfNumber(), hint)
		return false
	}
	d, err := parseDuration(text)
	if err != nil {
		v.wrong(fmt.Sprintf("%s: %q is no duration", v.path, shorten(text)), hint)
		return false
	}
	if d < least || d > most {
		v.wrong(fmt.Sprintf("%s is %s", v.path, shorten(text)), fmt.Sprintf("it can be %s to %s", formatDuration(least), formatDuration(most)))
		return false
	}
	*into = d
	return true
}

// bytes reads a size such as 2GiB, 500MB or a number of bytes.
func (v value) bytes(into *int64, least, most int64) bool {
	const hint = "write a size such as 512MiB or 2GiB"
	text, isNumber := v.literal()
	if node, isText := v.node.(*ast.StringNode); isText {
		text = node.Value
	} else if !isNumber {
		v.wrong(v.path+" must be a size, but is "+v.kindOfNumber(), hint)
		return false
	}
	n, err := parseBytes(text)
	if err != nil {
		v.wrong(fmt.Sprintf("%s: %q is no size in bytes", v.path, shorten(text)), hint)
		return false
	}
	if n < least || n > most {
		v.wrong(fmt.Sprintf("%s is %s", v.path, shorten(text)), fmt.Sprintf("it can be %s to %s", formatBytes(least), formatBytes(most)))
		return false
	}
	*into = n
	return true
}
