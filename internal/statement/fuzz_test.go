package statement_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"github.com/busuhq/busu/internal/statement"
)

// FuzzKeys: what is read as a key is one of Ed25519; all else is refused.
func FuzzKeys(f *testing.F) {
	private, public, id, err := statement.NewKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{private, public, []byte(id), append(private, private...), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := statement.ParsePrivate(text); (err == nil) != (len(key) == ed25519.PrivateKeySize) {
			t.Errorf("private: %d bytes, %v", len(key), err)
		}
		if key, err := statement.ParsePublic(text); (err == nil) != (len(key) == ed25519.PublicKeySize) {
			t.Errorf("public: %d bytes, %v", len(key), err)
		}
	})
}

// FuzzWords: months and shares are read as they are written, or refused.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"2026-01", "2026-13", "0000-00", "0.25", "1e9", "-1", "NaN", "", "25%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := statement.ParseMonth(text); err == nil && m.String() != text {
			t.Errorf("%q is %s", text, m)
		}
		if ppm, err := statement.ParseShare(text); err == nil && (ppm < 0 || ppm > 1_000_000) {
			t.Errorf("%q is %d ppm", text, ppm)
		}
	})
}
