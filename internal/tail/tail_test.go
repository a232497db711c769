package tail

import (
	"slices"
	"testing"
)

func TestPositionsReadBack(t *testing.T) {
	t.Parallel()
	for _, p := range []Position{{}, {{}}, {{1700000000000, 0}}, {{1, 2}, {}, {1 << 53, 1<<64 - 1}}} {
		if len(p) == 0 {
			continue
		}
		if got, err := ParsePosition(p.String(), len(p)); err != nil || !slices.Equal(got, p) {
			t.Errorf("%s reads as %s: %v", p, got, err)
		}
	}
	if got, err := ParsePosition("1:5-1", 3); err != nil || !slices.Equal(got, Position{{}, {5, 1}, {}}) {
		t.Errorf("partitions that are not named: %s, %v", got, err)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, seed := range []string{"0:1-0", "0:1700-0,1:1701-3", "", ",", "0:", "0:-", "1:18446744073709551615-18446744073709551615"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text, 3)
		if err != nil {
			return
		}
		if again, err := ParsePosition(p.String(), 3); err != nil || !slices.Equal(again, p) {
			t.Errorf("%q reads as %s, that as %s (%v)", text, p, again, err)
		}
	})
}

// A window gives what is behind a position that it knows, never less, and
// keeps its limits.
func TestWindow(t *testing.T) {
	t.Parallel()
	var w window
	if _, ok := w.behind(ID{}); ok {
		t.Error("an unknown window tells something")
	}
	w.restart(ID{10, 0})
	for i := uint64(11); i <= 2500; i++ {
		w.add([]item{{id: ID{i, 0}, body: make([]byte, 100)}})
		if len(w.items) > windowCount || w.bytes != 100*len(w.items) {
			t.Fatalf("%d items of %d bytes", len(w.items), w.bytes)
		}
	}
	for _, p := range []ID{{10, 0}, {1499, 0}, {1600, 1}, {2501, 0}} {
		if items, ok := w.behind(p); ok {
			t.Errorf("behind %s, which it does not know, it gives %d items", p, len(items))
		}
	}
	for _, p := range []uint64{1500, 1501, 2000, 2450, 2499, 2500} {
		items, ok := w.behind(ID{p, 0})
		if want := min(pageCount, 2500-int(p)); !ok || len(items) != want || want > 0 && items[0].id != (ID{p + 1, 0}) {
			t.Errorf("behind %d it gives %d items, want %d (%t)", p, len(items), want, ok)
		}
	}
	w.add([]item{{id: ID{2501, 0}, body: make([]byte, 2*windowBytes)}})
	if len(w.items) != 0 || w.bytes != 0 || w.end() != (ID{2501, 0}) {
		t.Errorf("after an entry beyond the limit: %d items, %d bytes, the end is %s", len(w.items), w.bytes, w.end())
	}
	if items, ok := w.behind(ID{2501, 0}); !ok || len(items) > 0 {
		t.Errorf("at the end: %d, %t", len(items), ok)
	}
	if _, ok := w.behind(ID{2500, 0}); ok {
		t.Error("it passes over what it could not keep")
	}
}
