package requests_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/requests"
)

// FuzzParseCursor: a cursor is one that was given out, to the letter, or
// refused.
func FuzzParseCursor(f *testing.F) {
	f.Add(requests.CursorAt(time.UnixMilli(1_767_225_600_000)).String())
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := requests.ParseCursor(text)
		if err != nil {
			if !c.IsZero() {
				t.Errorf("refused, and read as %v", c)
			}
			return
		}
		if c.String() != text {
			t.Errorf("%q is also %q", text, c.String())
		}
	})
}

func TestCursorAtIsBetween(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_767_225_600_123)
	c, err := requests.ParseCursor(requests.CursorAt(at).String())
	if before := requests.CursorAt(at.Add(-time.Millisecond)); err != nil || before.ID().String() >= c.ID().String() {
		t.Errorf("%s is not before %s (%v)", before.ID(), c.ID(), err)
	}
}
