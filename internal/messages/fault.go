package messages

import (
	"fmt"
	"strings"
)

// Fault says what is wrong with one field of a request. The message goes on
// where the field's name ends: "max_tokens" "is -1, must be …".
type Fault struct {
	Field   string // its path, such as messages[2].content[0].text; "" is the whole body
	Message string
}

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

func (f *faults) add(field, format string, args ...any) {
	if len(f.found) == maxFaults {
		f.more++
		return
	}
	f.found = append(f.found, Fault{shown(field), fmt.Sprintf(format, args...)})
}

// within puts what was added since there were n faults below parent.
func (f *faults) within(n int, parent string) {
	for i := range f.found[n:] {
		field := &f.found[n+i].Field
		if *field == "" || (*field)[0] == '[' {
			*field = parent + *field
		} else {
			*field = parent + "." + *field
		}
	}
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
	return &InvalidError{Faults: []Fault{{Message: fmt.Sprintf(format, args...)}}}
}

// shown keeps what callers sent short enough to be shown to them.
func shown(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
