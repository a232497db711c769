package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// A key is "busu_", 52 random characters of base32 (260 bits), and 7 of a
// checksum over all before them. The first 8 of the random ones are shown in
// lists, so that a key is recognised; 220 bits stay secret. The checksum lets
// scanners of code tell a key from a word, and a typo from a key that nobody
// has.
const (
	secretMark  = "busu_"
	prefixRunes = 8
	secretRunes = 52
	checkRunes  = 7
	secretSize  = len(secretMark) + secretRunes + checkRunes
)

// Hash is what of a key is stored. A fast hash is enough: with 220 random bits
// nobody can try them all, which is what slow hashes and salts are for with
// passwords, and every request is checked.
type Hash [sha256.Size]byte

// Secret is a key as it is shown once.
type Secret struct{ text string }

// NewSecret makes one.
func NewSecret() Secret {
	text := secretMark + strings.ToLower(rand.Text()+rand.Text())
	return Secret{text + checksum(text)}
}

// Reveal gives the key itself.
func (s Secret) Reveal() string { return s.text }

// String shows what may be shown.
func (s Secret) String() string { return s.Prefix() + "…" }

// Prefix is what a key is recognised by.
func (s Secret) Prefix() string { return s.text[:len(secretMark)+prefixRunes] }

// Hash is what is stored of it.
func (s Secret) Hash() Hash { return hashOf(s.text) }

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func checksum(text string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(text)))
	return base32Lower.EncodeToString(sum[:])
}

// WellFormed reports whether a text can be a key that was made here.
func WellFormed(text string) bool {
	if len(text) != secretSize || !strings.HasPrefix(text, secretMark) {
		return false
	}
	body := text[:secretSize-checkRunes]
	return checksum(body) == text[secretSize-checkRunes:]
}

// PrefixOf is what a presented key is recognised by; "" for what has not a key's
// form.
func PrefixOf(presented string) string {
	if !WellFormed(presented) {
		return ""
	}
	return Secret{presented}.Prefix()
}

// HashOf is what is stored of a key that was presented.
func HashOf(presented string) Hash { return hashOf(presented) }

// hashOf does not allocate for what has the size of a key.
func hashOf(text string) Hash {
	var buffer [128]byte
	if len(text) > len(buffer) {
		return sha256.Sum256([]byte(text))
	}
	return sha256.Sum256(buffer[:copy(buffer[:], text)])
}
