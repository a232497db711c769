package chat

import (
	"fmt"
	"slices"
	"strings"
)

// Fault says what is wrong with one field of a request. The message goes on
// where the field's name ends: "max_tokens" "is 0, must be …".
type Fault struct {
	Field   string // its path, such as messages[2].content; "" is the whole body
	Code    string // in OpenAI's words
	Message string
}

// Codes of faults.
const (
	CodeMissing = "missing_required_parameter"
	CodeType    = "invalid_type"
	CodeValue   = "invalid_value"
	CodeJSON    = "invalid_json" // the body as such cannot be read
)

// InvalidError lists what is wrong with a request, in the order in which it
// was found.
type InvalidError struct {
	Faults []Fault // at least one
	More   int     // found beyond these
}

// Error reads as a sentence about the first few faults.
func (e *InvalidError) Error() string {
	const most = 3
	var parts []string
	for _, f := range e.Faults[:min(len(e.Faults), most)] {
		parts = append(parts, strings.TrimSpace(f.Field+" "+f.Message))
	}
	if left := len(e.Faults) - len(parts) + e.More; left > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(parts, "; ")
}

// faults collects what is wrong with a request. Whoever reads a field knows
// its own name only; those around it add theirs by within, so that a path
// costs nothing until there is a fault.
type faults struct {
	found []Fault
	more  int
}

// maxFaults bounds an answer: nobody repairs more at once.
const maxFaults = 100

func (f *faults) add(code, field, format string, args ...any) {
	if len(f.found) == maxFaults {
		f.more++
		return
	}
	f.found = append(f.found, Fault{cut(field), code, fmt.Sprintf(format, args...)})
}

// missing is a fault of a field that nothing else is wrong with.
func (f *faults) missing(field string) {
	if !slices.ContainsFunc(f.found, func(found Fault) bool { return found.Field == field }) {
		f.add(CodeMissing, field, "is missing")
	}
}

// within puts the path of what was added since there were already n faults
// below parent.
func (f *faults) within(n int, parent string) {
	for i := range f.found[n:] {
		field := &f.found[n+i].Field
		*field = below(parent, *field)
	}
}

// withinEntry is within for the entry of a list.
func (f *faults) withinEntry(n, entry int) {
	if len(f.found) > n {
		f.within(n, fmt.Sprintf("[%d]", entry))
	}
}

func below(parent, field string) string {
	if field == "" || field[0] == '[' {
		return parent + field
	}
	return parent + "." + field
}

// err is nil when nothing is wrong.
func (f *faults) err() error {
	if len(f.found) == 0 {
		return nil
	}
	return &InvalidError{f.found, f.more}
}

// broken is the error of a body that cannot be read at all.
func broken(format string, args ...any) error {
	return &InvalidError{Faults: []Fault{{Code: CodeJSON, Message: fmt.Sprintf(format, args...)}}}
}

// cut keeps what callers sent short enough to be shown to them.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
