package redact

import (
	"regexp"
	"slices"
	"strings"
)

// known is a built-in pattern.
type known struct {
	pattern string
	finder
}

// builtin are in the order in which they look: what is longer and surer first.
func builtin() []known {
	return []known{
		{"secret", finder{"SECRET", containing(hasSecret, matching(secrets, nil))}},
		{"email", finder{"EMAIL", containing(hasAt, afterEscapes(matching(emails, nil)))}},
		{"iban", finder{"IBAN", containing(hasDigits, findIBANs)}},
		{"card", finder{"CARD", containing(hasDigits, findCards)}},
		{"phone", finder{"PHONE", containing(hasDigits, matching(phones, alone))}},
	}
}

// Patterns names the built-in patterns.
func Patterns() []string { return []string{"email", "phone", "card", "iban", "secret"} }

// containing spares texts in which nothing can be found.
func containing(may func(string) bool, find func(string) []span) func(string) []span {
	return func(text string) []span {
		if !may(text) {
			return nil
		}
		return find(text)
	}
}

func hasAt(text string) bool { return strings.Contains(text, "@") }

// leastDigits is how many the shortest number has that is looked for.
const leastDigits = 8

func hasDigits(text string) bool {
	n := 0
	for i := range len(text) {
		if isDigit(text[i]) {
			if n++; n == leastDigits {
				return true
			}
		}
	}
	return false
}

const (
	local  = `[\p{L}\p{N}._%+'-]*[\p{L}\p{N}_%+-]`
	domain = `(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+\p{L}{2,}`
)

var emails = regexp.MustCompile(local + `@` + domain)

// afterEscapes lets no match begin with the letter of an escape, as of a line's
// end in JSON or code: it would not be the address that is meant.
func afterEscapes(find func(string) []span) func(string) []span {
	return func(text string) []span {
		found := find(text)
		for i, s := range found {
			if s.from > 0 && text[s.from-1] == '\\' && strings.IndexByte("nrtbf", text[s.from]) >= 0 && text[s.from+1] != '@' {
				found[i].from++
			}
		}
		return found
	}
}

// secrets are keys by the forms that vendors give theirs, and what stands
// beside a word that says so.
var secrets = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----` +
	`|\bsk-[A-Za-z0-9_-]{16,}|\bsk_(?:live|test)_[A-Za-z0-9]{16,}|\bbusu_[a-z2-7]{59}|\bwhsec_[A-Za-z0-9+/=]{24,}` +
	`|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}` +
	`|\bglpat-[A-Za-z0-9_-]{20,}|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bnpm_[A-Za-z0-9]{36}|\bhf_[A-Za-z0-9]{30,}` +
	`|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+` +
	`|(?i:\bbearer)\s+([A-Za-z0-9._~+/-]{20,}=*)` +
	`|://[^/\s:@]*:([^/\s@]+)@` +
	`|(?i:\b(?:[a-z0-9]+[_-])?(?:api[_-]?key|secret|passwor[dt]|passwd|access[_-]?token|auth[_-]?token))["']?\s*[:=]\s*["']?([^\s"',;\[\]]{8,})`)

// hasSecret looks for signs that a secret cannot be without.
func hasSecret(text string) bool {
	return len(text) >= leastDigits && strings.ContainsAny(text, "-_:=.AEae")
}

// phones begin with a plus, or are written as in North America, in France, or
// with an area code that begins with 0.
var phones = regexp.MustCompile(`\+[1-9](?:[ ().\-/]{0,2}[0-9]){7,14}` +
	`|(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[.-][0-9]{4}` +
	`|0[1-9](?:[ .-]?[0-9]{2}){4}` +
	`|\(?0[0-9]{2,4}(?:\) ?|[ /-])[0-9]{3}(?:[ -]?[0-9]){2,8}`)

// alone reports whether a number is no part of a longer word or number.
func alone(text string, s span) bool {
	if s.from > 0 && (isWord(text[s.from-1]) || text[s.from-1] == '+') {
		return false
	}
	if s.from > 1 && strings.IndexByte(".,-", text[s.from-1]) >= 0 && isDigit(text[s.from-2]) {
		return false
	}
	if s.to < len(text) && isWord(text[s.to]) {
		return false
	}
	return s.to+1 >= len(text) || strings.IndexByte(".,-", text[s.to]) < 0 || !isDigit(text[s.to+1])
}

// isWord reports whether a byte belongs to a word; of letters beyond ASCII all
// do.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_' || c >= 0x80
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

const (
	leastCard, mostCard = 13, 19 // digits (ISO/IEC 7812)
	leastIBAN, mostIBAN = 15, 34 // letters and digits (ISO 13616)
)

// findCards looks for numbers with the check digit of ISO/IEC 7812, in groups
// or in one.
func findCards(text string) (found []span) {
	for i := 0; i < len(text); {
		if s, ok := longest(text, i, isDigit, leastCard, mostCard, isCard); ok {
			found = append(found, s)
			i = s.to
			continue
		}
		i++
	}
	return found
}

// findIBANs looks for account numbers with the check digits of ISO 13616.
func findIBANs(text string) (found []span) {
	for i := 0; i+3 < len(text); {
		if isUpper(text[i]) && isUpper(text[i+1]) && isDigit(text[i+2]) && isDigit(text[i+3]) {
			if s, ok := longest(text, i, func(c byte) bool { return isUpper(c) || isDigit(c) }, leastIBAN, mostIBAN, isIBAN); ok {
				found = append(found, s)
				i = s.to
				continue
			}
		}
		i++
	}
	return found
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// longest is the longest number that begins at from, ends with a group, is alone
// and right. Groups are parted by one space or dash each.
func longest(text string, from int, belongs func(byte) bool, least, most int, right func(string) bool) (span, bool) {
	if !belongs(text[from]) || from > 0 && isWord(text[from-1]) {
		return span{}, false
	}
	digits := make([]byte, 0, most)
	var ends []span // to is the end in text, from that in digits
	for i := from; i < len(text) && len(digits) < most; i++ {
		switch c := text[i]; {
		case belongs(c):
			digits = append(digits, c)
			if i+1 == len(text) || !isWord(text[i+1]) {
				ends = append(ends, span{len(digits), i + 1})
			}
			continue
		case (c == ' ' || c == '-') && i+1 < len(text) && belongs(text[i+1]):
			continue
		}
		break
	}
	for _, end := range slices.Backward(ends) {
		s := span{from, end.to}
		if end.from >= least && alone(text, s) && right(string(digits[:end.from])) {
			return s, true
		}
	}
	return span{}, false
}

// isCard holds the first digit against the industries that issue cards, and the
// last one against Luhn's sum.
func isCard(digits string) bool {
	if digits[0] < '2' || digits[0] > '6' {
		return false
	}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// isIBAN takes the number modulo 97 with its first four signs behind the
// others and letters as 10 to 35: that is 1 (ISO 7064).
func isIBAN(account string) bool {
	rest := 0
	for _, c := range []byte(account[4:] + account[:4]) {
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest == 1
}
