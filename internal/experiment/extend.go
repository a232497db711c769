package experiment

import (
	"time"

	"github.com/busuhq/busu/internal/document"
)

// Extension is how callers ask for a larger sample or a longer time.
type Extension struct {
	SampleSize  int       `json:"sample_size,omitempty"`  // in all; 0: as it is
	MaxDuration *Duration `json:"max_duration,omitempty"` // from the start on
	Note        string    `json:"note,omitempty"`         // why
}

// maxExtension bounds a sample in those that were planned.
const maxExtension = 10

// Extend makes the sample larger or the time longer, when so many units have
// matured and been shown. As long as none has, all is as if it had been asked for
// at the start. From then on there is no test at the end any more: only what
// holds at all looks together decides, at the level that the tests as they were
// planned have left. What cannot be is a *document.InvalidError that names the
// field.
func (e *Experiment) Extend(x Extension, now time.Time, matured int) error {
	longer, most := time.Duration(given(x.MaxDuration, e.MaxDuration)), maxSampleSize
	if matured > 0 {
		most = min(most, maxExtension*e.planned())
	}
	switch {
	case x.SampleSize == 0 && x.MaxDuration == nil:
		return document.Invalid("sample_size", "is missing: give sample_size, max_duration or both")
	case x.SampleSize != 0 && x.SampleSize <= e.SampleSize:
		return document.Invalid("sample_size", "is %d, must be more than the %d there are: a sample that ends when it looks well finds what is not there", x.SampleSize, e.SampleSize)
	case x.SampleSize > most:
		return document.Invalid("sample_size", "is %d, must be at most %d", x.SampleSize, most)
	case x.MaxDuration != nil && *x.MaxDuration <= e.MaxDuration:
		return document.Invalid("max_duration", "is %s, must be longer than %s: a time that ends when it looks well finds what is not there", longer, time.Duration(e.MaxDuration))
	case longer > maxLasting:
		return document.Invalid("max_duration", "is %s, must be at most %s", longer, maxLasting)
	case !now.Before(e.End()):
		return document.Invalid("max_duration", "was over at %s, and the verdict is on its way", e.End().Format(time.RFC3339))
	}
	if matured > 0 {
		e.Planned = e.planned()
	}
	if x.SampleSize != 0 {
		e.SampleSize = x.SampleSize
	}
	e.MaxDuration = Duration(longer)
	return nil
}
