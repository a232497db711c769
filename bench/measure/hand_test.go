package measure

import "testing"

func TestByHandIsKept(t *testing.T) {
	t.Parallel()
	first := ByHand("", "\n\n## Laws\n\n")
	if want := handBegin + "\n\n## Laws\n\n" + handEnd; first != want {
		t.Errorf("%q, not %q", first, want)
	}
	written := "before\n" + handBegin + "\nmine\n" + handEnd + "\nafter"
	if got, want := ByHand(written, "other"), handBegin+"\nmine\n"+handEnd; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got := ByHand(handBegin+"cut off", "other"); got != handBegin+"other"+handEnd {
		t.Errorf("%q", got)
	}
}
