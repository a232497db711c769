package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers of a message.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp" // seconds since 1970, of this attempt
	HeaderSignature = "webhook-signature"
)

const (
	secretPrefix    = "whsec_"
	signaturePrefix = "v1,"
	leastSecret     = 24 // bytes
	mostSecret      = 64
	freshSecret     = 32
)

// Tolerance is how far the clocks of sender and receiver may differ: what was
// signed earlier may have been overheard, and is sent again by somebody else.
const Tolerance = 5 * time.Minute

// Keys sign and verify. There is more than one while a secret is replaced:
// each signs, so that receivers that know either of them can verify. They never
// show themselves.
type Keys struct{ keys [][]byte }

// ParseKeys reads secrets: whsec_ and base64 of 24 to 64 random bytes, separated
// by commas. Errors do not quote them.
func ParseKeys(text string) (Keys, error) {
	var k Keys
	for i, secret := range strings.Split(text, ",") {
		encoded, ok := strings.CutPrefix(secret, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil {
			return Keys{}, fmt.Errorf("secret %d is not whsec_ followed by base64", i+1)
		}
		if len(key) < leastSecret || len(key) > mostSecret {
			return Keys{}, fmt.Errorf("secret %d has %d bytes, must have %d to %d", i+1, len(key), leastSecret, mostSecret)
		}
		k.keys = append(k.keys, key)
	}
	return k, nil
}

// NewSecret makes one.
func NewSecret() string {
	key := make([]byte, freshSecret)
	_, _ = rand.Read(key) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// Any reports whether there are keys.
func (k Keys) Any() bool { return len(k.keys) > 0 }

// String hides the keys.
func (k Keys) String() string { return fmt.Sprintf("%d keys", len(k.keys)) }

// Format hides the keys from every verb of fmt.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// Sign gives webhook-signature: one of each key, separated by spaces.
func (k Keys) Sign(id string, at time.Time, body []byte) string {
	all := make([]string, len(k.keys))
	for i, key := range k.keys {
		all[i] = signaturePrefix + base64.StdEncoding.EncodeToString(mac(key, id, strconv.FormatInt(at.Unix(), 10), body))
	}
	return strings.Join(all, " ")
}

func mac(key []byte, id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Reasons why a message is not to be believed.
var (
	ErrUnsigned = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	ErrStale    = errors.New("the message was signed too long ago, or in the future")
	ErrForged   = errors.New("no signature is that of the message under a key of ours")
)

// Verify is for receivers: header gives the headers of a request, as
// http.Header.Get does, and body is its body as it came, before anything has
// parsed it. A message that is as it was signed may still come twice: remember
// its webhook-id for a few days.
func (k Keys) Verify(header func(name string) string, body []byte, now time.Time) error {
	id, timestamp, signatures := header(HeaderID), header(HeaderTimestamp), header(HeaderSignature)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || signatures == "" || err != nil {
		return ErrUnsigned
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return ErrStale
	}
	for _, key := range k.keys {
		want := mac(key, id, timestamp, body)
		for signature := range strings.FieldsSeq(signatures) {
			encoded, ok := strings.CutPrefix(signature, signaturePrefix)
			got, err := base64.StdEncoding.DecodeString(encoded)
			if ok && err == nil && hmac.Equal(got, want) {
				return nil
			}
		}
	}
	return ErrForged
}
