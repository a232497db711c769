package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault says what is wrong with one field of a document. The message goes on
// where the field's name ends: "max_tokens" "is 0, must be …".
type Fault struct {
	Field   string `json:"field"` // its path, such as messages[2].content; "" is the whole document
	Code    string `json:"-"`
	Message string `json:"message"`
}

// Codes of faults, in OpenAI's words.
const (
	CodeMissing = "missing_required_parameter"
	CodeType    = "invalid_type"
	CodeValue   = "invalid_value"
	CodeJSON    = "invalid_json" // the document as such cannot be read
)

// InvalidError lists what is wrong with a document.
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

// Unreadable reports that the document as such is wrong, not a field of it.
func (e *InvalidError) Unreadable() bool { return e.Faults[0].Code == CodeJSON }

// Unreadable is the error of what cannot be read at all.
func Unreadable(format string, args ...any) error {
	return &InvalidError{Faults: []Fault{{Code: CodeJSON, Message: fmt.Sprintf(format, args...)}}}
}

// Invalid is the error of one field whose value is wrong.
func Invalid(field, format string, args ...any) error {
	var f Faults
	f.Add(CodeValue, field, format, args...)
	return f.Err()
}

// Faults collects what is wrong with a document. Whoever reads a field knows
// its own name only; those around it add theirs by Within, so that a path
// costs nothing until there is a fault.
type Faults struct {
	found []Fault
	more  int
}

// maxFaults bounds an answer: nobody repairs more at once, and a body of half
// a million unknown fields shall not be answered with ten times its size.
const maxFaults = 100

// Add notes a fault of a field.
func (f *Faults) Add(code, field, format string, args ...any) {
	if len(f.found) == maxFaults {
		f.more++
		return
	}
	f.found = append(f.found, Fault{Cut(field), code, fmt.Sprintf(format, args...)})
}

// Missing is a fault of a field that nothing else is wrong with.
func (f *Faults) Missing(field string) {
	if !slices.ContainsFunc(f.found, func(found Fault) bool { return found.Field == field }) {
		f.Add(CodeMissing, field, "is missing")
	}
}

// Count is how many there are so far.
func (f *Faults) Count() int { return len(f.found) + f.more }

// Within puts the path of what was added since there were n faults below
// parent.
func (f *Faults) Within(n int, parent string) {
	for i := min(n, len(f.found)); i < len(f.found); i++ {
		f.found[i].Field = Below(parent, f.found[i].Field)
	}
}

// Below is the path of a field, or of a list's entry, in parent.
func Below(parent, field string) string {
	if field == "" || field[0] == '[' {
		return parent + field
	}
	return parent + "." + field
}

// Sort orders them by their fields, where they were found in no certain order.
func (f *Faults) Sort() {
	slices.SortFunc(f.found, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
	})
}

// Err is an *InvalidError, or nil when nothing is wrong.
func (f *Faults) Err() error {
	if len(f.found) == 0 {
		return nil
	}
	return &InvalidError{f.found, f.more}
}

// Cut keeps what callers sent short enough to be shown to them.
func Cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
