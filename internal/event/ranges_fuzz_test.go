package event_test

import (
	"testing"

	"github.com/busuhq/busu/internal/event"
)

// FuzzParseRanges: a set is read as runs in order, apart from each other, and
// reads the same when it was written again.
func FuzzParseRanges(f *testing.F) {
	for _, seed := range []string{"{}", "{[1,4),[7,8)}", "{[1,4)[5,6)}", "{[1,4),[-9223372036854775808,0)}", "{[9223372036854775806,9223372036854775807)}", "{[,)}", "{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := event.ParseRanges(text)
		if err != nil {
			return
		}
		for i, run := range r {
			if run.First > run.Last || i > 0 && run.First <= r[i-1].Last {
				t.Errorf("%q is read as %v", text, r)
			}
		}
		again, err := event.ParseRanges(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q is %s, and that is %s (%v)", text, r, again, err)
		}
	})
}
