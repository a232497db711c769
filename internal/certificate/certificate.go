// Package certificate is about what busu's own listeners show over TLS: whether
// a certificate and its key can be shown, and new ones in their place when their
// files change. Files come in through a function, and time as a value.
package certificate

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Files are the paths of PEM files.
type Files struct {
	Certificate string // the chain, with the listener's own first
	Key         string
	ClientCA    string // authorities, of which clients need a certificate; "": they need none
}

// Part is one of the files.
type Part int

// The parts.
const (
	Certificate Part = iota
	Key
	ClientCA
)

// Fault is why files cannot be used. It quotes no path and nothing that was
// read: either may be a key in the wrong place.
type Fault struct {
	Part    Part
	Message string // what is wrong with the file
	Hint    string // what to do
}

func (f *Fault) Error() string {
	return [...]string{"the certificate", "the key", "the clients' authorities"}[f.Part] + ": " + f.Message + "; " + f.Hint
}

// Shown is what a listener shows, and whom it lets in.
type Shown struct {
	Begins, Expires time.Time

	pair    tls.Certificate
	clients *x509.CertPool // nil: whoever comes
	sum     [sha256.Size]byte
}

// Read reads what the files have, if it can be shown now. The error is a *Fault.
func (f Files) Read(read func(string) ([]byte, error), now time.Time) (*Shown, error) {
	s := &Shown{}
	sum := sha256.New()
	for _, file := range []struct {
		part Part
		path string
		take func([]byte, time.Time) error
	}{{Certificate, f.Certificate, s.certificate}, {Key, f.Key, s.key}, {ClientCA, f.ClientCA, s.authorities}} {
		if file.part == ClientCA && file.path == "" {
			continue
		}
		text, err := read(file.path)
		if err != nil {
			return nil, &Fault{file.part, "the file cannot be read (" + reason(err) + ")", "check the path and its permissions"}
		}
		if err := file.take(text, now); err != nil {
			return nil, err
		}
		one := sha256.Sum256(text)
		sum.Write(one[:])
	}
	sum.Sum(s.sum[:0])
	return s, nil
}

// reason says why a file cannot be read, without its path.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	}
	return "reading it failed"
}

func (s *Shown) certificate(text []byte, now time.Time) error {
	chain, err := parse(Certificate, text)
	if err != nil {
		return err
	}
	for _, c := range chain {
		s.pair.Certificate = append(s.pair.Certificate, c.Raw)
	}
	s.pair.Leaf, s.Begins, s.Expires = chain[0], chain[0].NotBefore, chain[0].NotAfter
	return inForce(Certificate, chain[0], now)
}

// key takes the first private key, as crypto/tls does.
func (s *Shown) key(text []byte, _ time.Time) error {
	key := privateKey(text)
	if key == nil {
		return &Fault{Key, "it holds no private key in PEM that can be used", "write it as PKCS#8, without a password: openssl pkcs8 -topk8 -nocrypt"}
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(s.pair.Leaf.PublicKey) {
		return &Fault{Key, "it is not the key of the certificate", "take both from the same place, with the listener's own certificate first in its file"}
	}
	s.pair.PrivateKey = key
	return nil
}

func privateKey(text []byte) crypto.Signer {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, _ = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, _ = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, _ = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue
		}
		signer, _ := key.(crypto.Signer)
		return signer
	}
	return nil
}

func (s *Shown) authorities(text []byte, now time.Time) error {
	all, err := parse(ClientCA, text)
	if err != nil {
		return err
	}
	s.clients = x509.NewCertPool()
	for _, c := range all {
		if !c.IsCA {
			return &Fault{ClientCA, fmt.Sprintf("%q in it is no authority", name(c)), "put the certificates of the authorities into it that sign those of clients"}
		}
		if err := inForce(ClientCA, c, now); err != nil {
			return err
		}
		s.clients.AddCert(c)
	}
	return nil
}

// Authorities reads the certificates of a file that others are to be trusted by.
func Authorities(text []byte) (*x509.CertPool, error) {
	all, err := parse(ClientCA, text)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c)
	}
	return pool, nil
}

// parse reads one certificate or more.
func parse(part Part, text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &Fault{part, "one of its certificates is broken", "copy the file again"}
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, &Fault{part, "it holds no certificate in PEM", "it begins with -----BEGIN CERTIFICATE-----"}
	}
	return all, nil
}

func inForce(part Part, c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return &Fault{part, fmt.Sprintf("%q expired on %s", name(c), c.NotAfter.UTC().Format(time.RFC3339)), "renew it, or set this machine's clock"}
	case now.Before(c.NotBefore):
		return &Fault{part, fmt.Sprintf("%q is valid from %s on only", name(c), c.NotBefore.UTC().Format(time.RFC3339)), "wait, or set this machine's clock"}
	}
	return nil
}

// name is what a certificate is for.
func name(c *x509.Certificate) string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return c.Subject.CommonName
	}
	return strings.Join(names[:min(len(names), 3)], ", ")
}
