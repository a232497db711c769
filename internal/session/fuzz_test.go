package session_test

import (
	"testing"

	"github.com/busuhq/busu/internal/session"
)

// FuzzOpen: nothing opens but what was sealed with this secret for this purpose,
// to the letter.
func FuzzOpen(f *testing.F) {
	seal, err := session.NewSeal(make([]byte, session.SecretSize))
	if err != nil {
		f.Fatal(err)
	}
	other, err := session.NewSeal(append(make([]byte, session.SecretSize-1), 1))
	if err != nil {
		f.Fatal(err)
	}
	sealed := seal.Close("a purpose", map[string]string{"who": "ann"})
	for _, seed := range []string{"", sealed, sealed[1:], sealed + "A", seal.Close("another", 1), other.Close("a purpose", map[string]string{"who": "bob"}), "%", "AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var into map[string]string
		opened := seal.Open("a purpose", text, &into)
		if opened != (into["who"] == "ann") || !opened && (into != nil || text == sealed) { // others seal nothing of Ann
			t.Errorf("%q opens: %t, and holds %v", text, opened, into)
		}
	})
}
