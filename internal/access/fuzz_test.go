package access_test

import (
	"testing"

	"github.com/busuhq/busu/internal/access"
)

// FuzzParseActPlace: a place is one that was given out, or refused.
func FuzzParseActPlace(f *testing.F) {
	f.Add("MjAyNi0wMS0wMVQwMDowMDowMFogYWN0LTE")
	f.Add("")
	f.Add("MjAyNi0wMS0wMVQwMDowMDowMFogYWN0LTE=\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := access.ParseActPlace(text)
		if err != nil {
			if p != (access.ActPlace{}) {
				t.Errorf("refused, and read as %+v", p)
			}
			return
		}
		again, err := access.ParseActPlace(p.String())
		if err != nil || !again.At.Equal(p.At) || again.Name != p.Name {
			t.Errorf("%q is %+v, and that is %+v (%v)", text, p, again, err)
		}
	})
}

// FuzzWellFormed: what has the form of a key has the size, the prefix and the
// checksum of one; with one letter changed it has not.
func FuzzWellFormed(f *testing.F) {
	f.Add(access.NewSecret().Reveal(), 7)
	f.Add("busu_", 0)
	f.Add("", 0)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if !access.WellFormed(text) {
			if access.PrefixOf(text) != "" {
				t.Errorf("%q has a prefix", text)
			}
			return
		}
		b := []byte(text)
		at = int(uint(at) % uint(len(b)))
		b[at] ^= 1
		if access.WellFormed(string(b)) {
			t.Errorf("%q is as good as %q", b, text)
		}
	})
}
