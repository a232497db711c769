package access_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/access"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		s := access.NewSecret()
		text := s.Reveal()
		if seen[s.Prefix()] || seen[text] {
			t.Fatalf("%s came twice", s.Prefix())
		}
		seen[s.Prefix()], seen[text] = true, true
		if !access.WellFormed(text) || len(text) != 64 || !strings.HasPrefix(text, s.Prefix()) || len(s.Prefix()) != 13 || !strings.HasPrefix(text, "busu_") {
			t.Fatalf("%q with the prefix %q", text, s.Prefix())
		}
		if s.Hash() != sha256.Sum256([]byte(text)) {
			t.Fatal("the hash is another one")
		}
		for _, verb := range []string{"%v", "%s", "%q", "%+v"} {
			if shown := fmt.Sprintf(verb, s); strings.Contains(shown, text[13:20]) {
				t.Fatalf("%s shows %s", verb, shown)
			}
		}
	}
}

// A typo is not a key: not one wrong character, and not two that changed places.
func TestTypos(t *testing.T) {
	t.Parallel()
	text := access.NewSecret().Reveal()
	for i := range len(text) {
		for _, c := range []byte("az27AZ_ \x00") {
			if typo := text[:i] + string(c) + text[i+1:]; typo != text && access.WellFormed(typo) {
				t.Errorf("%q passes for %q", typo, text)
			}
		}
		if i > 0 && text[i] != text[i-1] {
			if swapped := text[:i-1] + string(text[i]) + string(text[i-1]) + text[i+1:]; access.WellFormed(swapped) {
				t.Errorf("%q passes for %q", swapped, text)
			}
		}
	}
	for _, other := range []string{"", "busu_", text[1:], text + "a", text[:63], "sk-" + text, strings.ToUpper(text)} {
		if access.WellFormed(other) {
			t.Errorf("%q passes", other)
		}
	}
}
