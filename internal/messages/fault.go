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

// faults collects what is wrong with a request.
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
	f.found = append(f.found, Fault{field, fmt.Sprintf(format, args...)})
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
