package session

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// SecretSize is the size of what cookies are sealed with, in bytes.
const SecretSize = 32

// purpose keeps cookies of sessions apart from whatever else is sealed.
const purpose = "busu session 1"

// mostText bounds what is looked at: browsers keep no larger cookie.
const mostText = 4096

// Seal closes values so that only who has its secret can read or make them:
// AES-256 in GCM, with a nonce of 96 random bits, which is sound for four
// thousand million of them under one secret.
type Seal struct{ aead cipher.AEAD }

// NewSeal makes one of a secret of SecretSize bytes.
func NewSeal(secret []byte) (*Seal, error) {
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("the secret of sessions has %d bytes, must have %d", len(secret), SecretSize)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Seal{aead}, nil
}

// Close seals a value for a purpose, as text that a cookie can hold. The value
// is one that JSON can always be made of.
func (s *Seal) Close(purpose string, value any) string {
	plain, err := json.Marshal(value)
	if err != nil {
		panic("session: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(purpose)))
}

// Open reads what Close sealed for the same purpose, and reports whether it is
// that.
func (s *Seal) Open(purpose, text string, into any) bool {
	if len(text) > mostText {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte(purpose))
	return err == nil && json.Unmarshal(plain, into) == nil
}
