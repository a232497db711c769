package certificate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/certificatetest"
)

// FuzzRead: whatever files hold, a listener shows a certificate that is in force
// with its own key, or says what is wrong without quoting it.
func FuzzRead(f *testing.F) {
	a := certificatetest.New(f)
	now := time.Now()
	cert, key := a.Issue(f, certificatetest.Wish{})
	f.Add(cert, key, a.PEM)
	f.Add(key, cert, []byte(nil))
	f.Add(append(a.PEM, cert...), key, cert)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), []byte{})
	f.Fuzz(func(t *testing.T, cert, key, authorities []byte) {
		shown, err := paths.Read(disk{paths.Certificate: cert, paths.Key: key, paths.ClientCA: authorities}.read, now)
		if err == nil {
			if shown.pair.Leaf == nil || shown.pair.PrivateKey == nil || shown.clients == nil || now.Before(shown.Begins) || now.After(shown.Expires) {
				t.Errorf("%+v is shown", shown)
			}
			return
		}
		fault, ok := errors.AsType[*Fault](err)
		if !ok || fault.Hint == "" || len(key) > 40 && strings.Contains(err.Error(), string(key)) {
			t.Errorf("%v", err)
		}
	})
}
