package statement

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Algorithm is that of all signatures.
const Algorithm = "Ed25519"

// Signer says whose signature a statement bears.
type Signer struct {
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"`     // see KeyID
	PublicKey string `json:"public_key"` // base64 of its 32 bytes
}

// KeyID is what a public key is called: the first 16 bytes of its SHA-256, in
// hexadecimal.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:16])
}

// ErrProvisional refuses to sign.
var ErrProvisional = errors.New("the statement is provisional")

// Sign gives the statement with who signs it, and the signature. One that is
// provisional is signed only where that is allowed; it says so itself.
func (s Statement) Sign(key ed25519.PrivateKey, provisional bool) (Statement, error) {
	if s.State != Final && !provisional {
		return s, fmt.Errorf("%w: %s", ErrProvisional, strings.Join(s.Reasons, "; "))
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return s, errKey
	}
	s.Signer = &Signer{Algorithm, KeyID(public), base64.StdEncoding.EncodeToString(public)}
	s.Signature = ""
	text, err := canonical(s)
	if err != nil {
		return s, err
	}
	s.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, text))
	return s, nil
}

// Encode gives the document as it is handed out, with a line break at its end.
func (s Statement) Encode() ([]byte, error) {
	text, err := canonical(s)
	return append(text, '\n'), err
}

// Errors of Verify.
var (
	ErrForm      = errors.New("this is no statement as busu writes it: a byte was changed, added or taken away, or it was formatted anew")
	ErrUnsigned  = errors.New("the statement bears no signature")
	ErrOtherKey  = errors.New("the statement is signed with another key")
	ErrSignature = errors.New("the signature does not fit: the statement was changed after it was signed")
	ErrSums      = errors.New("the statement does not add up")
)

// Verify reads a document that was signed with the private key of key. Any byte
// that differs is an error: of the form, or of the signature. A statement that
// it returns adds up, too; whether it is final its State says.
func Verify(document []byte, key ed25519.PublicKey) (s Statement, err error) {
	text, ok := bytes.CutSuffix(document, []byte("\n"))
	v, err := parse(text)
	members, isObject := v.(map[string]any)
	if !ok || err != nil || !isObject {
		return s, ErrForm
	}
	if again, err := appendCanonical(nil, v); err != nil || !bytes.Equal(again, text) {
		return s, ErrForm
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || s.Kind != Kind || s.Version != Version {
		return s, ErrForm
	}
	if s.Signer == nil || s.Signature == "" {
		return s, ErrUnsigned
	}
	if *s.Signer != (Signer{Algorithm, KeyID(key), base64.StdEncoding.EncodeToString(key)}) {
		return s, fmt.Errorf("%w: its key is %s, yours %s", ErrOtherKey, s.Signer.KeyID, KeyID(key))
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(s.Signature)
	if err != nil {
		return s, ErrSignature
	}
	delete(members, "signature")
	signed, err := appendCanonical(nil, v)
	if err != nil || !ed25519.Verify(key, signed, signature) {
		return s, ErrSignature
	}
	return s, s.check()
}

// check adds the lines up again.
func (s Statement) check() error {
	again := s
	if err := again.add(); err != nil {
		return fmt.Errorf("%w: %w", ErrSums, err)
	}
	routed := again.part(PartRouted)
	fits := again.Totals == s.Totals && again.ModelledNanos == s.ModelledNanos && reflect.DeepEqual(again.Parts, s.Parts) &&
		s.Proof.Rows == s.Totals.Sums && s.Proven.Requests == routed.UserRequests
	if each := s.Proven.PerRequest; each != nil {
		saving, err := each.times(routed.UserRequests)
		fits = fits && err == nil && s.Proven.Saving != nil && *saving == *s.Proven.Saving
	}
	if s.Share != nil {
		charged, err := again.Charge(s.Share.PPM)
		fits = fits && charged && err == nil && *again.Share == *s.Share
	}
	if !fits {
		return ErrSums
	}
	return nil
}

const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

var errKey = errors.New("it is no Ed25519 private key in PEM (PKCS#8): make one with busu statement keygen")

// ParsePrivate reads a private key from PEM, in PKCS#8.
func ParsePrivate(text []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != privateBlock || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errKey
	}
	return key, nil
}

var errPublic = errors.New("it is no Ed25519 public key, in PEM or as base64 of its 32 bytes")

// ParsePublic reads a public key from PEM, or from the base64 of a statement's
// signer.
func ParsePublic(text []byte) (ed25519.PublicKey, error) {
	if raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text))); err == nil && len(raw) == ed25519.PublicKeySize {
		return raw, nil
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != publicBlock {
		return nil, errPublic
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, errPublic
	}
	return key, nil
}

// NewKey makes a pair of keys in PEM, from bytes that nobody can foretell.
func NewKey(random io.Reader) (private, public []byte, id string, err error) {
	pub, key, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, nil, "", err
	}
	der, err1 := x509.MarshalPKCS8PrivateKey(key)
	der2, err2 := x509.MarshalPKIXPublicKey(pub)
	private = pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der})
	public = pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der2})
	return private, public, KeyID(pub), errors.Join(err1, err2)
}
