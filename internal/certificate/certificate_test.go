package certificate

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/certificatetest"
)

// disk holds files by path.
type disk map[string][]byte

func (d disk) read(path string) ([]byte, error) {
	if text, ok := d[path]; ok {
		return text, nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

var paths = Files{Certificate: "/tls/tls.crt", Key: "/tls/tls.key", ClientCA: "/tls/ca.crt"}

// TestFilesThatCannotBeShown: each fault is of the file that has it, and says
// what to do, without a path and without what was read.
func TestFilesThatCannotBeShown(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := certificatetest.New(t)
	cert, key := a.Issue(t, certificatetest.Wish{})
	otherCert, otherKey := a.Issue(t, certificatetest.Wish{})
	expired, expiredKey := a.Issue(t, certificatetest.Wish{From: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)})
	early, earlyKey := a.Issue(t, certificatetest.Wish{From: now.Add(time.Hour), Until: now.Add(2 * time.Hour)})
	for name, c := range map[string]struct {
		cert, key, ca []byte
		part          Part
		says          string
	}{
		"no certificate":        {nil, key, a.PEM, Certificate, "cannot be read (no such file); check the path"},
		"no key":                {cert, nil, a.PEM, Key, "cannot be read (no such file); check the path"},
		"no authorities":        {cert, key, nil, ClientCA, "cannot be read (no such file); check the path"},
		"an empty file":         {[]byte{}, key, a.PEM, Certificate, "no certificate in PEM; it begins with"},
		"swapped":               {key, cert, a.PEM, Certificate, "no certificate in PEM; it begins with"},
		"a broken certificate":  {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("none")}), key, a.PEM, Certificate, "broken; copy the file again"},
		"the certificate twice": {cert, cert, a.PEM, Key, "no private key in PEM that can be used; write it as PKCS#8, without a password"},
		"another's key":         {cert, otherKey, a.PEM, Key, "not the key of the certificate; take both from the same place"},
		"the wrong order":       {append(bytes.Clone(otherCert), cert...), key, a.PEM, Key, "not the key of the certificate; take both from the same place, with the listener's own certificate first"},
		"expired":               {expired, expiredKey, a.PEM, Certificate, `"localhost, 127.0.0.1, ::1" expired on `},
		"not yet":               {early, earlyKey, a.PEM, Certificate, "on only; wait, or set this machine's clock"},
		"no authority":          {cert, key, cert, ClientCA, "is no authority; put the certificates of the authorities"},
	} {
		d := disk{}
		for path, text := range map[string][]byte{paths.Certificate: c.cert, paths.Key: c.key, paths.ClientCA: c.ca} {
			if text != nil {
				d[path] = text
			}
		}
		_, err := paths.Read(d.read, now)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Part != c.part || fault.Hint == "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, which should be of %d and say %q", name, err, c.part, c.says)
			continue
		}
		if strings.Contains(err.Error(), "/tls/") || strings.Contains(err.Error(), string(key[40:60])) {
			t.Errorf("%s: it quotes what it should not: %s", name, err)
		}
	}
}

// TestFormsOfKeys: all that openssl writes, and what comes before the key in
// one file with it.
func TestFormsOfKeys(t *testing.T) {
	t.Parallel()
	for name, text := range keys(t) {
		if privateKey(append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), text...)) == nil {
			t.Errorf("%s is not read", name)
		}
	}
}

func TestWhatIsShown(t *testing.T) {
	t.Parallel()
	a := certificatetest.New(t)
	until := time.Now().Add(30 * 24 * time.Hour).Truncate(time.Second)
	cert, key := a.Issue(t, certificatetest.Wish{Until: until})
	s, err := Files{Certificate: paths.Certificate, Key: paths.Key}.Read(
		disk{paths.Certificate: append(cert, a.PEM...), paths.Key: key}.read, time.Now())
	if err != nil || !s.Expires.Equal(until) || len(s.pair.Certificate) != 2 || s.clients != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		t.Errorf("crypto/tls disagrees: %v", err)
	}
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	a := certificatetest.New(t)
	cert, key := a.Issue(t, certificatetest.Wish{})
	if pool, err := Authorities(append(bytes.Clone(a.PEM), cert...)); err != nil || !pool.Equal(both(a, cert)) {
		t.Errorf("%v", err)
	}
	if _, err := Authorities(key); err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Errorf("a key is taken for an authority: %v", err)
	}
}
