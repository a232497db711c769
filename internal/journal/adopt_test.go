package journal

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// storing is a store that stores at once what it is given.
type storing struct{ store }

func (s *storing) Persisted(_ context.Context, journal string) (map[event.Lane]event.Ranges, error) {
	marks := map[event.Lane]event.Ranges{}
	for _, e := range s.received() {
		fact, err := event.Decode(e.Body)
		if err != nil {
			return nil, err
		}
		if h := fact.Head(); h.Journal == journal {
			seqs := marks[e.Lane]
			seqs.Add(h.Seq)
			marks[e.Lane] = seqs
		}
	}
	return marks, nil
}

// What a process left behind that does not come back is settled, shipped and
// removed by another; what a living one has is left alone.
func TestOrphansAreAdopted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options("")
	inBubble(t, func(t *testing.T) {
		own, err := OpenFree(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		recordSome(t, own, 3)
		orphan, err := OpenFree(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		recordSome(t, orphan, 20)
		intend(t, orphan, newIntent("ada"))
		mustClose(t, orphan)

		db := &storing{}
		a := &Adopter{Dir: dir, Options: o, Stream: db, Marks: db, Log: slog.New(slog.DiscardHandler)}
		if n, err := a.Adopt(context.Background()); err != nil || n != 1 {
			t.Fatalf("%d journals were adopted: %v", n, err)
		}
		if got := len(db.received()); got != 21 {
			t.Errorf("%d facts were shipped, 20 and an interrupted one were left behind", got)
		}
		if _, err := os.Stat(filepath.Join(dir, "01")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder is still there: %v", err)
		}
		if last := db.beats[len(db.beats)-1]; last.OpenIntents != 0 {
			t.Errorf("the last heartbeat is %+v", last)
		}
		if n, err := a.Adopt(context.Background()); err != nil || n != 0 {
			t.Errorf("%d more were adopted: %v", n, err)
		}
		recordSome(t, own, 1)
		mustClose(t, own)
		again, err := OpenFree(dir, o)
		if err != nil || again.ID() != own.ID() {
			t.Fatalf("the living one's journal: %v", err)
		}
		mustClose(t, again)
	})
}

// While nothing can be stored, an orphan stays as it is.
func TestOrphansWaitForTheStores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options("")
	inBubble(t, func(t *testing.T) {
		orphan, err := OpenFree(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		recordSome(t, orphan, 5)
		mustClose(t, orphan)
		db := &store{fail: func(int, []event.Entry) (int, error) { return 0, errAway }, marksErr: errAway}
		a := &Adopter{Dir: dir, Options: o, Stream: db, Marks: db, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if n, err := a.Adopt(ctx); err == nil || n != 0 {
			t.Errorf("%d were adopted: %v", n, err)
		}
		back, err := OpenFree(dir, o)
		if err != nil || len(allFacts(t, back)) != 5 {
			t.Errorf("after that it holds %d facts: %v", len(allFacts(t, back)), err)
		}
		mustClose(t, back)
	})
}
