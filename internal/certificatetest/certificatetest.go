// Package certificatetest makes authorities and certificates for tests.
package certificatetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	PEM  []byte // its own certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Wish is what a certificate is to be. The zero value is one of localhost and
// the loopback addresses, for servers and clients, from an hour ago to a day
// from now.
type Wish struct {
	Names       []string
	From, Until time.Time
}

// New makes an authority.
func New(t testing.TB) *Authority {
	t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "an authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-365 * 24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour)}
	a := &Authority{}
	a.PEM, a.key = sign(t, template, nil)
	block, _ := pem.Decode(a.PEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	a.cert = cert
	return a
}

// Pool trusts this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Issue makes a certificate and its key, in PEM.
func (a *Authority) Issue(t testing.TB, w Wish) (cert, key []byte) {
	t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "a test"}, DNSNames: w.Names, NotBefore: w.From, NotAfter: w.Until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if len(w.Names) == 0 {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	if w.From.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if w.Until.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	cert, private := sign(t, template, a)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// Pair is Issue's for a client.
func (a *Authority) Pair(t testing.TB) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(a.Issue(t, Wish{}))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// Write puts a text into a file that this user alone can read.
func Write(t testing.TB, dir, name string, text []byte) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sign(t testing.TB, template *x509.Certificate, by *Authority) (cert []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}
