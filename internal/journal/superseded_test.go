package journal

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A process is killed in the middle of a write, with requests under way. They
// are settled under a new id; the last that is heard of the old one must not be
// that they are still open. Chaos found a reconcile that never got settled.
func TestNothingStaysOpenUnderAnIdThatWasGivenUp(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		dir := t.TempDir()
		s := &store{}
		run := func(j *Journal) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_ = (&Shipper{Journal: j, Stream: s, Marks: s, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
			synctest.Wait()
		}
		j := mustOpen(t, options(dir))
		old := j.ID()
		intend(t, j, newIntent("user"))
		run(j) // beats with one open intent
		kill(t, j)
		files := segmentFiles(t, dir)
		f, err := os.OpenFile(files[len(files)-1], os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte{200, 0, 0, 0, 1, 2, 3}); err != nil { // the beginning of a record
			t.Fatal(err)
		}
		_ = f.Close()
		again := mustOpen(t, options(dir))
		if again.ID() == old {
			t.Fatal("a torn tail keeps the id")
		}
		run(again)
		last := map[string]int{}
		for _, b := range s.beats {
			last[b.Journal] = b.OpenIntents
		}
		if last[old] != 0 {
			t.Errorf("%d intents stay open under the old id", last[old])
		}
	})
}
