package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// FieldError says what is wrong with one field of a request. The message goes
// on where the field's name ends: "max_tokens" "is 0, must be …".
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// faults collects what is wrong with a request.
type faults struct {
	found []FieldError
	more  int // found beyond the limit
}

// maxFaults bounds an answer: nobody repairs more at once, and a body of half
// a million unknown fields shall not be answered with ten times its size.
const maxFaults = 100

func (f *faults) add(field, format string, args ...any) {
	if len(f.found) == maxFaults {
		f.more++
		return
	}
	f.found = append(f.found, FieldError{cut(field), fmt.Sprintf(format, args...)})
}

func (f *faults) count() int { return len(f.found) + f.more }

// err is nil when nothing is wrong.
func (f *faults) err() error {
	if f.count() == 0 {
		return nil
	}
	slices.SortFunc(f.found, func(a, b FieldError) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
	})
	return &invalidError{fields: f.found, more: f.more}
}

// invalidError lists every field of a request that is wrong.
type invalidError struct {
	fields []FieldError
	more   int // that are wrong beyond these
}

// Error reads as a sentence about the first few fields, for those who only
// look at the detail of a problem.
func (e *invalidError) Error() string {
	const most = 3
	var parts []string
	for _, f := range e.fields[:min(len(e.fields), most)] {
		parts = append(parts, f.Field+" "+f.Message)
	}
	if left := len(e.fields) - len(parts) + e.more; left > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(parts, "; ")
}

func invalid(field, format string, args ...any) error {
	var f faults
	f.add(field, format, args...)
	return f.err()
}

// cut keeps what callers sent short enough to be shown to them.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// show gives a JSON value, where it is long only its kind.
func show(raw []byte) string {
	switch {
	case len(raw) == 0:
		return "empty"
	case raw[0] == '{':
		return "an object"
	case raw[0] == '[':
		return "a list"
	case raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil || len(s) > 32 {
			return "a string"
		}
	}
	return cut(string(raw))
}

// storable reports whether PostgreSQL can store s as text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// halfSurrogate reports whether a JSON string escapes half of a surrogate
// pair. The decoder would put a replacement character there in silence.
func halfSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // the escape; raw is valid JSON, so there is one
		if raw[i] != 'u' {
			continue
		}
		half := surrogate(raw[i+1 : i+5])
		i += 4
		switch {
		case half == lowHalf:
			return true
		case half == highHalf:
			paired := i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' && surrogate(raw[i+3:i+7]) == lowHalf
			if !paired {
				return true
			}
			i += 6
		}
	}
	return false
}

type half int

const (
	noHalf half = iota
	highHalf
	lowHalf
)

// surrogate says which half of a pair four hexadecimal digits are: d800 to
// dbff the high one, dc00 to dfff the low one.
func surrogate(hex []byte) half {
	if hex[0]|0x20 != 'd' || hex[1] < '8' {
		return noHalf
	}
	if hex[1] <= '9' || hex[1]|0x20 <= 'b' {
		return highHalf
	}
	return lowHalf
}
